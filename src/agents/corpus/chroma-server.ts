/** @file One Chroma server per data folder, shared by the stores of this process and, by a lock file, of others. */

import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ChromaStartError, LOOPBACK, probe, type StartOptions, startChromaProcess } from "./chroma-process.js";

/** A server in use. It runs until the last user in the process that started it has released it. */
export interface ChromaServer {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly pid: number;
  release(): Promise<void>;
}

interface Running {
  readonly port: number;
  readonly version: string;
  readonly pid: number;
  /** Nothing to do where another process owns the server. */
  readonly stop: () => Promise<void>;
  users: number;
}

/** Beside the server's own folder, which is Chroma's alone. */
const LOCK_FILE = "chroma-server.json";
const SERVER_FOLDER = "chroma";
/** Longer than a start and a stop together. */
const LOCK_TIMEOUT_MS = 45_000;
const POLL_MS = 60;

const lockSchema = z.object({
  token: z.string(),
  ownerPid: z.number().int(),
  /** Present once the server answers. */
  server: z.object({ pid: z.number().int(), port: z.number().int() }).optional(),
});
type Lock = z.infer<typeof lockSchema>;

const running = new Map<string, Promise<Running>>();
const stopping = new Map<string, Promise<void>>();

/** Reuses the folder's server if one answers, else starts one. Throws ChromaStartError. */
export async function acquireChromaServer(dataDir: string, options: StartOptions = {}): Promise<ChromaServer> {
  await mkdir(dataDir, { recursive: true });
  const folder = await realpath(dataDir);
  for (;;) {
    await stopping.get(folder);
    const known = running.get(folder) ?? remember(folder, openServer(folder, options));
    const server = await known;
    if (running.get(folder) !== known) continue;
    server.users++;
    if (typeof (await probe(addressOf(server.port))) === "object") return handle(folder, known, server);
    server.users--;
    if (running.get(folder) === known) running.delete(folder);
    await server.stop();
  }
}

function remember(folder: string, opening: Promise<Running>): Promise<Running> {
  running.set(folder, opening);
  opening.catch(() => {
    if (running.get(folder) === opening) running.delete(folder);
  });
  return opening;
}

function handle(folder: string, known: Promise<Running>, server: Running): ChromaServer {
  let released = false;
  const { port, version, pid } = server;
  const release = async () => {
    if (released) return;
    released = true;
    if (--server.users > 0) return;
    if (running.get(folder) === known) running.delete(folder);
    const stopped = server.stop().finally(() => stopping.delete(folder));
    stopping.set(folder, stopped);
    await stopped;
  };
  return { host: LOOPBACK, port, version, pid, release };
}

async function openServer(folder: string, options: StartOptions): Promise<Running> {
  const path = join(folder, LOCK_FILE);
  const token = randomBytes(8).toString("hex");
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  let unreadableSince = 0;
  while (Date.now() < deadline) {
    if (await takeLock(path, { token, ownerPid: process.pid })) return startOwned(folder, path, token, options);
    const lock = await readLock(path);
    if (lock === "none") continue;
    if (lock === "unreadable") {
      // Perhaps being written right now; after a second it is not.
      unreadableSince ||= Date.now();
      if (Date.now() - unreadableSince > 1000) await rm(path, { force: true });
    } else {
      const answer = lock.server ? await probe(addressOf(lock.server.port)) : "silent";
      if (lock.server && typeof answer === "object" && isAlive(lock.server.pid)) {
        return { ...lock.server, version: answer.version, stop: async () => undefined, users: 0 };
      }
      if (isStale(lock, answer)) await removeStale(path, lock.token, token);
    }
    await sleep(POLL_MS);
  }
  const lock = await readLock(path);
  const who = typeof lock === "object" ? ` (process ${lock.server?.pid ?? lock.ownerPid})` : "";
  throw new ChromaStartError("timeout", `another process${who} holds ${path} but its Chroma does not answer: end it`);
}

async function startOwned(folder: string, lockPath: string, token: string, options: StartOptions): Promise<Running> {
  const unlock = async () => {
    const lock = await readLock(lockPath);
    if (typeof lock === "object" && lock.token === token) await rm(lockPath, { force: true });
  };
  try {
    const child = await startChromaProcess(join(folder, SERVER_FOLDER), options);
    const staged = `${lockPath}.${token}.tmp`;
    const lock: Lock = { token, ownerPid: process.pid, server: { pid: child.pid, port: child.port } };
    await writeFile(staged, JSON.stringify(lock));
    await rename(staged, lockPath);
    const stop = () => child.stop().finally(unlock);
    return { port: child.port, pid: child.pid, version: child.version, stop, users: 0 };
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function takeLock(path: string, lock: Lock): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(lock), { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function readLock(path: string): Promise<Lock | "none" | "unreadable"> {
  try {
    return lockSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? "none" : "unreadable";
  }
}

/** Whoever started it is gone before it answered, or the server itself is gone (not merely busy, or ending). */
function isStale(lock: Lock, answer: "refused" | "silent" | object): boolean {
  if (!lock.server) return !isAlive(lock.ownerPid);
  return !isAlive(lock.server.pid) || (answer === "refused" && !isAlive(lock.ownerPid));
}

/** By way of a rename, so that a lock which somebody took in the meantime is seen and put back. */
async function removeStale(path: string, staleToken: string, myToken: string): Promise<void> {
  const aside = `${path}.${myToken}.stale`;
  try {
    await rename(path, aside);
    const lock = await readLock(aside);
    if (typeof lock === "object" && lock.token !== staleToken) await link(aside, path);
  } catch {
    // Another process was faster; the next round sees what it left.
  } finally {
    await rm(aside, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const addressOf = (port: number) => `http://${LOOPBACK}:${port}`;
