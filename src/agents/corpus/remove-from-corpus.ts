/** @file Takes documents out of a store again, by the root that they were ingested from or by their source. */

import { idsOf, removeUnowned } from "./ingest.js";
import type { IngestRecord } from "./ingest-records.js";
import { rootOf } from "./read-documents.js";
import type { PassageStore } from "./types.js";

/** `root`: a path, glob or name as it was ingested. `source`: a document as its passages name it, from whichever root. */
export type CorpusPart = { readonly root: string } | { readonly source: string };

export interface RemoveResult {
  readonly documents: number;
  /** Passages that the store no longer has; those that another root holds too stay. */
  readonly removed: number;
}

/**
 * Throws where nothing of the kind was ingested, with what was. Passages go first and the record last: after a crash in
 * between, the same call finishes, and an ingest of the root puts everything back.
 */
export async function removeFromCorpus(
  store: PassageStore,
  part: CorpusPart,
  signal?: AbortSignal,
): Promise<RemoveResult> {
  return "root" in part ? removeRoot(store, part.root, signal) : removeSource(store, part.source, signal);
}

async function removeRoot(store: PassageStore, named: string, signal?: AbortSignal): Promise<RemoveResult> {
  const record = (await store.records.read(named)) ?? (await store.records.read(rootOf(named)));
  if (record === undefined) throw await notThere(store, named);
  const removed = await removeUnowned(store, [...idsOf(record.documents)], record.root, signal);
  await store.records.remove(record.root);
  return { documents: record.documents.size, removed };
}

/** The file itself stays where it is: an ingest of its root brings the source back. */
async function removeSource(store: PassageStore, source: string, signal?: AbortSignal): Promise<RemoveResult> {
  const ids = (await store.list()).filter((passage) => passage.source === source).map(({ id }) => id);
  const records = (await store.records.all()).filter(({ documents }) => documents.has(source));
  if (ids.length === 0 && records.length === 0) throw await notThere(store, source);
  const removed = await store.remove(ids, signal);
  for (const record of records) await store.records.write(without(record, source));
  return { documents: 1, removed };
}

async function notThere(store: PassageStore, name: string): Promise<Error> {
  const roots = (await store.records.all()).map(({ root }) => root);
  const sources = [...new Set((await store.list()).map(({ source }) => source))].sort();
  return new Error(`nothing was ingested from ${name}. Ingested: ${shown(roots)}. Sources: ${shown(sources)}`);
}

function without({ documents, ...record }: IngestRecord, source: string): IngestRecord {
  return { ...record, documents: new Map([...documents].filter(([named]) => named !== source)) };
}

const SHOWN = 10;
function shown(names: readonly string[]): string {
  if (names.length === 0) return "none";
  return names.slice(0, SHOWN).join(", ") + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "");
}
