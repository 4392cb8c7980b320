/** @file Run directories: what makes a folder a run, how one is made and opened, and how a whole run is removed. */
import {
  access,
  constants,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { inUse, LOCK_FILE, lockHolder, lockRun } from "./run-lock.js";

export const RUN_FILE = "run.json";
const FORMAT = "preflexor-run";
const VERSION = 1;

export const RUN_KINDS = ["teach", "demo", "tools"] as const;
export type RunKind = (typeof RUN_KINDS)[number];

export interface RunDirectory {
  /** Absolute. */
  readonly path: string;
  /** The last part of the path. */
  readonly name: string;
  /** 0: written before run directories had a version. */
  readonly version: number;
  readonly kind: RunKind;
  /** ISO time. */
  readonly created: string;
  /** What the run was asked for, as its kind has it; empty for runs of the tools that have no version. */
  readonly request: Readonly<Record<string, unknown>>;
}

/** Why a directory cannot be opened as a run; listing and removal act on it. */
export class RunDirectoryError extends Error {
  override readonly name = "RunDirectoryError";

  constructor(
    readonly reason: "missing" | "not-a-run" | "damaged" | "newer",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const formatSchema = z.object({ format: z.literal(FORMAT), version: z.number().int() });
const runSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  kind: z.enum(RUN_KINDS),
  created: z.iso.datetime(),
  request: z.record(z.string(), z.unknown()),
});
/** What the demo wrote before there was a format. */
const demoSchema = z.object({
  seed: z.number(),
  model: z.string(),
  corpus: z.string().nullable(),
  rounds: z.number(),
  pairs: z.number(),
});

export const runsFolder = (home: string): string => join(resolve(home), "runs");

/** `name` alone is a run below the home; with a separator in it, a path. */
export function runPath(home: string, nameOrPath: string): string {
  return /[\\/]/.test(nameOrPath) || /^\.{1,2}$/.test(nameOrPath)
    ? resolve(nameOrPath)
    : join(runsFolder(home), nameOrPath);
}

export interface NewRun {
  readonly kind: RunKind;
  readonly request: Readonly<Record<string, unknown>>;
  /** This folder, new or empty, in place of one with a name of its own. */
  readonly at?: string;
  /** Default: now. */
  readonly created?: Date;
}

/** Makes `<home>/runs/<kind>-<time>`, with a number behind it where that is taken, and its run.json. */
export async function createRunDirectory(home: string, run: NewRun): Promise<RunDirectory> {
  const { kind, request, at, created = new Date() } = run;
  const content = { format: FORMAT, version: VERSION, kind, created: created.toISOString(), request };
  const time = content.created.slice(0, 19).replaceAll(":", "-");
  try {
    const path = at === undefined ? await makeUnused(join(runsFolder(home), `${kind}-${time}`)) : await makeEmpty(at);
    const staging = join(path, `${RUN_FILE}.tmp`);
    await writeFile(staging, `${JSON.stringify(content, null, 2)}\n`);
    await rename(staging, join(path, RUN_FILE));
    return { path, name: basename(path), version: VERSION, kind, created: content.created, request };
  } catch (cause) {
    if (at !== undefined) throw cause;
    throw new Error(`runs cannot be kept in ${home}: give a folder that can be written, --home or PREFLEXOR_HOME`, {
      cause,
    });
  }
}

async function makeEmpty(directory: string): Promise<string> {
  const path = resolve(directory);
  await mkdir(path, { recursive: true });
  if ((await readdir(path)).length > 0)
    throw new Error(`${path} is not empty: give an empty folder, or go on with the run that is there`);
  return path;
}

async function makeUnused(base: string): Promise<string> {
  await mkdir(dirname(base), { recursive: true });
  for (let i = 1; ; i++) {
    const path = i === 1 ? base : `${base}-${i}`;
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** Reads what a run is. Throws {@link RunDirectoryError} where the directory is none that this version knows. */
export async function openRunDirectory(directory: string): Promise<RunDirectory> {
  const path = resolve(directory);
  const name = basename(path);
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() !== true) {
    throw new RunDirectoryError("missing", `there is no run ${path}: preflexor runs list names those that there are`);
  }
  const file = join(path, RUN_FILE);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new RunDirectoryError("damaged", `${file} cannot be read: ${error.message}`, { cause: error });
  });
  const named = timeOfName(name) ?? info.birthtime.toISOString();
  if (text !== undefined) return { path, name, ...parseRun(text, file, named) };
  const [, kind] = /^(teach|demo|tools)-\d{4}-\d\d-\d\dT/.exec(name) ?? [];
  // The tools of the MCP server wrote no run.json; their folders are known by name.
  if (kind === "tools") return { path, name, version: 0, kind, created: named, request: {} };
  if (kind !== undefined) throw damaged(file, "it is not there; the run was cut off while it was made");
  throw new RunDirectoryError("not-a-run", `${path} is no run: it has no ${RUN_FILE}`);
}

function parseRun(text: string, file: string, named: string): Omit<RunDirectory, "path" | "name"> {
  const json = parseJson(text, file);
  const format = formatSchema.safeParse(json);
  if (format.success && format.data.version > VERSION) {
    throw new RunDirectoryError(
      "newer",
      `${dirname(file)} was made by a newer version: its format is ${format.data.version}, this one knows up to ${VERSION}; update preflexor`,
    );
  }
  if (format.success) {
    const run = runSchema.safeParse(json);
    if (!run.success) throw damaged(file, z.prettifyError(run.error).replace(/\s+/g, " "));
    const { version, kind, created, request } = run.data;
    return { version, kind, created, request };
  }
  const demo = demoSchema.safeParse(json);
  if (demo.success) return { version: 0, kind: "demo", created: named, request: demo.data };
  throw new RunDirectoryError("not-a-run", `${file} is not the ${RUN_FILE} of a run: expected "format": "${FORMAT}"`);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(file, (cause as Error).message, cause);
  }
}

const damaged = (file: string, reason: string, cause?: unknown): RunDirectoryError =>
  new RunDirectoryError("damaged", `${file} is damaged: ${reason}`, { cause });

/** "2026-03-01T10-20-30-seed7" and "tools-2026-03-01T10-20-30" say when they were made. */
function timeOfName(name: string): string | undefined {
  const [, date, hours, minutes, seconds] = /(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)/.exec(name) ?? [];
  const time = new Date(`${date}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Names below `<home>/runs`, sorted; whatever is no folder is left out, links are not. None where there is no such folder. */
export async function runNames(home: string): Promise<string[]> {
  const entries = await readdir(runsFolder(home), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
  return folders.map(({ name }) => name).sort();
}

export interface RemoveOptions {
  readonly home: string;
}

/**
 * Removes a whole run: a folder in `<home>/runs`, or one elsewhere whose run.json is that of a run. Refuses one that is in
 * use, a link, and what is no run. Links inside are removed, what they lead to stays. run.json goes last, so that what an
 * error leaves is still a run that can be removed.
 */
export async function removeRun(directory: string, options: RemoveOptions): Promise<void> {
  const path = resolve(directory);
  const problem = await removalProblem(path, options);
  if (problem !== undefined) throw new Error(problem);
  const release = await lockRun(path);
  try {
    const last = [RUN_FILE, LOCK_FILE];
    for (const name of await readdir(path)) {
      if (!last.includes(name)) await rm(join(path, name), { recursive: true, force: true });
    }
    for (const name of last) await rm(join(path, name), { force: true });
    await rmdir(path);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new Error(`${path} is not removed as a whole: ${reason}; remove it again when that is mended`, { cause });
  } finally {
    await release();
  }
}

/** Why a folder may not or cannot be removed as a run; undefined where it can. Changes nothing. */
export async function removalProblem(directory: string, { home }: RemoveOptions): Promise<string | undefined> {
  const path = resolve(directory);
  const info = await lstat(path).catch(() => undefined);
  if (info?.isSymbolicLink()) {
    return `${path} is a link, which is not followed: remove the link yourself, or name the folder it leads to`;
  }
  const problem = await placeProblem(path, home);
  if (problem !== undefined) return problem;
  const holder = await lockHolder(path);
  if (holder !== undefined) return inUse(path, holder);
  for (const folder of [path, dirname(path)]) {
    const refusal = await access(folder, constants.W_OK).catch((error: Error) => error);
    if (refusal !== undefined) return `${path} cannot be removed: ${refusal.message}`;
  }
  return undefined;
}

/** In the folder of runs also what cannot be read may go, as long as it was a run; elsewhere its run.json has to say so. */
async function placeProblem(path: string, home: string): Promise<string | undefined> {
  const runs = runsFolder(home);
  const [place, expected] = await Promise.all([dirname(path), runs].map((one) => realpath(one).catch(() => one)));
  const inside = place === expected;
  const run = await openRunDirectory(path).catch((error: unknown) => error as RunDirectoryError);
  if (run instanceof Error)
    return inside && (run.reason === "damaged" || run.reason === "newer") ? undefined : run.message;
  if (inside) return undefined;
  const file = await stat(join(path, RUN_FILE)).catch(() => undefined);
  if (file === undefined) return `${path} has no ${RUN_FILE} and does not lie in ${runs}: remove it yourself`;
  const real = await realpath(path);
  const around = [resolve(home), process.cwd()].find((other) => isWithin(other, real));
  return around === undefined ? undefined : `${path} is not removed: ${around} lies in it`;
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
