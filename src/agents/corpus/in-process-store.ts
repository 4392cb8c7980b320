/** @file A passage store in this process's memory, kept in one file if a path is given. */

import { EXACT_LIMIT, rankPassages } from "./exact-ranking.js";
import { type IngestRecords, memoryRecords } from "./ingest-records.js";
import { openPassageFile } from "./passage-file.js";
import { PassageTable } from "./passage-table.js";
import { searchPassages } from "./search-passages.js";
import { type Embedder, isMoved, type PassageStore, questionVector } from "./types.js";

export interface InProcessStoreOptions {
  readonly embedder: Embedder;
  readonly version: string;
  /** A .jsonl file of passages. Without it nothing outlives the process. */
  readonly file?: string;
  /** Default: in memory. */
  readonly records?: IngestRecords;
  /** Why this store is used where another was expected. */
  readonly notice?: string;
  /** Passages up to which every query is compared with all of them. */
  readonly exactLimit?: number;
}

/** Cancelling is noticed between batches. */
const BATCH = 256;

/** Reads the file where it exists; refuses one that another embedder made. */
export async function openInProcessStore(options: InProcessStoreOptions): Promise<PassageStore> {
  const { embedder, exactLimit = EXACT_LIMIT, records = memoryRecords() } = options;
  const table = new PassageTable(embedder.dimensions);
  const file = options.file === undefined ? undefined : await openPassageFile(options.file, table, embedder);

  /** In the table, not in the file: e.g. the disk was full. */
  const unsaved = new Set<string>();
  const save = async () => {
    await file?.put([...unsaved]);
    unsaved.clear();
  };

  const addAll: PassageStore["add"] = async (passages, signal, onProgress) => {
    const moved = passages.filter((passage) => isMoved(table.get(passage.id), passage));
    for (const passage of moved) {
      table.move(passage);
      unsaved.add(passage.id);
    }
    const fresh = passages.filter((passage) => !table.has(passage.id));
    let added = 0;
    try {
      for (let i = 0; i < fresh.length; i += BATCH) {
        signal?.throwIfAborted();
        const batch = fresh.slice(i, i + BATCH);
        const texts = batch.map((passage) => passage.text);
        const vectors = await embedder.embed(texts, { signal, onProgress: onProgress && ((n) => onProgress(i + n)) });
        for (const [j, passage] of batch.entries()) {
          if (!table.add(passage, vectors[j] ?? [])) continue;
          unsaved.add(passage.id);
          added++;
        }
      }
    } finally {
      await save();
    }
    return added;
  };

  const removeAll: PassageStore["remove"] = async (ids, signal) => {
    signal?.throwIfAborted();
    const there = [...new Set(ids)].filter((id) => table.has(id));
    await file?.remove(there);
    for (const id of there) {
      table.remove(id);
      unsaved.delete(id);
    }
    return there.length;
  };

  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const queryOf = async (text: string, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    return { text, vector: await questionVector(embedder, text, signal) };
  };

  return {
    description: {
      name: "in-process",
      version: options.version,
      ...(options.notice !== undefined && { notice: options.notice }),
    },
    records,
    add: (...work) => inTurn(() => addAll(...work)),
    remove: (...work) => inTurn(() => removeAll(...work)),
    query: async (text, k, signal) => rankPassages(table, await queryOf(text, signal), k, { exactLimit, signal }),
    search: async (text, search, signal) =>
      searchPassages(table, await queryOf(text, signal), search, { exactLimit, signal }),
    list: async () => table.list(),
    count: async () => table.size,
    close: async () => void (await last),
  };
}
