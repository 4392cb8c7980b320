/** @file Passages and what holds them. */

import type { IngestRecords } from "./ingest-records.js";

/** A piece of a document. `id` is content-addressed: the same text of the same source has the same id everywhere. */
export interface Passage {
  readonly id: string;
  readonly text: string;
  /** Path or name of the document. */
  readonly source: string;
  /** Offsets in the document, in UTF-16 units; of HTML and PDF they count in the text that was taken out of the file. */
  readonly start: number;
  readonly end: number;
}

export interface ScoredPassage extends Passage {
  /** Cosine similarity to the query, in [-1, 1], however the passage was found. */
  readonly score: number;
  /** Of what `search` returns. */
  readonly found?: FoundBy;
}

/** Whether the same text now stands at another place of its document than a store has it. */
export function isMoved(stored: Passage | undefined, passage: Passage): boolean {
  return stored !== undefined && (stored.start !== passage.start || stored.end !== passage.end);
}

/**
 * - dense: nearest by vector
 * - lexical: by BM25 over words; only passages that share a word with the query
 * - hybrid: both rankings, fused by reciprocal rank
 */
export type SearchMode = "hybrid" | "dense" | "lexical";

/** How a search came to a passage. Ranks count from 1; one is absent where that ranking does not hold the passage. */
export interface FoundBy {
  readonly mode: SearchMode;
  readonly denseRank?: number;
  readonly lexicalRank?: number;
  readonly bm25?: number;
  /** Σ 1 / (60 + rank) over both rankings. */
  readonly fused?: number;
}

/** Maximal marginal relevance: passages that fit the query and differ from each other. */
export interface MmrOptions {
  /** 1: only fit; 0: only difference. */
  readonly lambda?: number;
  /** From how many of the best passages those are picked; at least k. */
  readonly fetchK?: number;
}

export interface SearchOptions {
  readonly k: number;
  /** Default: hybrid. */
  readonly mode?: SearchMode | undefined;
  /** Default: the best k, however alike. */
  readonly mmr?: MmrOptions | undefined;
}

export interface EmbedWork {
  readonly signal?: AbortSignal | undefined;
  /** Called with how many texts are done, where that takes a while. */
  readonly onProgress?: ((finished: number) => void) | undefined;
}

/** Text to unit vectors. */
export interface Embedder {
  /** Changes whenever vectors change: a collection keeps it, and refuses another. */
  readonly name: string;
  readonly dimensions: number;
  embed(texts: readonly string[], work?: EmbedWork): Promise<Float32Array[]>;
  /** A question, where the model wants it put otherwise than a passage; default: as `embed`. */
  embedQuery?(text: string, signal?: AbortSignal): Promise<Float32Array>;
}

/** The vector of a question. */
export async function questionVector(embedder: Embedder, text: string, signal?: AbortSignal): Promise<Float32Array> {
  if (embedder.embedQuery) return embedder.embedQuery(text, signal);
  const [vector = new Float32Array()] = await embedder.embed([text], { signal });
  return vector;
}

/** A collection of passages with exact, repeatable retrieval: ties are broken by passage id. */
export interface PassageStore {
  /** E.g. {name: "chroma", version: "1.0.0"} or {name: "in-process", version: "0.1.0"}. */
  readonly description: { readonly name: string; readonly version: string; readonly notice?: string };
  /** What `ingest` put here and from where, kept beside the passages. */
  readonly records: IngestRecords;
  /**
   * Adds what is not there yet; returns how many were new. `onProgress` hears how many of those are embedded.
   * What is there at other offsets gets the new ones: its text is the same, so its vector stays.
   */
  add(passages: readonly Passage[], signal?: AbortSignal, onProgress?: (finished: number) => void): Promise<number>;
  /** Removes what is there; returns how many were. Where it is interrupted, some are gone and some are not. */
  remove(ids: readonly string[], signal?: AbortSignal): Promise<number>;
  /** The k nearest passages by vector. Throws with "call ingest-corpus first" where the store is empty. */
  query(text: string, k: number, signal?: AbortSignal): Promise<ScoredPassage[]>;
  /** The best k by meaning and words, or as `mode` says. Throws as `query`. */
  search(text: string, options: SearchOptions, signal?: AbortSignal): Promise<ScoredPassage[]>;
  /** All passages, ordered by id. */
  list(): Promise<Passage[]>;
  count(): Promise<number>;
  close(): Promise<void>;
}
