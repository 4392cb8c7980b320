/** @file The run directory of a demo: what was asked for, and how to go on. How far it came is the loop's own state. */
import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { createRunDirectory, openRunDirectory } from "../agents/index.js";
import { openRunFolder, type RunFolder } from "../tools/index.js";
import { ownCommand, shellWord } from "./own-command.js";

/** What a run was started with; a resumed run takes all of it from here. */
export const requestSchema = z.object({
  seed: z.number(),
  model: z.string(),
  corpus: z.string().nullable(),
  rounds: z.number(),
  pairs: z.number(),
});
export type DemoRequest = z.infer<typeof requestSchema>;

export interface DemoRun {
  readonly folder: RunFolder;
  readonly request: DemoRequest;
}

export async function startRun(home: string, request: DemoRequest, created = new Date()): Promise<DemoRun> {
  const { path } = await createRunDirectory(home, { kind: "demo", request, created });
  return { folder: await openRunFolder(path), request };
}

/** Opens a run to go on with it; what lies behind its last finished stage is made again. */
export async function resumeRun(directory: string): Promise<DemoRun> {
  const { path, kind, version, request } = await openRunDirectory(directory);
  if (kind !== "demo") throw new Error(`${path} is a run of ${kind}, which the demo cannot go on with`);
  if (version === 0) throw new Error(`${path} is of an earlier version of the demo: start a new run`);
  const known = requestSchema.safeParse(request);
  if (!known.success) throw new Error(`${path} has a damaged request: start a new run`, { cause: known.error });
  return { folder: await openRunFolder(path), request: known.data };
}

/** The home that a run directory lies in, where it lies in one: `<home>/runs/<run>`. */
export function homeOf(directory: string): string | undefined {
  const runs = dirname(resolve(directory));
  return basename(runs) === "runs" ? dirname(runs) : undefined;
}

/** There whatever came of the run; failures are told as it ends. */
const OF_EVERY_RUN =
  /^(?:run\.json|run\.lock|state\.json|activity\.json|outcome\.json|question-graph-\d+\.json|failures\.jsonl)$/;

/** Removes a run directory that holds no pair, no measurement and no checkpoint; says whether it did. */
export async function discardIfEmpty(directory: string): Promise<boolean> {
  const others = (await readdir(directory, { withFileTypes: true })).filter(({ name }) => !OF_EVERY_RUN.test(name));
  for (const entry of others) {
    if (entry.isDirectory() || (await stat(join(directory, entry.name))).size > 0) return false;
  }
  await rm(directory, { recursive: true });
  return true;
}

const isFilled = (file: string): Promise<boolean> =>
  stat(file).then(
    ({ size }) => size > 0,
    () => false,
  );

/** What the user can do with a run that came to an early end. */
export async function howToGoOn(folder: RunFolder, ended: string, command = ownCommand()): Promise<string> {
  const { directory, pairsFile } = folder;
  const checkpoint = await folder.latestCheckpoint();
  return [
    `${ended}; the run is kept.`,
    `  go on          ${command} demo --resume ${shellWord(directory)}`,
    ...((await isFilled(pairsFile)) ? [`  pairs so far   ${pairsFile}`] : []),
    ...(checkpoint === undefined ? [] : [`  checkpoint     ${checkpoint}`]),
  ].join("\n");
}

/** Name of the collection that holds exactly these documents, so that a run never sees passages of another corpus. */
export function snapshotName(documents: readonly { readonly source: string; readonly text: string }[]): string {
  const hash = createHash("sha256");
  for (const { source, text } of documents) hash.update(source).update("\0").update(text).update("\0");
  return `snapshot-${hash.digest("hex").slice(0, 16)}`;
}
