/** @file Which corpus is active, remembered in the home directory between processes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "../agents/write-whole.js";

/** Path that names the built-in environment instead of a folder. */
export const BUILT_IN_WORLD = "materials-world";

/** What every tool says that needs passages where there are none. */
export const EMPTY_CORPUS = "the corpus is empty: call ingest-corpus first";

/** `world`: the built-in environment with its own teacher; `folder`: documents of the user, with the extractive teacher. */
export const activeCorpusSchema = z.object({
  kind: z.enum(["world", "folder"]),
  path: z.string(),
  /** Of the passage store; by default all folders share one. */
  collection: z.string().optional(),
});
export type ActiveCorpus = z.infer<typeof activeCorpusSchema>;

const stateFile = (home: string): string => join(home, "active-corpus.json");

export async function readActiveCorpus(home: string): Promise<ActiveCorpus | undefined> {
  const file = stateFile(home);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return activeCorpusSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} does not name a corpus: call ingest-corpus again`, { cause });
  }
}

export async function writeActiveCorpus(home: string, corpus: ActiveCorpus): Promise<void> {
  await writeWhole(stateFile(home), `${JSON.stringify(corpus)}\n`);
}
