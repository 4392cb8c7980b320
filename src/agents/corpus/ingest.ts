/** @file From files to passages in a store: only what is new or edited is cut and embedded, and what is gone is removed. */

import { createHash } from "node:crypto";
import { type ChunkOptions, chunkDocument, chunkingName } from "./chunk.js";
import type { RecordedDocument, RecordedDocuments } from "./ingest-records.js";
import { type CorpusDocument, type ReadOptions, readDocuments, rootOf } from "./read-documents.js";
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
  readonly problemOf?: ReadOptions["problemOf"];
}

export interface IngestDocumentsOptions extends IngestOptions {
  /**
   * Name under which these documents are recorded: the same name with other documents replaces them. Without it they are
   * added beside what is there, and only their passages can be removed, by source.
   */
  readonly root?: string;
}

export interface IngestResult {
  readonly documents: number;
  /** Passages of these documents, new or not. */
  readonly passages: number;
  /** Those that the store did not have yet. */
  readonly added: number;
  /** Passages of edited or deleted documents of this root that the store no longer has. */
  readonly removed: number;
  /** Documents that are as they were, and so were not cut again. */
  readonly unchanged: number;
}

/** So that progress moves and cancelling is noticed. */
const BATCH = 500;

/** Reads everything before it stores anything: a bad file leaves the store as it was. `path`: a file, a folder or a glob. */
export async function ingest(path: string, store: PassageStore, options: IngestOptions = {}): Promise<IngestResult> {
  const { signal, onProgress, limits, problemOf } = options;
  const documents = await readDocuments(path, {
    signal,
    limits,
    problemOf,
    onProgress: ({ done, total }) => onProgress?.({ stage: "read", done, total }),
  });
  return ingestDocuments(documents, store, { ...options, root: rootOf(path) });
}

/**
 * The record is written before the store is changed, with old and new passages of every document that changes, and again
 * when all is done. So a crash in between leaves no passage that no record names, and the next ingest cuts those documents
 * again, adds what is missing and removes what is old.
 */
export async function ingestDocuments(
  documents: readonly CorpusDocument[],
  store: PassageStore,
  options: IngestDocumentsOptions = {},
): Promise<IngestResult> {
  const { signal, root } = options;
  const chunking = chunkingName(options);
  const before = root === undefined ? undefined : await store.records.read(root);
  if (root !== undefined) checkSources(documents, root);
  const stored = new Set((await store.list()).map(({ id }) => id));
  const { kept, changed } = compare(documents, before?.chunking === chunking ? before.documents : new Map(), stored);
  const passages = await chunkAll(changed, options);
  const after = recorded(kept, changed, passages);

  const isSame = before?.documents.size === documents.length && changed.length === 0;
  const record = async (entries: RecordedDocuments) => {
    if (root !== undefined && !isSame) await store.records.write({ root, chunking, documents: entries });
  };
  await record(whileChanging(before?.documents ?? new Map(), after, kept));
  const added = await addAll(passages, store, options);
  const wanted = idsOf(after);
  const gone = [...idsOf(before?.documents ?? new Map())].filter((id) => !wanted.has(id));
  const removed = root === undefined ? 0 : await removeUnowned(store, gone, root, signal);
  await record(after);
  const unchanged = documents.length - changed.length;
  return { documents: documents.length, passages: wanted.size, added, removed, unchanged };
}

/** Removes passages of `root` but those that the record of another root names too; returns how many were removed. */
export async function removeUnowned(
  store: PassageStore,
  ids: readonly string[],
  root: string,
  signal?: AbortSignal,
): Promise<number> {
  if (ids.length === 0) return 0;
  const others = (await store.records.all()).filter((record) => record.root !== root);
  const owned = new Set(others.flatMap(({ documents }) => [...idsOf(documents)]));
  return store.remove(
    ids.filter((id) => !owned.has(id)),
    signal,
  );
}

export function idsOf(documents: RecordedDocuments): Set<string> {
  return new Set([...documents.values()].flatMap(({ passages }) => passages));
}

function checkSources(documents: readonly CorpusDocument[], root: string): void {
  const sources = documents.map(({ source }) => source);
  const seen = new Set<string>();
  const twice = sources.find((source) => seen.size === seen.add(source).size);
  if (twice !== undefined) throw new Error(`two documents of ${root} have the source ${twice}: give each its own`);
}

/** A document is unchanged where its text is, and all of its passages are in the store. */
function compare(
  documents: readonly CorpusDocument[],
  before: RecordedDocuments,
  stored: ReadonlySet<string>,
): { kept: RecordedDocuments; changed: CorpusDocument[] } {
  const kept = new Map<string, RecordedDocument>();
  const changed: CorpusDocument[] = [];
  for (const document of documents) {
    const entry = before.get(document.source);
    const isKept = entry?.hash === hashOf(document.text) && entry.passages.every((id) => stored.has(id));
    if (entry !== undefined && isKept) kept.set(document.source, entry);
    else changed.push(document);
  }
  return { kept, changed };
}

function recorded(
  kept: RecordedDocuments,
  changed: readonly CorpusDocument[],
  passages: readonly Passage[],
): RecordedDocuments {
  const ids = new Map<string, string[]>(changed.map(({ source }) => [source, []]));
  for (const { id, source } of passages) ids.get(source)?.push(id);
  const fresh = changed.map(
    ({ source, text }) => [source, { hash: hashOf(text), passages: ids.get(source) ?? [] }] as const,
  );
  return new Map<string, RecordedDocument>([...kept, ...fresh]);
}

/** What holds while the store is being changed: all passages of what changes, old and new, and no hash to trust. */
function whileChanging(
  before: RecordedDocuments,
  after: RecordedDocuments,
  kept: RecordedDocuments,
): RecordedDocuments {
  const all = new Map(kept);
  for (const source of new Set([...before.keys(), ...after.keys()])) {
    if (kept.has(source)) continue;
    const passages = [...(before.get(source)?.passages ?? []), ...(after.get(source)?.passages ?? [])];
    all.set(source, { hash: null, passages: [...new Set(passages)] });
  }
  return all;
}

async function chunkAll(documents: readonly CorpusDocument[], options: IngestOptions): Promise<Passage[]> {
  const { signal, onProgress } = options;
  const passages: Passage[] = [];
  for (const [i, document] of documents.entries()) {
    signal?.throwIfAborted();
    passages.push(...(await chunkDocument(document, options)));
    onProgress?.({ stage: "chunk", done: i + 1, total: documents.length });
  }
  return passages;
}

async function addAll(passages: readonly Passage[], store: PassageStore, options: IngestOptions): Promise<number> {
  const { signal, onProgress } = options;
  let added = 0;
  for (let i = 0; i < passages.length; i += BATCH) {
    signal?.throwIfAborted();
    const report = (finished: number): void =>
      onProgress?.({ stage: "store", done: Math.min(i + finished, passages.length), total: passages.length });
    added += await store.add(passages.slice(i, i + BATCH), signal, report);
    report(BATCH);
  }
  return added;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
