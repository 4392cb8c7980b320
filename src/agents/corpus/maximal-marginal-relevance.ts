/** @file Passages that fit and differ, by maximal marginal relevance: Carbonell & Goldstein (SIGIR 1998). */

export interface MmrCandidate {
  readonly id: string;
  /** Of unit length. */
  readonly vector: Float32Array;
  /** Similarity to the query. */
  readonly relevance: number;
}

/**
 * Picks one after the other what is greatest in λ · relevance − (1 − λ) · (greatest similarity to those picked); equal ones by
 * id. λ = 1 orders by relevance, λ = 0 by difference alone, where the first is still the most relevant.
 */
export function maximalMarginalRelevance(candidates: readonly MmrCandidate[], k: number, lambda: number): string[] {
  const left = candidates.map((candidate) => ({ ...candidate, nearest: Number.NEGATIVE_INFINITY }));
  const picked: string[] = [];
  while (picked.length < k && left.length > 0) {
    // With nothing picked yet there is nothing to differ from.
    const worth = (c: (typeof left)[number]) =>
      picked.length === 0 ? c.relevance : lambda * c.relevance - (1 - lambda) * c.nearest;
    let best = 0;
    for (let i = 1; i < left.length; i++) {
      const [a, b] = [left[i] as (typeof left)[number], left[best] as (typeof left)[number]];
      if (worth(a) > worth(b) || (worth(a) === worth(b) && a.id < b.id)) best = i;
    }
    const [next] = left.splice(best, 1) as [(typeof left)[number]];
    picked.push(next.id);
    for (const other of left) other.nearest = Math.max(other.nearest, dot(other.vector, next.vector));
  }
  return picked;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
