/**
 * @file A passage store in Chroma, through LangChain's vector store. Chroma keeps passages and vectors; ranking is done
 * here, exactly, because its index is approximate and differs from server to server.
 */

import { randomUUID } from "node:crypto";
import type { Chroma } from "@langchain/community/vectorstores/chroma";
import type { EmbeddingsInterface } from "@langchain/core/embeddings";
import type { ChromaClient, Collection } from "chromadb";
import { z } from "zod";
import { probe } from "./chroma-process.js";
import { settled } from "./chroma-settled.js";
import { type CandidateSource, EXACT_LIMIT, rankPassages } from "./exact-ranking.js";
import type { IngestRecords } from "./ingest-records.js";
import { PassageTable } from "./passage-table.js";
import { searchPassages } from "./search-passages.js";
import { type Embedder, isMoved, type Passage, type PassageStore, questionVector } from "./types.js";

export interface ChromaAddress {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean;
  readonly version: string;
  /** Called once the store no longer uses the server. */
  release(): Promise<void>;
}

export interface ChromaStoreOptions {
  readonly collection: string;
  readonly embedder: Embedder;
  readonly records: IngestRecords;
  /** Called at the start, and again when the server no longer answers. */
  readonly connect: () => Promise<ChromaAddress>;
  /** Passages up to which every query is compared with all of them. */
  readonly exactLimit?: number;
}

interface Connection {
  readonly address: ChromaAddress;
  readonly vectorStore: Chroma;
  readonly collection: Collection;
  readonly maxBatch: number;
  /** The revision that the collection has now. */
  revision(): Promise<string | undefined>;
  revise(revision: string): Promise<void>;
}

/** What is in memory; fetched anew when another process has changed the collection. */
interface Snapshot {
  readonly table: PassageTable;
  /** Of the collection, when it was last the same as the table; a count alone would miss a passage put for another. */
  revision: string | undefined;
}

/** Chroma's own limit is 5,461 where it does not say another; fewer keep a request near 10 MB. */
const MAX_BATCH = 1000;
const PAGE = 1000;

/** Key in a collection's metadata: another text after each change of its passages. */
const REVISION = "revision";

const metadataSchema = z.object({
  source: z.string(),
  start: z.number().int().nonnegative(),
  end: z.number().int().nonnegative(),
});

/** Connects, checks that the collection was made with this embedder, and fetches its vectors once. */
export async function openChromaStore(options: ChromaStoreOptions): Promise<PassageStore> {
  const { embedder, exactLimit = EXACT_LIMIT } = options;
  let connection = await connect(options);
  let snapshot: Snapshot;
  try {
    snapshot = await fetchAll(connection, embedder.dimensions);
  } catch (error) {
    await connection.address.release();
    throw error;
  }

  /** Once more on a new connection where the server is gone; its process may have been ended by its owner. */
  const withServer = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    try {
      return await work(connection);
    } catch (error) {
      if (typeof (await probe(urlOf(connection.address))) === "object") throw error;
      await connection.address.release();
      connection = await connect(options);
      return work(connection);
    }
  };

  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };

  /** Another process may have changed the same collection. */
  const sync = () =>
    withServer(async (current) => {
      const isSame =
        (await current.revision()) === snapshot.revision && (await current.collection.count()) === snapshot.table.size;
      if (!isSame) snapshot = await fetchAll(current, embedder.dimensions);
      return snapshot.table;
    });

  /**
   * A new revision before and after, so that others see what a process left that ended in the middle. Where it fails, the
   * snapshot keeps its old revision and is fetched anew.
   */
  const changing = async <T>(work: () => Promise<T>): Promise<T> => {
    const [begun, ended] = [randomUUID(), randomUUID()];
    const revise = (revision: string) => withServer((current) => current.revise(revision));
    await revise(begun);
    let result: T;
    try {
      result = await work();
    } catch (error) {
      await revise(ended).catch(() => undefined);
      throw error;
    }
    const isAlone = (await withServer((current) => current.revision())) === begun;
    await revise(ended);
    if (isAlone) snapshot.revision = ended;
    return result;
  };

  const addAll: PassageStore["add"] = async (passages, signal, onProgress) => {
    const table = await sync();
    const unique = [...new Map(passages.map((p) => [p.id, p])).values()];
    const moved = unique.filter((p) => isMoved(table.get(p.id), p));
    const fresh = unique.filter((p) => !table.has(p.id));
    if (moved.length + fresh.length === 0) return 0;
    return changing(async () => {
      for (const batch of batches(moved, connection.maxBatch)) {
        signal?.throwIfAborted();
        const metadatas = batch.map((p) => toDocument(p).metadata);
        await withServer(({ collection }) => collection.update({ ids: batch.map((p) => p.id), metadatas }));
        for (const passage of batch) table.move(passage);
      }
      let done = 0;
      for (const batch of batches(fresh, connection.maxBatch)) {
        signal?.throwIfAborted();
        const texts = batch.map((passage) => passage.text);
        const before = done;
        const report = onProgress && ((n: number) => onProgress(before + n));
        const vectors = await embedder.embed(texts, { signal, onProgress: report });
        await withServer(({ vectorStore }) =>
          vectorStore.addVectors(vectors.map(toNumbers), batch.map(toDocument), { ids: batch.map((p) => p.id) }),
        );
        for (const [j, passage] of batch.entries()) table.add(passage, vectors[j] ?? []);
        done += batch.length;
      }
      return fresh.length;
    });
  };

  const removeAll: PassageStore["remove"] = async (ids, signal) => {
    signal?.throwIfAborted();
    const table = await sync();
    const there = [...new Set(ids)].filter((id) => table.has(id));
    if (there.length === 0) return 0;
    return changing(async () => {
      for (const batch of batches(there, connection.maxBatch)) {
        signal?.throwIfAborted();
        await withServer(({ vectorStore }) => vectorStore.delete({ ids: batch }));
        for (const id of batch) table.remove(id);
      }
      return there.length;
    });
  };

  const index: CandidateSource = ({ vector }, n) =>
    withServer(async ({ vectorStore }) => {
      const found = await vectorStore.similaritySearchVectorWithScore(toNumbers(vector), n);
      return found.map(([document]) => document.id ?? "");
    });

  const ranking = { sources: [index], exactLimit };
  /** The passages as they are now, and the query as a vector. */
  const prepare = async (text: string, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    const table = await inTurn(sync);
    return { table, query: { text, vector: await questionVector(embedder, text, signal) } };
  };

  return {
    description: { name: "chroma", version: connection.address.version },
    records: options.records,
    add: (...work) => inTurn(() => addAll(...work)),
    remove: (...work) => inTurn(() => removeAll(...work)),
    query: async (text, k, signal) => {
      const { table, query } = await prepare(text, signal);
      return rankPassages(table, query, k, { ...ranking, signal });
    },
    search: async (text, search, signal) => {
      const { table, query } = await prepare(text, signal);
      return searchPassages(table, query, search, { ...ranking, signal });
    },
    list: async () => (await inTurn(sync)).list(),
    count: async () => (await inTurn(sync)).size,
    close: () => inTurn(() => connection.address.release()),
  };
}

async function connect({ collection: name, embedder, connect: reach }: ChromaStoreOptions): Promise<Connection> {
  const [{ Chroma }, { ChromaClient }] = await Promise.all([
    import("@langchain/community/vectorstores/chroma"),
    import("chromadb"),
  ]);
  const address = await reach();
  try {
    const client = new ChromaClient({ host: address.host, port: address.port, ssl: address.ssl });
    await checkEmbedder(client, name, embedder);
    const vectorStore = new Chroma(asLangChain(embedder), {
      index: client,
      collectionName: name,
      collectionMetadata: { embedder: embedder.name },
      numDimensions: embedder.dimensions,
    });
    const collection = await vectorStore.ensureCollection();
    const maxBatch = Math.min(MAX_BATCH, await client.getMaxBatchSize());
    const metadata = { embedder: embedder.name };
    return {
      address,
      vectorStore,
      collection,
      maxBatch,
      revision: async () => {
        const now = await client.getOrCreateCollection({ name, embeddingFunction: null, metadata });
        return now.metadata?.[REVISION]?.toString();
      },
      revise: (revision) => collection.modify({ metadata: { ...metadata, [REVISION]: revision } }),
    };
  } catch (error) {
    await address.release();
    throw error;
  }
}

/** Vectors of two embedders cannot be compared, even where they have the same length. */
async function checkEmbedder(client: ChromaClient, name: string, embedder: Embedder): Promise<void> {
  const all = await client.listCollections({ limit: 10_000 });
  const existing = all.find((collection) => collection.name === name);
  const made = existing?.metadata?.["embedder"];
  if (existing === undefined || made === embedder.name) return;
  throw new Error(
    `collection ${name} was made with ${made === undefined ? "another program" : `embedder ${String(made)}`}, this is ` +
      `${embedder.name}: choose another collection name and ingest again`,
  );
}

async function fetchAll({ collection, revision }: Connection, dimensions: number): Promise<Snapshot> {
  // Asked for before the passages: what changes while they are fetched is noticed the next time.
  const now = await revision();
  const table = new PassageTable(dimensions);
  for (let offset = 0; ; offset += PAGE) {
    const page = await settled(() =>
      collection.get({ limit: PAGE, offset, include: ["documents", "metadatas", "embeddings"] }),
    );
    for (const [i, id] of page.ids.entries()) {
      const metadata = metadataSchema.safeParse(page.metadatas[i]);
      if (!metadata.success) {
        throw new Error(
          `collection ${collection.name}, passage ${id}: not written by this program. Choose another collection name.`,
        );
      }
      table.add({ id, text: page.documents[i] ?? "", ...metadata.data }, page.embeddings[i] ?? []);
    }
    if (page.ids.length < PAGE) break;
  }
  return { table, revision: now };
}

function* batches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}

const toNumbers = (vector: Float32Array): number[] => Array.from(vector);
const urlOf = ({ host, port, ssl }: ChromaAddress) => `${ssl ? "https" : "http"}://${host}:${port}`;

function toDocument({ id, text, source, start, end }: Passage) {
  return { id, pageContent: text, metadata: { source, start, end } };
}

function asLangChain(embedder: Embedder): EmbeddingsInterface {
  const embedDocuments = async (texts: string[]) => (await embedder.embed(texts)).map(toNumbers);
  return { embedDocuments, embedQuery: async (text) => toNumbers(await questionVector(embedder, text)) };
}
