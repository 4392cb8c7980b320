/** @file The file of an in-process store: a header, then a passage a line; removals are lines too, until they are worth a rewrite. */

import { createReadStream } from "node:fs";
import { rm, stat, truncate } from "node:fs/promises";
import { createInterface } from "node:readline";
import { z } from "zod";
import { appendFile, replaceFile } from "./durable-file.js";
import type { PassageTable } from "./passage-table.js";
import type { Embedder } from "./types.js";

export interface PassageFile {
  /** Writes these passages as the table has them. */
  put(ids: readonly string[]): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}

const FORMAT = "preflexor-passages";
/** Lines that are joined before they are written. */
const BATCH = 256;

const headerSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  embedder: z.string(),
  dimensions: z.number().int().positive(),
});
/** A row with the id of an earlier one takes its place. */
const rowSchema = z.object({
  id: z.string(),
  text: z.string(),
  source: z.string(),
  start: z.number().int().nonnegative(),
  end: z.number().int().nonnegative(),
  /** Float32, little-endian, base64. */
  vector: z.string(),
});
const lineSchema = z.union([rowSchema, z.object({ removed: z.array(z.string()) })]);

/** Fills the table with what the file holds; refuses one that another embedder made. */
export async function openPassageFile(file: string, table: PassageTable, embedder: Embedder): Promise<PassageFile> {
  const rows = await readTable(file, table, embedder);
  const { name, dimensions } = embedder;
  const header = JSON.stringify({ format: FORMAT, version: 1, embedder: name, dimensions });
  const everything = () => joined(linesOf(table, table.ids(), [header]));
  // More of the file is history than passages.
  if (rows !== undefined && rows > 2 * table.size + BATCH) await replaceFile(file, everything());
  // An empty file would be appended to, and never get its header.
  if (rows === undefined) await rm(file, { force: true });
  return {
    put: async (ids) => {
      // A file that is not there yet, or no longer, takes its name only when all of it is on the disk.
      if (ids.length > 0 && !(await appendFile(file, joined(linesOf(table, ids)))))
        await replaceFile(file, everything());
    },
    remove: async (ids) => {
      if (ids.length > 0) await appendFile(file, joined([JSON.stringify({ removed: ids })]));
    },
  };
}

/** How many rows were read, those replaced or removed later among them; undefined where there is none, or an empty one. */
async function readTable(file: string, table: PassageTable, embedder: Embedder): Promise<number | undefined> {
  const size = (await stat(file).catch(() => undefined))?.size;
  if (size === undefined) return undefined;
  let line = 0;
  let offset = 0;
  for await (const text of createInterface({ input: createReadStream(file, "utf8") })) {
    const end = offset + Buffer.byteLength(text) + 1;
    // A last line without its end is what a crash left of an append; what it held was never reported as done.
    if (end > size && line > 0) {
      await truncate(file, offset);
      break;
    }
    offset = end;
    line++;
    try {
      if (line === 1) checkHeader(JSON.parse(text), embedder);
      else applyLine(table, JSON.parse(text));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${file} line ${line} cannot be used: ${why}. Remove the file and ingest again.`, { cause });
    }
  }
  return line === 0 ? undefined : line - 1;
}

function applyLine(table: PassageTable, value: unknown): void {
  const line = lineSchema.parse(value);
  if ("removed" in line) {
    for (const id of line.removed) table.remove(id);
    return;
  }
  const { vector, ...passage } = line;
  table.remove(passage.id);
  table.add(passage, decodeVector(vector));
}

function checkHeader(value: unknown, embedder: Embedder): void {
  const header = headerSchema.parse(value);
  if (header.embedder !== embedder.name || header.dimensions !== embedder.dimensions) {
    throw new Error(`it was made with embedder ${header.embedder}, this is ${embedder.name}`);
  }
}

function* linesOf(table: PassageTable, ids: Iterable<string>, first: readonly string[] = []): Generator<string> {
  yield* first;
  for (const id of ids) {
    const passage = table.get(id);
    const vector = table.vectorOf(id);
    if (passage !== undefined && vector !== undefined)
      yield JSON.stringify({ ...passage, vector: encodeVector(vector) });
  }
}

/** Line readers also break at U+2028 and U+2029, which JSON leaves as they are. */
function* joined(lines: Iterable<string>): Generator<string> {
  let batch: string[] = [];
  const text = () =>
    batch
      .map((line) => `${line}\n`)
      .join("")
      .replace(/\u2028/g, "\\u2028")
      .replace(/\u2029/g, "\\u2029");
  for (const line of lines) {
    batch.push(line);
    if (batch.length < BATCH) continue;
    yield text();
    batch = [];
  }
  yield text();
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
