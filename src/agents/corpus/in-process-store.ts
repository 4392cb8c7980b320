/** @file A passage store in this process's memory, kept in one file if a path is given. */

import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { EXACT_LIMIT, PassageTable, rankPassages } from "./exact-ranking.js";
import { LexicalCandidates } from "./lexical-candidates.js";
import { type Embedder, type PassageStore, questionVector, type ScoredPassage } from "./types.js";

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

  let saved = table.size;
  const save = async () => {
    if (file === undefined || table.size === saved) return;
    await saveRows(file, saved, table, embedder);
    saved = table.size;
  };
  const addAll: PassageStore["add"] = async (passages, signal, onProgress) => {
    const before = table.size;
    const fresh = passages.filter((passage) => !table.has(passage.id));
    try {
      for (let i = 0; i < fresh.length; i += BATCH) {
        signal?.throwIfAborted();
        const batch = fresh.slice(i, i + BATCH);
        const texts = batch.map((passage) => passage.text);
        const vectors = await embedder.embed(texts, { signal, onProgress: onProgress && ((n) => onProgress(i + n)) });
        for (const [j, passage] of batch.entries()) table.add(passage, vectors[j] ?? []);
      }
    } finally {
      await save();
    }
    return table.size - before;
  };

  return {
    description: {
      name: "in-process",
      version: options.version,
      ...(options.notice !== undefined && { notice: options.notice }),
    },
    add: (...work) => {
      const added = writing.then(() => addAll(...work));
      writing = added.then(
        () => undefined,
        () => undefined,
      );
      return added;
    },
    query: async (text, k, signal): Promise<ScoredPassage[]> => {
      signal?.throwIfAborted();
      const vector = await questionVector(embedder, text, signal);
      return rankPassages(table, { text, vector }, k, { sources: [lexical], exactLimit, signal });
    },
    list: async () => table.list(),
    count: async () => table.size,
    close: () => writing,
  };
}

async function readTable(file: string, table: PassageTable, embedder: Embedder): Promise<void> {
  const size = (await stat(file).catch(() => undefined))?.size;
  if (size === undefined) return;
  let line = 0;
  let offset = 0;
  for await (const text of createInterface({ input: createReadStream(file, "utf8") })) {
    const end = offset + Buffer.byteLength(text) + 1;
    // A last line without its end is what a crash left of an append; what it held was never reported as added.
    if (end > size && line > 0) return truncate(file, offset);
    offset = end;
    line++;
    try {
      if (line === 1) checkHeader(JSON.parse(text), embedder);
      else addRow(table, JSON.parse(text));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file} line ${line} cannot be used: ${why}. Remove the file and ingest again.`, { cause });
    }
  }
}

function addRow(table: PassageTable, value: unknown): void {
  const { vector, ...passage } = rowSchema.parse(value);
  table.add(passage, decodeVector(vector));
}

function checkHeader(value: unknown, embedder: Embedder): void {
  const header = headerSchema.parse(value);
  if (header.embedder !== embedder.name || header.dimensions !== embedder.dimensions) {
    throw new Error(`it was made with embedder ${header.embedder}, this is ${embedder.name}`);
  }
}

/** The first rows take the file's name only when they are on the disk; later ones are appended. */
async function saveRows(file: string, from: number, table: PassageTable, embedder: Embedder): Promise<void> {
  if (from > 0) return write(file, "a", rowLines(table, from));
  await mkdir(dirname(file), { recursive: true });
  const staged = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const header = { format: FORMAT, version: 1, embedder: embedder.name, dimensions: embedder.dimensions };
  try {
    await write(staged, "w", rowLines(table, 0, [JSON.stringify(header)]));
    await rename(staged, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(staged, { force: true });
    throw error;
  }
}

async function write(file: string, flag: "a" | "w", parts: Iterable<string>): Promise<void> {
  const handle = await open(file, flag);
  const { size } = await handle.stat();
  try {
    for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } catch (error) {
    // E.g. the disk is full: half a line must not stand before the next append.
    await handle.truncate(size).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

function* rowLines(table: PassageTable, from: number, lines: string[] = []): Generator<string> {
  for (const [passage, vector] of table.entries(from)) {
    lines.push(JSON.stringify({ ...passage, vector: encodeVector(vector) }));
    if (lines.length < BATCH) continue;
    yield joined(lines);
    lines = [];
  }
  yield joined(lines);
}

/** Line readers also break at U+2028 and U+2029, which JSON leaves as they are. */
function joined(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join("");
  return text.replace(/\u2028/g, "\\u2028").replace(/\u2029/g, "\\u2029");
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
