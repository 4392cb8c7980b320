/** @file From files to passages in a store. */

import { type ChunkOptions, chunkDocument } from "./chunk.js";
import { type CorpusDocument, type ReadOptions, readDocuments } from "./read-documents.js";
import type { Passage, PassageStore } from "./types.js";

export interface IngestProgress {
  readonly stage: "read" | "chunk" | "store";
  readonly done: number;
  readonly total: number;
}

export interface IngestOptions extends ChunkOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: IngestProgress) => void;
  readonly limits?: ReadOptions["limits"];
}

export interface IngestResult {
  readonly documents: number;
  /** Passages of these documents, new or not. */
  readonly passages: number;
  /** Those that the store did not have yet. */
  readonly added: number;
}

/** So that progress moves and cancelling is noticed. */
const BATCH = 500;

/** Reads everything before it stores anything: a bad file leaves the store as it was. */
export async function ingest(path: string, store: PassageStore, options: IngestOptions = {}): Promise<IngestResult> {
  const { signal, onProgress, limits } = options;
  const documents = await readDocuments(path, {
    signal,
    limits,
    onProgress: ({ done, total }) => onProgress?.({ stage: "read", done, total }),
  });
  return ingestDocuments(documents, store, options);
}

export async function ingestDocuments(
  documents: readonly CorpusDocument[],
  store: PassageStore,
  options: IngestOptions = {},
): Promise<IngestResult> {
  const { signal, onProgress } = options;
  const passages: Passage[] = [];
  for (const [i, document] of documents.entries()) {
    signal?.throwIfAborted();
    passages.push(...(await chunkDocument(document, options)));
    onProgress?.({ stage: "chunk", done: i + 1, total: documents.length });
  }
  let added = 0;
  for (let i = 0; i < passages.length; i += BATCH) {
    signal?.throwIfAborted();
    const report = (finished: number): void =>
      onProgress?.({ stage: "store", done: Math.min(i + finished, passages.length), total: passages.length });
    added += await store.add(passages.slice(i, i + BATCH), signal, report);
    report(BATCH);
  }
  return { documents: documents.length, passages: passages.length, added };
}
