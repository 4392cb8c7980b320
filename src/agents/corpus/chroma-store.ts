/**
 * @file A passage store in Chroma, through LangChain's vector store. Chroma keeps passages and vectors; ranking is done
 * here, exactly, because its index is approximate and differs from server to server.
 */

import type { Chroma } from "@langchain/community/vectorstores/chroma";
import type { EmbeddingsInterface } from "@langchain/core/embeddings";
import type { ChromaClient, Collection } from "chromadb";
import { z } from "zod";
import { probe } from "./chroma-process.js";
import { type CandidateSource, EXACT_LIMIT, PassageTable, rankPassages } from "./exact-ranking.js";
import { LexicalCandidates } from "./lexical-candidates.js";
import { type Embedder, type Passage, type PassageStore, questionVector } from "./types.js";

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
}

/** What is in memory; replaced as a whole when another process has changed the collection. */
interface Snapshot {
  readonly table: PassageTable;
  readonly lexical: CandidateSource;
}

/** Chroma's own limit is 5,461 where it does not say another; fewer keep a request near 10 MB. */
const MAX_BATCH = 1000;
const PAGE = 1000;

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
    snapshot = await fetchAll(connection.collection, embedder.dimensions);
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

  /** Another process may have ingested into the same collection. */
  const sync = () =>
    withServer(async ({ collection }) => {
      if ((await collection.count()) !== snapshot.table.size)
        snapshot = await fetchAll(collection, embedder.dimensions);
      return snapshot;
    });

  const addAll: PassageStore["add"] = async (passages, signal, onProgress) => {
    const { table } = await sync();
    const fresh = [...new Map(passages.map((p) => [p.id, p])).values()].filter((p) => !table.has(p.id));
    for (let i = 0; i < fresh.length; i += connection.maxBatch) {
      signal?.throwIfAborted();
      const batch = fresh.slice(i, i + connection.maxBatch);
      const texts = batch.map((passage) => passage.text);
      const vectors = await embedder.embed(texts, { signal, onProgress: onProgress && ((n) => onProgress(i + n)) });
      await withServer(({ vectorStore }) =>
        vectorStore.addVectors(vectors.map(toNumbers), batch.map(toDocument), { ids: batch.map((p) => p.id) }),
      );
      for (const [j, passage] of batch.entries()) table.add(passage, vectors[j] ?? []);
    }
    return fresh.length;
  };

  const index: CandidateSource = ({ vector }, n) =>
    withServer(async ({ vectorStore }) => {
      const found = await vectorStore.similaritySearchVectorWithScore(toNumbers(vector), n);
      return found.map(([document]) => document.id ?? "");
    });

  return {
    description: { name: "chroma", version: connection.address.version },
    add: (...work) => inTurn(() => addAll(...work)),
    query: async (text, k, signal) => {
      signal?.throwIfAborted();
      const { table, lexical } = await inTurn(sync);
      const vector = await questionVector(embedder, text, signal);
      return rankPassages(table, { text, vector }, k, { sources: [lexical, index], exactLimit, signal });
    },
    list: async () => (await inTurn(sync)).table.list(),
    count: async () => (await inTurn(sync)).table.size,
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
    return { address, vectorStore, collection, maxBatch };
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

async function fetchAll(collection: Collection, dimensions: number): Promise<Snapshot> {
  const table = new PassageTable(dimensions);
  for (let offset = 0; ; offset += PAGE) {
    const page = await collection.get({ limit: PAGE, offset, include: ["documents", "metadatas", "embeddings"] });
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
  return { table, lexical: new LexicalCandidates().source(() => table.all) };
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
