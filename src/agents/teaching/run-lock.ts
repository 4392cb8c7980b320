/** @file One process at a time on a run: a lock file that says whose it is, and is nobody's when that process is gone. */
import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";

export const LOCK_FILE = "run.lock";

export const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When that process began, in the system's own words: a later process of the same number has other ones. */
  started: z.string().nullable(),
  /** When the lock was taken (ISO). */
  since: z.string(),
});

export type LockHolder = z.infer<typeof holderSchema>;

/** Gives the run back. */
export type ReleaseRun = () => Promise<void>;

const FRESHEN_MS = 30_000;
/** Processes of another machine (or container) cannot be looked at: their lock is nobody's when it was not freshened for so long. */
const STALE_MS = 5 * 60_000;
/** Others may take or give back the lock while we look. */
const MOST_TRIES = 5;

/** Takes the run for this process. Throws where another one, or another part of this one, has it. */
export async function lockRun(directory: string): Promise<ReleaseRun> {
  const file = join(directory, LOCK_FILE);
  const holder = await thisProcess();
  const mine = `${JSON.stringify(holder)}\n`;
  for (let i = 0; i < MOST_TRIES; i++) {
    if (await tryCreate(file, mine)) return keepFresh(file, mine);
    const found = await readLock(file);
    if (found === undefined) continue;
    if (!(await isStale(found))) throw new Error(inUse(directory, found.holder));
    await takeAway(file, found.text);
  }
  throw new Error(`${file} cannot be taken: other processes take it, or it is no file; remove it where no run goes on`);
}

/** This process as a holder. */
export async function thisProcess(): Promise<LockHolder> {
  const started = (await processFacts(process.pid)).started ?? null;
  return { pid: process.pid, host: hostname(), started, since: new Date().toISOString() };
}

/** Whether the process of what it holds is gone. `freshMs`: since it last said that it is there. */
export const isHolderGone = (holder: LockHolder, freshMs: number): Promise<boolean> =>
  isStale({ text: "", holder, freshMs });

/** Who has the run; undefined where nobody has, who had it is gone, or the lock is only being written. */
export async function lockHolder(directory: string): Promise<LockHolder | undefined> {
  const found = await readLock(join(directory, LOCK_FILE));
  return found === undefined || (await isStale(found)) ? undefined : found.holder;
}

/** The refusal that names the holder. */
export function inUse(directory: string, holder: LockHolder | undefined): string {
  if (holder === undefined) return `${directory} is in use: its ${LOCK_FILE} is being written; try again`;
  const where = holder.host === hostname() ? "" : ` on ${holder.host}`;
  return `${directory} is in use by process ${holder.pid}${where}, since ${holder.since}: wait for it or stop it (where it is no preflexor, remove ${LOCK_FILE})`;
}

async function tryCreate(file: string, text: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function keepFresh(file: string, mine: string): ReleaseRun {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, FRESHEN_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    if ((await readFile(file, "utf8").catch(() => "")) === mine) await rm(file, { force: true });
  };
}

interface FoundLock {
  readonly text: string;
  /** Undefined where it is being written, or damaged. */
  readonly holder: LockHolder | undefined;
  readonly freshMs: number;
}

async function readLock(file: string): Promise<FoundLock | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, "utf8"), stat(file)]);
    return { text, holder: parseHolder(text), freshMs: mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function isStale({ holder, freshMs }: FoundLock): Promise<boolean> {
  if (holder === undefined || holder.host !== hostname()) return Date.now() - freshMs > STALE_MS;
  if (!isRunning(holder.pid)) return true;
  const { started, ended } = await processFacts(holder.pid);
  if (ended) return true;
  return holder.started !== null && started !== undefined && holder.started !== started;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

interface ProcessFacts {
  /** Of this boot, in clock ticks; undefined on systems without proc(5), where a number alone has to do. */
  readonly started?: string;
  /** It has ended, and only waits for a parent that may never ask how. */
  readonly ended: boolean;
}

async function processFacts(pid: number): Promise<ProcessFacts> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    // Fields 3 and 22, counted behind the command, which may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields[19];
    return {
      ended: fields[0] === "Z" || fields[0] === "X",
      ...(ticks !== undefined && { started: `${boot.trim()}/${ticks}` }),
    };
  } catch {
    return { ended: false };
  }
}

/** Moves a stale lock aside. What was moved may be a new one that came between look and move: that goes back. */
async function takeAway(file: string, stale: string): Promise<void> {
  const aside = `${file}.${randomBytes(4).toString("hex")}`;
  await rename(file, aside).catch(() => undefined);
  const moved = await readFile(aside, "utf8").catch(() => stale);
  if (moved !== stale) await tryCreate(file, moved);
  await rm(aside, { force: true });
}
