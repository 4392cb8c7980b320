/** @file One process at a time: a lock file that says whose it is, is kept fresh, and does not outlive its owner for long. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const FRESHEN_MS = 5000;
/** A lock that nobody has freshened for this long is nobody's. */
const STALE_MS = 60_000;
const POLL_MS = 200;

/** Runs `work` while holding the lock `file`; waits for whoever holds it. */
export async function withLock<T>(file: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), token: randomBytes(8).toString("hex") });
  await mkdir(dirname(file), { recursive: true });
  while (!(await tryCreate(file, mine))) {
    signal?.throwIfAborted();
    if (await isStale(file)) await takeAway(file);
    else await sleep(POLL_MS, undefined, { ...(signal && { signal }) });
  }
  const freshen = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, FRESHEN_MS);
  freshen.unref();
  try {
    return await work();
  } finally {
    clearInterval(freshen);
    if ((await readFile(file, "utf8").catch(() => "")) === mine) await rm(file, { force: true });
  }
}

async function tryCreate(file: string, content: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(content);
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(file: string): Promise<boolean> {
  const [text, info] = await Promise.all([
    readFile(file, "utf8").catch(() => undefined),
    stat(file).catch(() => undefined),
  ]);
  if (text === undefined || info === undefined) return false;
  if (Date.now() - info.mtimeMs > STALE_MS) return true;
  try {
    const { pid, host } = JSON.parse(text) as { pid?: unknown; host?: unknown };
    return host === hostname() && typeof pid === "number" && !isRunning(pid);
  } catch {
    // Just being written.
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Of several who see the same stale lock, one renames it away; the others find it gone and try again. */
async function takeAway(file: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString("hex")}`;
  await rename(file, aside).catch(() => undefined);
  await rm(aside, { force: true });
}
