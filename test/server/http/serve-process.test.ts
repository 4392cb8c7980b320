/** @file The real binary over HTTP and stdio: what it says, how it ends, what it refuses, and the Inspector's CLI as its client. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { HEADERS, post, session, toolCall } from "./running.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));
const INSPECTOR = fileURLToPath(new URL("../../../node_modules/.bin/mcp-inspector", import.meta.url));
const TOKEN = "correct-horse-battery-staple";

let home: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-serve-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly out: string; readonly err: string; readonly code: number | null }>;
}

function start(args: readonly string[], env: Record<string, string> = {}): Process {
  const child = spawn(process.execPath, [MAIN, "serve", ...args], {
    cwd: "/",
    env: { PATH: process.env["PATH"], PREFLEXOR_HOME: home, ...env },
  });
  children.push(child);
  const text = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    text.out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    text.err += String(chunk);
  });
  return { child, ended: new Promise((resolve) => child.once("close", (code) => resolve({ ...text, code }))) };
}

async function listening(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Process & { readonly mcp: URL }> {
  const started = start(["--http", "--port", "0", "--json", ...args], env);
  const lines = createInterface({ input: started.child.stdout as NodeJS.ReadableStream });
  const first = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    void started.ended.then(({ err }) => reject(new Error(err)));
  });
  return { ...started, mcp: new URL((JSON.parse(first) as { url: string }).url) };
}

describe("serve --http", () => {
  it("logs JSON lines without a secret, one a call, and ends at SIGTERM with all it holds", async () => {
    const file = join(home, "token");
    await writeFile(file, `${TOKEN}\n`);
    const { child, ended, mcp } = await listening(["--token-file", file, "--log-level", "debug"], {
      SOME_API_KEY: "sk-not-for-logs",
    });
    const own = await session(mcp, { authorization: `Bearer ${TOKEN}` });
    await (await post(mcp, toolCall(1, "retrieve-context", { query: "sk-not-for-logs" }), own)).text();
    expect((await post(mcp, toolCall(1, "retrieve-context"))).status).toBe(401);
    const stream = await fetch(mcp, { headers: { ...HEADERS, ...own } });
    const streamEnd = stream.text().catch(() => "cut");
    child.kill("SIGTERM");
    const { out, err, code } = await ended;
    await streamEnd;
    expect(code).toBe(143);
    expect(out.trim().split("\n")).toHaveLength(1);
    const lines = err
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ msg }) => msg)).toEqual([
      "listening",
      "session opened",
      "tools/call",
      "stopping",
      "session closed",
      "stopped",
    ]);
    expect(lines[2]).toMatchObject({
      tool: "retrieve-context",
      era: "2025-11-25",
      transport: "http",
      outcome: "error",
    });
    for (const secret of [TOKEN, "sk-not-for-logs"]) expect(err).not.toContain(secret);
    await expect(post(mcp, toolCall(1, "retrieve-context"))).rejects.toThrow();
  });
});

interface Inspected {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The Inspector as a client from outside. Its own settings lie in the test's home. */
function inspect(target: readonly string[], args: readonly string[]): Promise<Inspected> {
  return new Promise((resolve) => {
    const env = { ...process.env, HOME: home, PREFLEXOR_HOME: home };
    execFile(INSPECTOR, ["--cli", ...target, ...args], { env, cwd: home }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describe("the Inspector", () => {
  const LIST = ["--method", "tools/list", "--strict"];
  const CALL = ["--method", "tools/call", "--tool-name", "retrieve-context", "--tool-arg", "query=nacre"];

  it("finds no problem in the tools, and calls one, over both transports and in both eras", async () => {
    const { mcp } = await listening();
    const http = [mcp.href, "--transport", "http"];
    const stdio = [process.execPath, MAIN, "serve", "-e", `PREFLEXOR_HOME=${home}`];
    const seen = await Promise.all([
      inspect(http, [...LIST, "--protocol-era", "legacy"]),
      inspect(http, [...LIST, "--protocol-era", "modern"]),
      inspect(stdio, [...LIST, "--protocol-era", "modern"]),
    ]);
    const lists = seen.map(({ code, out, err }) => {
      expect({ code, err }).toEqual({
        code: 0,
        err: expect.not.stringMatching(/Warning|Error/),
      });
      const { tools } = JSON.parse(out) as { tools: { name: string; inputSchema: object; outputSchema?: object }[] };
      // How a tool may be a task is said in 2025's own way.
      return tools.map(({ name, inputSchema, outputSchema }) => ({ name, inputSchema, outputSchema }));
    });
    // The same list, whatever it came over.
    expect(lists[0]?.map(({ name }) => name)).toContain("retrieve-context");
    for (const list of lists) expect(list).toEqual(lists[0]);
    const calls = await Promise.all([
      inspect(http, [...CALL, "--protocol-era", "modern"]),
      inspect(stdio, [...CALL, "--protocol-era", "legacy"]),
    ]);
    for (const { out } of calls) expect(out).toContain("call ingest-corpus first");
  });
});
