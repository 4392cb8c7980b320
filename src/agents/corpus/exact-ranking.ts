/** @file Passages and their vectors in memory, ranked by exact cosine similarity; equal scores by passage id. */

import type { Passage, ScoredPassage } from "./types.js";

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

export class PassageTable {
  readonly dimensions: number;
  private readonly rows = new Map<string, number>();
  private readonly passages: Passage[] = [];
  private vectors: Float32Array;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.vectors = new Float32Array(dimensions * 64);
  }

  get size(): number {
    return this.passages.length;
  }

  has(id: string): boolean {
    return this.rows.has(id);
  }

  /** False where the id is there already. Throws where the vector has another length. */
  add(passage: Passage, vector: ArrayLike<number>): boolean {
    if (vector.length !== this.dimensions) {
      throw new Error(
        `passage ${passage.id}: vector of ${vector.length} dimensions, expected ${this.dimensions}. The collection was ` +
          "made with another embedder: choose another collection name and ingest again.",
      );
    }
    if (this.rows.has(passage.id)) return false;
    const row = this.passages.length;
    if ((row + 1) * this.dimensions > this.vectors.length) {
      const grown = new Float32Array(this.vectors.length * 2);
      grown.set(this.vectors);
      this.vectors = grown;
    }
    this.vectors.set(vector, row * this.dimensions);
    this.rows.set(passage.id, row);
    this.passages.push(passage);
    return true;
  }

  /** Ordered by id. */
  list(): Passage[] {
    return [...this.passages].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** In the order in which they were added: grows at its end. */
  get all(): readonly Passage[] {
    return this.passages;
  }

  /** From row `from`, in the order in which they were added. */
  *entries(from = 0): Generator<[Passage, Float32Array]> {
    for (let row = from; row < this.size; row++) yield [this.passages[row]!, this.vector(row)];
  }

  /** The k nearest, exactly, over all passages or over those named in `among`. */
  rank(query: Float32Array, k: number, among?: Iterable<string>): ScoredPassage[] {
    const terms = nonZero(query);
    const best: { row: number; id: string; score: number }[] = [];
    for (const row of this.rowsOf(among)) {
      const score = this.similarity(terms, row);
      const worst = best[k - 1];
      if (worst && score < worst.score) continue;
      const id = this.passages[row]!.id;
      let at = best.length;
      while (at > 0 && isBefore(score, id, best[at - 1]!)) at--;
      best.splice(at, 0, { row, id, score });
      if (best.length > k) best.pop();
    }
    return best.map(({ row, score }) => ({ ...this.passages[row]!, score: Math.max(-1, Math.min(1, score)) }));
  }

  private rowsOf(among?: Iterable<string>): Iterable<number> {
    if (among === undefined) return this.rows.values();
    return [...new Set(among)].map((id) => this.rows.get(id)).filter((row) => row !== undefined);
  }

  private similarity({ places, values }: SparseVector, row: number): number {
    const vectors = this.vectors;
    const from = row * this.dimensions;
    let sum = 0;
    for (let i = 0; i < places.length; i++) sum += values[i]! * vectors[from + places[i]!]!;
    return sum;
  }

  private vector(row: number): Float32Array {
    return this.vectors.subarray(row * this.dimensions, (row + 1) * this.dimensions);
  }
}

interface SparseVector {
  readonly places: Int32Array;
  readonly values: Float64Array;
}

/** A lexical query fills about a tenth of the dimensions; the others would only add zeros. */
function nonZero(vector: Float32Array): SparseVector {
  const places = [...vector.keys()].filter((i) => vector[i] !== 0);
  return { places: Int32Array.from(places), values: Float64Array.from(places, (i) => vector[i]!) };
}

function isBefore(score: number, id: string, other: { score: number; id: string }): boolean {
  return score > other.score || (score === other.score && id < other.id);
}

export interface RankOptions {
  /** Asked only above `exactLimit`; their union is ranked exactly. */
  readonly sources: readonly CandidateSource[];
  readonly exactLimit?: number;
  readonly signal?: AbortSignal;
}

/** Exact over all passages up to the limit; above it, exact over the union of the sources' candidates. */
export async function rankPassages(
  table: PassageTable,
  query: Query,
  k: number,
  { sources, exactLimit = EXACT_LIMIT, signal }: RankOptions,
): Promise<ScoredPassage[]> {
  if (!Number.isInteger(k) || k < 1) throw new Error(`k is ${k}: expected a whole number of at least 1`);
  if (table.size === 0) throw new Error("the corpus is empty: call ingest-corpus first");
  if (table.size <= exactLimit || sources.length === 0) return table.rank(query.vector, k);
  const wanted = Math.max(CANDIDATES, 10 * k);
  const found = await Promise.all(sources.map((source) => source(query, wanted, signal)));
  signal?.throwIfAborted();
  return table.rank(query.vector, k, found.flat());
}
