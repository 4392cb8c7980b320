/** @file Passages, their vectors and their words in memory, ranked exactly; equal scores by passage id. */

import { setImmediate } from "node:timers/promises";
import { BestList, type Ranked } from "./best-list.js";
import { Bm25Index } from "./bm25.js";
import type { Passage, ScoredPassage } from "./types.js";

/** Some tens of milliseconds. */
const INDEXED_AT_ONCE = 200;

export class PassageTable {
  readonly dimensions: number;
  private readonly rows = new Map<string, number>();
  private readonly passages: Passage[] = [];
  private vectors: Float32Array;
  private index: Bm25Index | undefined;
  private indexed: Promise<Bm25Index> | undefined;

  constructor(dimensions: number) {
    this.dimensions = dimensions;
    this.vectors = new Float32Array(dimensions * 64);
  }

  get size(): number {
    return this.passages.length;
  }

  get(id: string): Passage | undefined {
    const row = this.rows.get(id);
    return row === undefined ? undefined : this.passages[row];
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
    this.index?.add(passage.id, passage.text);
    return true;
  }

  /** The same text at another place of its document. */
  move({ id, start, end }: Pick<Passage, "id" | "start" | "end">): void {
    const row = this.rows.get(id);
    if (row !== undefined) this.passages[row] = { ...(this.passages[row] as Passage), start, end };
  }

  /** The last row takes the place of the removed one. False where the id is not there. */
  remove(id: string): boolean {
    const row = this.rows.get(id);
    if (row === undefined) return false;
    const last = this.passages.pop() as Passage;
    this.rows.delete(id);
    if (last.id !== id) {
      this.passages[row] = last;
      this.rows.set(last.id, row);
      this.vectors.copyWithin(row * this.dimensions, this.size * this.dimensions, (this.size + 1) * this.dimensions);
    }
    this.index?.remove(id);
    return true;
  }

  /** Ordered by id. */
  list(): Passage[] {
    return [...this.passages].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** In no order that means something. */
  ids(): Iterable<string> {
    return this.rows.keys();
  }

  vectorOf(id: string): Float32Array | undefined {
    const row = this.rows.get(id);
    return row === undefined ? undefined : this.vectorAt(row);
  }

  /** The words of all passages; indexed when they are first asked for, a part at a time, so that the process stays responsive. */
  words(): Promise<Bm25Index> {
    this.indexed ??= this.indexAll();
    return this.indexed;
  }

  private async indexAll(): Promise<Bm25Index> {
    const index = new Bm25Index();
    // From here on, what comes and goes meanwhile comes and goes in the index too.
    this.index = index;
    for (const [i, { id, text }] of [...this.passages].entries()) {
      if (i % INDEXED_AT_ONCE === INDEXED_AT_ONCE - 1) await setImmediate();
      if (this.has(id)) index.add(id, text);
    }
    return index;
  }

  /** The k nearest, exactly, over all passages or over those named in `among`. */
  rank(query: Float32Array, k: number, among?: Iterable<string>): ScoredPassage[] {
    return this.nearest(query, k, among).map(({ id, score }) => ({ ...(this.get(id) as Passage), score }));
  }

  /** As `rank`, without the passages themselves. */
  nearest(query: Float32Array, k: number, among?: Iterable<string>): readonly Ranked[] {
    const terms = nonZero(query);
    const best = new BestList(k);
    for (const row of this.rowsOf(among)) best.offer((this.passages[row] as Passage).id, this.similarity(terms, row));
    return best.list().map(({ id, score }) => ({ id, score: Math.max(-1, Math.min(1, score)) }));
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

  private vectorAt(row: number): Float32Array {
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
