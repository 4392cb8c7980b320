/** @file The embedding fixtures: directories, and the vectors that transformers gives (test/fixtures/make/embeddings.py). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FIXTURES = new URL("../fixtures/embeddings/", import.meta.url);

/** A tiny random BERT with CLS pooling, unit vectors and a prompt, or one with mean pooling in a folder of its own. */
export type TinyBert = "cls" | "mean";

export interface EmbeddingGolden {
  readonly text: string;
  readonly ids: readonly number[];
  readonly vector: readonly number[];
}

export const tinyBert = (name: TinyBert): string => fileURLToPath(new URL(name, FIXTURES));

export function embeddingGolden(file: string): readonly EmbeddingGolden[] {
  return JSON.parse(readFileSync(new URL(file, FIXTURES), "utf8")) as EmbeddingGolden[];
}

/** The largest difference of any element. */
export function farthest(vectors: readonly ArrayLike<number>[], wanted: readonly ArrayLike<number>[]): number {
  let most = vectors.length === wanted.length ? 0 : Number.NaN;
  vectors.forEach((vector, i) => {
    const other = wanted[i] ?? [];
    if (vector.length !== other.length) most = Number.NaN;
    for (let j = 0; j < vector.length; j += 1) {
      most = Math.max(most, Math.abs((vector[j] as number) - (other[j] as number)));
    }
  });
  return most;
}
