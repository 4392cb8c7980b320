/** @file The packed tarball in an empty folder: as the registry would hand it out (with its shrinkwrap), and as a file on disk. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OnePackageRegistry, servePackage } from "./one-package-registry.js";
import { npmRegistry, registryRefusal } from "./registry-refusal.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
/** Without it onnxruntime-node's install script fetches NVIDIA's libraries on Linux. */
const ENV = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip", npm_config_fund: "false", npm_config_audit: "false" };
/** Far more than the package holds today (2.8 MB); what passes it was not meant to be in it. */
const MOST_BYTES = 8e6;
const MAY_HOLD =
  /^(?:LICENSE|NOTICE|README\.md|package\.json|npm-shrinkwrap\.json|scripts\/setup-cuda\.mjs|dist\/.+|models\/nano\/[^/]+|examples\/(?:corpus|clients)\/.+)$/;

const refusal = await registryRefusal();
const whyNot = refusal ?? "";

let folder: string;
let packed: { tarball: string; bytes: number; files: string[] };
let version: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "preflexor-package-"));
  const { stdout } = await run("node", [join(ROOT, "scripts/pack.mjs"), "--json", "--out", folder], { cwd: ROOT });
  packed = JSON.parse(stdout);
  version = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")).version;
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

describe("the tarball", () => {
  it("holds what package.json lists, built files with a source each, and nothing else", () => {
    expect(packed.files.filter((file) => !MAY_HOLD.test(file))).toEqual([]);
    const compiled = packed.files.filter((file) => /^dist\/(?!page\/).+\.js$/.test(file));
    const sources = (file: string) =>
      ["ts", "tsx"].map((ending) => join(ROOT, file.replace(/^dist/, "src").replace(/js$/, ending)));
    expect(compiled.filter((file) => !sources(file).some((source) => existsSync(source)))).toEqual([]);
    expect(compiled.length).toBeGreaterThan(300);
    for (const file of ["npm-shrinkwrap.json", "dist/server/main.js", "models/nano/model.safetensors", "LICENSE"])
      expect(packed.files, file).toContain(file);
    expect(packed.bytes).toBeLessThan(MOST_BYTES);
  });

  it("pins what our own lock file pins, without development and without registry addresses", async () => {
    const { stdout } = await run("tar", ["-xOzf", packed.tarball, "package/npm-shrinkwrap.json"], {
      maxBuffer: 16e6,
    });
    expect(stdout).not.toMatch(/https?:\/\/[^"]*\/-\/|"resolved"/);
    const pinned: Record<string, { version: string; dev?: boolean }> = JSON.parse(stdout).packages;
    const ours = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")).packages;
    for (const [path, entry] of Object.entries(pinned)) expect(entry.version, path).toBe(ours[path].version);
    expect(pinned).not.toHaveProperty(["node_modules/vitest"]);
    const manifest = JSON.parse((await run("tar", ["-xOzf", packed.tarball, "package/package.json"])).stdout);
    for (const name of Object.keys(manifest.dependencies))
      expect(pinned, name).toHaveProperty([`node_modules/${name}`]);
  });

  it("is left alone by the working tree: no shrinkwrap stays where npm ci would prefer it to the lock file", () => {
    expect(existsSync(join(ROOT, "npm-shrinkwrap.json"))).toBe(false);
  });
});

/** The same program, started as `npx preflexor` does. */
const program = (at: string): string => join(at, "node_modules", ".bin", "preflexor");

/** Started by the command of a client's own settings. */
async function toolsOverStdio(at: string): Promise<string[]> {
  const client = new Client({ name: "test", version: "1" });
  const env = { PATH: process.env["PATH"] ?? "", PREFLEXOR_HOME: join(at, "home") };
  const snippet = await readFile(join(ROOT, "examples/clients/claude-desktop.json"), "utf8");
  // npx takes what is installed where it is called; -y would fetch it otherwise.
  const { command, args } = JSON.parse(snippet).mcpServers.preflexor;
  await client.connect(new StdioClientTransport({ command, args, env, stderr: "ignore", cwd: at }));
  try {
    return (await client.listTools()).tools.map(({ name }) => name);
  } finally {
    await client.close();
  }
}

async function versionsOf(at: string, name: string): Promise<string[]> {
  const { stdout } = await run("npm", ["query", `[name="${name}"]`], { cwd: at, maxBuffer: 64e6 });
  return JSON.parse(stdout).map((found: { version: string }) => found.version);
}

describe.skipIf(refusal !== undefined)(`installed in an empty folder as from the registry${whyNot}`, () => {
  let at: string;
  let registry: OnePackageRegistry;

  beforeAll(async () => {
    at = join(folder, "from-registry");
    await mkdir(at);
    await writeFile(join(at, "package.json"), '{"name": "empty", "private": true}\n');
    registry = await servePackage(packed.tarball, npmRegistry());
    await run("npm", ["install", `preflexor@${version}`, "--registry", registry.url], { cwd: at, env: ENV });
  });
  afterAll(() => registry?.close());

  it("has the versions of the shrinkwrap: one zod, and the Chroma that runs on glibc 2.36", async () => {
    expect(await versionsOf(at, "zod")).toHaveLength(1);
    expect(await versionsOf(at, "chromadb-js-bindings-linux-x64-gnu")).toEqual(["1.0.5"]);
    expect((await run("npm", ["ls", "--depth", "0"], { cwd: at })).stdout).toContain(`preflexor@${version}`);
  });

  it("says its version and what the machine can do", async () => {
    expect((await run(program(at), ["--version"], { cwd: at })).stdout).toBe(`${version}\n`);
    const { stdout } = await run(program(at), ["doctor"], { cwd: at });
    expect(stdout).toMatch(/engine +ok: scored a pair/);
    expect(stdout).toMatch(/model [\s\S]*ok: scored a pair/);
  });

  it("teaches in a small demo, whose last line is the result", async () => {
    const args = ["demo", "--json", "--rounds", "1", "--pairs", "4", "--home", join(at, "home")];
    const { stdout } = await run(program(at), args, { cwd: at, maxBuffer: 16e6 });
    const result = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(result).toMatchObject({ pairs: 4, steps: 2, accuracy: { n: 210 } });
  });

  it("answers an assistant's tools/list over stdio", async () => {
    expect(await toolsOverStdio(at)).toEqual(expect.arrayContaining(["ingest-corpus", "train-iteration"]));
  });
});

describe.skipIf(refusal !== undefined)(`installed in an empty folder from the file${whyNot}`, () => {
  // npm does not read the shrinkwrap of a tarball on disk: versions are the newest that the ranges take.
  it("starts, and answers tools/list over stdio", async () => {
    const at = join(folder, "from-file");
    await mkdir(at);
    await writeFile(join(at, "package.json"), '{"name": "empty", "private": true}\n');
    await run("npm", ["install", packed.tarball], { cwd: at, env: ENV });
    expect((await run(program(at), ["--version"], { cwd: at })).stdout).toBe(`${version}\n`);
    expect((await run(program(at), ["doctor"], { cwd: at })).stdout).toMatch(/engine +ok/);
    expect(await toolsOverStdio(at)).toContain("train-iteration");
  });
});
