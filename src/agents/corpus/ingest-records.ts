/** @file What was ingested from where: a record for each root, from which the next ingest knows what is new, edited or gone. */

import { createHash } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { replaceFile, syncFolder } from "./durable-file.js";

const FORMAT = "preflexor-ingested";

const recordSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  root: z.string().min(1),
  chunking: z.string(),
  documents: z.array(z.object({ source: z.string(), hash: z.string().nullable(), passages: z.array(z.string()) })),
});

export interface RecordedDocument {
  /** SHA-256 of the document's text; null while its passages are being stored or removed. */
  readonly hash: string | null;
  /** Ids; while the document is being changed, those of before and those to come. */
  readonly passages: readonly string[];
}

/** By source. */
export type RecordedDocuments = ReadonlyMap<string, RecordedDocument>;

export interface IngestRecord {
  /** The absolute path or glob that was ingested, or the name that was given instead. */
  readonly root: string;
  /** How documents were cut; another way of cutting makes other passages of the same text. */
  readonly chunking: string;
  readonly documents: RecordedDocuments;
}

/** Each call is whole or has not happened. */
export interface IngestRecords {
  /** Undefined where this root was never ingested, or was removed. */
  read(root: string): Promise<IngestRecord | undefined>;
  /** Ordered by root. */
  all(): Promise<IngestRecord[]>;
  write(record: IngestRecord): Promise<void>;
  remove(root: string): Promise<void>;
}

/** For a store that does not outlive the process. */
export function memoryRecords(): IngestRecords {
  const records = new Map<string, IngestRecord>();
  return {
    read: async (root) => records.get(root),
    all: async () => [...records.values()].sort(byRoot),
    write: async (record) => void records.set(record.root, record),
    remove: async (root) => void records.delete(root),
  };
}

/** A file a root, so that two processes that ingest different roots do not undo each other's records. */
export function fileRecords(folder: string): IngestRecords {
  const fileOf = (root: string) => join(folder, `${createHash("sha256").update(root).digest("hex").slice(0, 24)}.json`);
  return {
    read: (root) => readRecord(fileOf(root)),
    all: async () => {
      const names = await readdir(folder).catch(() => []);
      const files = names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
      const records = await Promise.all(files.map(readRecord));
      return records.filter((record) => record !== undefined).sort(byRoot);
    },
    write: (record) => {
      const documents = [...record.documents].map(([source, entry]) => ({ source, ...entry }));
      const content = { format: FORMAT, version: 1, ...record, documents };
      return replaceFile(fileOf(record.root), [`${JSON.stringify(content)}\n`]);
    },
    remove: async (root) => {
      await rm(fileOf(root), { force: true });
      await syncFolder(folder).catch(() => undefined);
    },
  };
}

async function readRecord(file: string): Promise<IngestRecord | undefined> {
  try {
    const { root, chunking, documents } = recordSchema.parse(JSON.parse(await readFile(file, "utf8")));
    return { root, chunking, documents: new Map(documents.map(({ source, ...entry }) => [source, entry])) };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(
      `${file} does not say what was ingested: remove the file and ingest again; passages of files that were edited or ` +
        "deleted since then can be removed by their source",
      { cause },
    );
  }
}

const byRoot = (a: IngestRecord, b: IngestRecord): number => (a.root < b.root ? -1 : 1);
