/** @file The .mcpb bundle: packed, unpacked, and started as a desktop assistant starts it. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registryRefusal } from "./registry-refusal.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PACKER = join(ROOT, "packaging/node_modules/.bin/mcpb");
const run = promisify(execFile);
/** Measured: 170 MB on linux-x64, most of it Chroma's and ONNX Runtime's native code. */
const MOST_BYTES = 250e6;

const refusal = await registryRefusal();

interface Manifest {
  version: string;
  server: { entry_point: string; mcp_config: { command: string; args: string[]; env: Record<string, string> } };
  compatibility: { platforms: string[] };
  user_config: Record<string, { default: string; required: boolean }>;
}

/** What a host puts in place of `${…}`: the bundle's folder, and the defaults of what its user left alone. */
function filledIn(text: string, folder: string, manifest: Manifest): string {
  return text.replaceAll(/\$\{([^}]+)\}/g, (whole, name: string) => {
    if (name === "__dirname") return folder;
    return manifest.user_config[name.replace(/^user_config\./, "")]?.default ?? whole;
  });
}

describe.skipIf(refusal !== undefined)(`the bundle${refusal ?? ""}`, () => {
  let folder: string;
  let unpacked: string;
  let packed: { bundle: string; bytes: number };
  let manifest: Manifest;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "preflexor-bundle-"));
    const args = [join(ROOT, "scripts/pack-mcpb.mjs"), "--json", "--out", folder];
    packed = JSON.parse((await run("node", args, { cwd: ROOT, maxBuffer: 16e6 })).stdout);
    unpacked = join(folder, "unpacked");
    await run(PACKER, ["unpack", packed.bundle, unpacked], { maxBuffer: 64e6 });
    manifest = JSON.parse(await readFile(join(unpacked, "manifest.json"), "utf8"));
  });
  afterAll(async () => rm(folder, { recursive: true, force: true }));

  it("has a manifest of this version that the packer accepts, for this platform alone", async () => {
    await run(PACKER, ["validate", join(unpacked, "manifest.json")]);
    expect(manifest.version).toBe(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")).version);
    expect(manifest.compatibility.platforms).toEqual([process.platform]);
    expect(packed.bundle).toContain(`${process.platform}-${process.arch}`);
    await stat(join(unpacked, manifest.server.entry_point));
  });

  it("is no larger than it has to be", () => {
    expect(packed.bytes).toBeLessThan(MOST_BYTES);
  });

  it("starts where its user has set nothing, and answers tools/list", async () => {
    const { command, args, env } = manifest.server.mcp_config;
    const fill = (text: string): string => filledIn(text, unpacked, manifest);
    const settings = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)]));
    expect(Object.values(settings).filter((value) => value.includes("${"))).toEqual([]);
    const client = new Client({ name: "test", version: "1" });
    const transport = new StdioClientTransport({
      command,
      args: args.map(fill),
      env: { PATH: process.env["PATH"] ?? "", ...settings, PREFLEXOR_HOME: join(folder, "home") },
      stderr: "ignore",
      cwd: "/",
    });
    await client.connect(transport);
    try {
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain("train-iteration");
    } finally {
      await client.close();
    }
  });

  it("finds ONNX Runtime's native code: the engine scores a pair", async () => {
    const { stdout } = await run(process.execPath, [join(unpacked, manifest.server.entry_point), "doctor"]);
    expect(stdout).toMatch(/engine +ok: scored a pair/);
  });
});
