/** @file The run directory of a demo: what was asked for, how far it came, and how to go on. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { openRunFolder, type RunFolder, writeWhole } from "../tools/index.js";
import { timeName } from "./current-run.js";

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

const REQUEST = "run.json";

export async function startRun(home: string, request: DemoRequest, now = new Date()): Promise<DemoRun> {
  const base = join(home, "runs", `${timeName(now)}-seed${request.seed}`);
  let directory = base;
  for (let i = 2; existsSync(directory); i++) directory = `${base}-${i}`;
  const folder = await openRunFolder(directory).catch((cause: unknown) => {
    throw new Error(`runs cannot be kept in ${home}: give a folder that can be written, --home or PREFLEXOR_HOME`, {
      cause,
    });
  });
  await writeWhole(join(directory, REQUEST), `${JSON.stringify(request, null, 2)}\n`);
  return { folder, request };
}

/** Opens a run to go on with it; what lies behind its last finished stage is made again. */
export async function resumeRun(directory: string): Promise<DemoRun> {
  const requestText = await readFile(join(directory, REQUEST), "utf8").catch(() => undefined);
  if (requestText === undefined) {
    throw new Error(
      `${directory} is no run of the demo (it has no ${REQUEST}): give a directory below the runs folder, as the demo printed it`,
    );
  }
  const request = parse(requestSchema, requestText, join(directory, REQUEST));
  return { folder: await openRunFolder(directory), request };
}

function parse<T>(schema: z.ZodType<T>, text: string, file: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} is damaged: start a new run`, { cause });
  }
}

/** The home that a run directory lies in, where it lies in one: `<home>/runs/<run>`. */
export function homeOf(directory: string): string | undefined {
  const runs = dirname(resolve(directory));
  return basename(runs) === "runs" ? dirname(runs) : undefined;
}

/** Removes a run directory that holds no pair, no measurement and no checkpoint; says whether it did. */
export async function discardIfEmpty({ folder: { directory } }: Pick<DemoRun, "folder">): Promise<boolean> {
  const others = (await readdir(directory, { withFileTypes: true })).filter(({ name }) => name !== REQUEST);
  for (const entry of others) {
    if (entry.isDirectory() || (await stat(join(directory, entry.name))).size > 0) return false;
  }
  await rm(directory, { recursive: true });
  return true;
}

/** What the user can do with a run that came to an early end. */
export async function howToGoOn(folder: RunFolder, ended: string, command = ownCommand()): Promise<string> {
  const { directory, pairsFile } = folder;
  const checkpoint = await folder.latestCheckpoint();
  return [
    `${ended}; the run is kept.`,
    `  go on          ${command} demo --resume ${shellWord(directory)}`,
    ...(existsSync(pairsFile) ? [`  pairs so far   ${pairsFile}`] : []),
    ...(checkpoint === undefined ? [] : [`  checkpoint     ${checkpoint}`]),
  ].join("\n");
}

/** Name of the collection that holds exactly these documents, so that a run never sees passages of another corpus. */
export function snapshotName(documents: readonly { readonly source: string; readonly text: string }[]): string {
  const hash = createHash("sha256");
  for (const { source, text } of documents) hash.update(source).update("\0").update(text).update("\0");
  return `snapshot-${hash.digest("hex").slice(0, 16)}`;
}
