/** @file A passage store in this process's memory, kept in one file if a path is given. */

import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { EXACT_LIMIT, PassageTable, rankPassages } from "./exact-ranking.js";
import { LexicalCandidates } from "./lexical-candidates.js";
import type { Embedder, Passage, PassageStore, ScoredPassage } from "./types.js";

export interface InProcessStoreOptions {
  readonly embedder: Embedder;
  readonly version: string;
  /** A .jsonl file: a header line, then a passage a line. Without it nothing outlives the process. */
  readonly file?: string;
  /** Why this store is used where another was expected. */
  readonly notice?: string;
  /** Passages up to which every query is compared with all of them. */
  readonly exactLimit?: number;
}

const FORMAT = "preflexor-passages";
/** Cancelling is noticed between batches. */
const BATCH = 256;

const headerSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  embedder: z.string(),
  dimensions: z.number().int().positive(),
});
const rowSchema = z.object({
  id: z.string(),
  text: z.string(),
  source: z.string(),
  start: z.number().int().nonnegative(),
  end: z.number().int().nonnegative(),
  /** Float32, little-endian, base64. */
  vector: z.string(),
});

/** Reads the file where it exists; refuses one that another embedder made. */
export async function openInProcessStore(options: InProcessStoreOptions): Promise<PassageStore> {
  const { embedder, file, exactLimit = EXACT_LIMIT } = options;
  const table = new PassageTable(embedder.dimensions);
  if (file !== undefined) await readTable(file, table, embedder);
  const lexical = new LexicalCandidates().source(() => table.all);
  let writing: Promise<void> = Promise.resolve();

  const addAll = async (passages: readonly Passage[], signal?: AbortSignal): Promise<number> => {
    const before = table.size;
    const fresh = passages.filter((passage) => !table.has(passage.id));
    for (let i = 0; i < fresh.length; i += BATCH) {
      signal?.throwIfAborted();
      const batch = fresh.slice(i, i + BATCH);
      const vectors = await embedder.embed(batch.map((passage) => passage.text));
      for (const [j, passage] of batch.entries()) table.add(passage, vectors[j] ?? []);
    }
    if (file !== undefined && table.size > before) await writeTable(file, table, embedder);
    return table.size - before;
  };

  return {
    description: {
      name: "in-process",
      version: options.version,
      ...(options.notice !== undefined && { notice: options.notice }),
    },
    add: (passages, signal) => {
      const added = writing.then(() => addAll(passages, signal));
      writing = added.then(
        () => undefined,
        () => undefined,
      );
      return added;
    },
    query: async (text, k, signal): Promise<ScoredPassage[]> => {
      signal?.throwIfAborted();
      const [vector = new Float32Array()] = await embedder.embed([text]);
      return rankPassages(table, { text, vector }, k, { sources: [lexical], exactLimit, signal });
    },
    list: async () => table.list(),
    count: async () => table.size,
    close: () => writing,
  };
}

async function readTable(file: string, table: PassageTable, embedder: Embedder): Promise<void> {
  if (!(await stat(file).catch(() => undefined))) return;
  let line = 0;
  const lines = createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const text of lines) {
    line++;
    try {
      if (line === 1) checkHeader(JSON.parse(text), embedder);
      else {
        const { vector, ...passage } = rowSchema.parse(JSON.parse(text));
        table.add(passage, decodeVector(vector));
      }
    } catch (cause) {
      throw new Error(`${file} line ${line} cannot be used: ${messageOf(cause)}. Remove the file and ingest again.`, {
        cause,
      });
    }
  }
}

function checkHeader(value: unknown, embedder: Embedder): void {
  const header = headerSchema.parse(value);
  if (header.embedder !== embedder.name || header.dimensions !== embedder.dimensions) {
    throw new Error(`it was made with embedder ${header.embedder}, this is ${embedder.name}`);
  }
}

/** All or nothing: a new file, on the disk before it takes the old one's name. */
async function writeTable(file: string, table: PassageTable, embedder: Embedder): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const staged = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(staged, "w");
    try {
      for (const part of fileParts(table, embedder)) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(staged, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
}

function* fileParts(table: PassageTable, embedder: Embedder): Generator<string> {
  const header = { format: FORMAT, version: 1, embedder: embedder.name, dimensions: embedder.dimensions };
  let lines = [JSON.stringify(header)];
  for (const [passage, vector] of table.entries()) {
    lines.push(JSON.stringify({ ...passage, vector: encodeVector(vector) }));
    if (lines.length < BATCH) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
  }
  yield lines.map((line) => `${line}\n`).join("");
}

/** Makes the rename itself durable; Windows cannot open folders and does not need it. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

function encodeVector(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * 4);
  return bytes.toString("base64");
}

function decodeVector(base64: string): Float32Array {
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readFloatLE(i * 4));
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
