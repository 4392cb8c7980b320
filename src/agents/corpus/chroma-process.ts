/** @file One Chroma server as a child process: started on a free port, awaited, and never left behind. */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";

export const LOOPBACK = "127.0.0.1";

/**
 * - native-library: the binary for this platform is there but cannot be loaded (e.g. the C library is too old)
 * - not-installed: the package or its binary for this platform is missing
 * - timeout: no heartbeat in time
 * - exited: it ended for another reason; the message carries what it printed
 */
export type ChromaStartReason = "native-library" | "not-installed" | "timeout" | "exited";

export class ChromaStartError extends Error {
  override readonly name = "ChromaStartError";
  readonly reason: ChromaStartReason;

  constructor(reason: ChromaStartReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface ChromaProcess {
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** SIGINT, then SIGKILL after a grace time; resolves when the process is gone. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The script to run instead of Chroma's; for tests. */
  readonly bin?: string;
  readonly timeoutMs?: number;
}

/** It starts in a fraction of a second; a cold disk has 400 MB of binary to read first. */
const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 3000;
const POLL_MS = 40;
const STDERR_KEPT = 4000;

/** Starts `chroma run` over `folder`. Throws ChromaStartError. */
export async function startChromaProcess(folder: string, options: StartOptions = {}): Promise<ChromaProcess> {
  const { timeoutMs = START_TIMEOUT_MS } = options;
  const bin = options.bin ?? chromaBin();
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const watchdog = new URL("./chroma-watchdog.js", import.meta.url).href;
  const args = ["--import", watchdog, bin, "run", "--path", folder, "--host", LOOPBACK, "--port", String(port)];
  const child = spawn(process.execPath, args, {
    // stdin is what the watchdog waits on. A group of its own: Ctrl-C at a terminal must not end it before its clients.
    stdio: ["pipe", "ignore", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  const stderr = keepTail(child);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  void ended.then(() => process.removeListener("exit", kill));
  letParentExit(child);

  const stop = () => stopChild(child, ended);
  try {
    const version = await awaitHeartbeat(child, port, timeoutMs, stderr);
    return { port, pid: child.pid ?? -1, version, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The server's version if one answers at this address, "refused" if nothing listens, "silent" otherwise. */
export async function probe(url: string, timeoutMs = 2000): Promise<{ version: string } | "refused" | "silent"> {
  try {
    const get = (path: string) => fetch(new URL(path, url), { signal: AbortSignal.timeout(timeoutMs) });
    const heartbeat: unknown = await (await get("/api/v2/heartbeat")).json();
    if (typeof heartbeat !== "object" || heartbeat === null || !("nanosecond heartbeat" in heartbeat)) return "silent";
    return { version: String(await (await get("/api/v2/version")).json()) };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED" ? "refused" : "silent";
  }
}

/** The script behind the package's `chroma` command. Its exports name neither it nor package.json, so: beside the entry. */
function chromaBin(): string {
  let entry = "";
  try {
    entry = createRequire(import.meta.url).resolve("chromadb"); // …/dist/cjs/chromadb.cjs
  } catch {
    throw new ChromaStartError("not-installed", "the package chromadb is not installed: run npm ci");
  }
  const bin = join(dirname(entry), "..", "cli.mjs");
  if (!existsSync(bin)) throw new ChromaStartError("not-installed", `the package chromadb has no command at ${bin}`);
  return bin;
}

async function awaitHeartbeat(
  child: ChildProcess,
  port: number,
  timeoutMs: number,
  stderr: () => string,
): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  while (Date.now() < deadline) {
    if (failure || child.exitCode !== null || child.signalCode !== null) throw startError(failure?.message ?? stderr());
    const answer = await probe(`http://${LOOPBACK}:${port}`);
    // Checked again: another program may have taken the port while this child failed.
    if (typeof answer === "object" && child.exitCode === null) return answer.version;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new ChromaStartError("timeout", `Chroma gave no heartbeat within ${timeoutMs} ms`);
}

function startError(output: string): ChromaStartError {
  const said = output.trim().split("\n").slice(-12).join("\n");
  if (/ERR_DLOPEN_FAILED/.test(output)) {
    const why = /Error: (.*)/.exec(output)?.[1] ?? "the library was refused";
    return new ChromaStartError("native-library", `Chroma's binary cannot be loaded on this system: ${why}`);
  }
  if (/MODULE_NOT_FOUND|Unsupported (?:architecture|platform|Windows)/.test(output)) {
    const why = /Error: (.*)/.exec(output)?.[1] ?? "a module was not found";
    return new ChromaStartError(
      "not-installed",
      `Chroma's binary for ${process.platform} ${process.arch} is missing: ${why}`,
    );
  }
  return new ChromaStartError("exited", `Chroma ended while starting: ${said || "it printed nothing"}`);
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.pid === undefined) return;
  child.ref();
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
  await ended.finally(() => clearTimeout(timer));
}

function keepTail(child: ChildProcess): () => string {
  let tail = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-STDERR_KEPT);
  });
  child.stdin?.on("error", () => undefined);
  return () => tail;
}

/** A program that forgets to close its store must still be able to end; "exit" then kills the server. */
function letParentExit(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) {
    if (stream && "unref" in stream && typeof stream.unref === "function") stream.unref();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, LOOPBACK, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("internal: no port"));
      });
    });
  });
}
