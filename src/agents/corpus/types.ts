/** @file Passages and what holds them. */

/** A piece of a document. `id` is content-addressed: the same text of the same source has the same id everywhere. */
export interface Passage {
  readonly id: string;
  readonly text: string;
  /** Path or name of the document. */
  readonly source: string;
  /** Character offsets in the document. */
  readonly start: number;
  readonly end: number;
}

export interface ScoredPassage extends Passage {
  /** Cosine similarity to the query, in [-1, 1]. */
  readonly score: number;
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
  /** Adds what is not there yet; returns how many were new. `onProgress` hears how many of those are embedded. */
  add(passages: readonly Passage[], signal?: AbortSignal, onProgress?: (finished: number) => void): Promise<number>;
  /** The k nearest passages. Throws with "call ingest-corpus first" where the store is empty. */
  query(text: string, k: number, signal?: AbortSignal): Promise<ScoredPassage[]>;
  /** All passages, ordered by id. */
  list(): Promise<Passage[]>;
  count(): Promise<number>;
  close(): Promise<void>;
}
