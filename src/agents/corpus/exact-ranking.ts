/** @file The nearest passages by exact cosine similarity, over all of them or, above a limit, over the union of candidates. */

import { weighedWords } from "./bm25.js";
import type { PassageTable } from "./passage-table.js";
import type { ScoredPassage } from "./types.js";

/** Up to here every passage is compared with the query: 50,000 x 1,024 products take about 60 ms. */
export const EXACT_LIMIT = 50_000;
/** Candidates asked of each source above the limit: k may be 10, and an approximate index misses many. */
const CANDIDATES = 1000;

export interface Query {
  readonly text: string;
  readonly vector: Float32Array;
}

/** Ids of about `n` passages that may be near the query. Unknown ids are ignored. */
export type CandidateSource = (query: Query, n: number, signal?: AbortSignal) => Promise<readonly string[]>;

export interface RankOptions {
  /** Asked only above `exactLimit`, beside the words of the table; their union is ranked exactly. */
  readonly sources?: readonly CandidateSource[];
  readonly exactLimit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Throws where nothing can be ranked. */
export function checkRanking(table: PassageTable, k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new Error(`k is ${k}: expected a whole number of at least 1`);
  if (table.size === 0) throw new Error("the corpus is empty: call ingest-corpus first");
}

/** Exact over all passages up to the limit; above it, over those that share the rarest words or that a source names. */
export async function rankPassages(
  table: PassageTable,
  query: Query,
  k: number,
  options: RankOptions = {},
): Promise<ScoredPassage[]> {
  checkRanking(table, k);
  return table.rank(query.vector, k, await candidates(table, query, k, options));
}

/** Among which passages the k nearest are looked for; undefined where all of them are. */
export async function candidates(
  table: PassageTable,
  query: Query,
  k: number,
  { sources = [], exactLimit = EXACT_LIMIT, signal }: RankOptions,
): Promise<readonly string[] | undefined> {
  if (table.size <= exactLimit) return undefined;
  const wanted = Math.max(CANDIDATES, 10 * k);
  const found = await Promise.all(sources.map((source) => source(query, wanted, signal)));
  signal?.throwIfAborted();
  const sharing = (await table.words()).rank(weighedWords(query.text), wanted);
  return [...sharing.map(({ id }) => id), ...found.flat()];
}
