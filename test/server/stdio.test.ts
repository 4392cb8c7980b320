/** @file The real binary: clients of both SDK generations and both protocol eras, a silent stdout, and a clean end. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioClientTransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { beforeEach, describe, expect, it } from "vitest";
import { langChainTools } from "../../src/tools/langchain.js";
import { NACRE } from "../agents/scripted-student.js";
import { TOOL_NAMES } from "../tools/tool-names.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

let home: string;
let server: { command: string; args: string[]; env: Record<string, string>; stderr: "ignore"; cwd: string };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-home-"));
  await writeFile(join(home, "nacre.md"), NACRE);
  // In "/", where assistants start their servers: nothing may depend on the working directory, or write to it.
  server = { command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home }, stderr: "ignore", cwd: "/" };
});

interface AnyResult {
  readonly isError?: boolean;
  readonly content?: unknown;
  readonly structuredContent?: unknown;
}

/** What any client sees that uses the server in the usual order. */
async function walk(call: (name: string, args: Record<string, unknown>) => Promise<AnyResult>): Promise<void> {
  expect(await call("retrieve-context", { query: "nacre" })).toMatchObject({
    isError: true,
    content: [{ text: "the corpus is empty: call ingest-corpus first" }],
  });
  expect(await call("train-iteration", {})).toMatchObject({ isError: true });
  expect(await call("ingest-corpus", { path: join(home, "nacre.md") })).toMatchObject({
    structuredContent: { documents: 1 },
  });
  expect(await call("retrieve-context", { query: "aragonite", k: 1 })).toMatchObject({
    structuredContent: { passages: [{ source: "nacre.md" }] },
  });
}

describe("a client of the second SDK generation", () => {
  it.each(["legacy", "auto"] as const)("lists and calls the tools (%s)", async (mode) => {
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(new StdioClientTransport(server));
    try {
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(TOOL_NAMES);
      await walk((name, args) => client.callTool({ name, arguments: args }));
    } finally {
      await client.close();
    }
  });
});

describe("a client of the first SDK generation", () => {
  it("lists and calls the tools", async () => {
    const client = new ClientV1({ name: "test", version: "1" });
    await client.connect(new StdioClientTransportV1(server));
    try {
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(TOOL_NAMES);
      await walk(async (name, args) => (await client.callTool({ name, arguments: args })) as AnyResult);
    } finally {
      await client.close();
    }
  });
});

describe("the package's LangChain door", () => {
  it("starts the server by itself", async () => {
    const { tools, close } = await langChainTools({ env: { PREFLEXOR_HOME: home } });
    expect(tools.map(({ name }) => name)).toEqual(TOOL_NAMES);
    await close();
  });
});

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly code: number | null;
}

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    cwd: "/",
    env: { PATH: process.env["PATH"], PREFLEXOR_HOME: home, ...env },
  });
}

function ended(child: ChildProcess): Promise<Ended> {
  const text = { out: "", err: "" };
  child.stdout?.on("data", (chunk) => {
    text.out += String(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    text.err += String(chunk);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ ...text, code })));
}

const message = (id: number, method: string, params: object): string =>
  `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
const INITIALIZE = message(1, "initialize", {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "test", version: "1" },
});

describe("the process", () => {
  it("writes nothing but protocol messages to stdout, and ends with its store when stdin closes", async () => {
    const child = start([]);
    const end = ended(child);
    const ingest = { name: "ingest-corpus", arguments: { path: join(home, "nacre.md") } };
    child.stdin?.write(INITIALIZE + message(2, "tools/call", ingest));
    await new Promise<void>((resolve) =>
      child.stdout?.on("data", (chunk) => String(chunk).includes('"id":2') && resolve()),
    );
    child.stdin?.end();
    const { out, code } = await end;
    expect(code).toBe(0);
    for (const line of out.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
    expect(await processesNaming(home)).toEqual([]);
  });

  it("keeps everything below PREFLEXOR_HOME", async () => {
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StdioClientTransport(server));
    await client.callTool({ name: "ingest-corpus", arguments: { path: join(home, "nacre.md") } });
    await client.close();
    expect(await readdir(home)).toEqual(expect.arrayContaining(["active-corpus.json", "corpora"]));
    // Another process goes on with the same corpus.
    const again = new Client({ name: "test", version: "1" });
    await again.connect(new StdioClientTransport(server));
    expect(await again.callTool({ name: "retrieve-context", arguments: { query: "nacre", k: 1 } })).toMatchObject({
      structuredContent: { passages: [{ source: "nacre.md" }] },
    });
    await again.close();
  });

  it("names all bad settings on stderr and ends with exit code 1", async () => {
    const { out, err, code } = await ended(start([], { PREFLEXOR_THREADS: "many", PREFLEXOR_CHROMA_URL: "here" }));
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toContain("PREFLEXOR_THREADS: expected");
    expect(err).toContain("PREFLEXOR_CHROMA_URL: expected");
  });

  it("answers an unknown command on stderr with exit code 1", async () => {
    const { out, err, code } = await ended(start(["sreve"]));
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toContain("Did you mean serve?");
  });

  it("ends the demo with one message and exit code 1 where the model directory is missing", async () => {
    const { out, err, code } = await ended(start(["demo", "--json", "--model", join(home, "no-model")]));
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err.match(/^error: .*$/gm)).toEqual([expect.stringMatching(/no directory .*no-model/)]);
    expect(err).toMatch(/PREFLEXOR_MODEL \(demo: --model\)/);
    expect(err).not.toMatch(/\n\s+at /);
    expect(await readdir(home)).toEqual(["nacre.md"]);
    expect(await processesNaming(home)).toEqual([]);
  });

  it("ends the demo with one message and exit code 1 where the corpus has no text", async () => {
    const empty = await mkdtemp(join(tmpdir(), "preflexor-empty-"));
    const { out, err, code } = await ended(start(["demo", "--json", "--corpus", empty]));
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err.match(/^error: .*$/gm)).toEqual([expect.stringContaining("no readable file")]);
  });
});

/** Command lines that name a path; only where the system tells (Linux). A process that is ending gets a moment. */
async function processesNaming(path: string): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    const found = lines.filter((line) => line.includes(path));
    if (found.length === 0 || attempt === 20) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
