/** @file Seeded choices: in proportion to weights, and the least counted first. */
import type { Rng } from "../rng.js";

/** One item with probability weight / Σ weights; uniformly where all weights are 0. Items must not be empty. */
export function pickWeighted<T>(rng: Rng, items: readonly T[], weights: readonly number[]): T {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0)) return rng.pick(items);
  let left = rng.uniform() * total;
  let last = 0;
  for (const [i, weight] of weights.entries()) {
    if (weight <= 0) continue;
    last = i;
    left -= weight;
    if (left < 0) break;
  }
  return items[last]!;
}

/**
 * A series that gives, each time it is called, one of the items with the smallest count at that moment, in a seeded order.
 * Counts may grow between calls. Sorts out the smallest again only when those are used up, so that a call is cheap.
 */
export function rarestFirst<T>(counts: ReadonlyMap<T, number>, rng: Rng): () => T {
  let level = Number.NEGATIVE_INFINITY;
  let queue: T[] = [];
  return () => {
    for (;;) {
      const next = queue.pop();
      if (next === undefined) {
        level = Array.from(counts.values()).reduce((least, count) => Math.min(least, count), Number.POSITIVE_INFINITY);
        queue = rng.shuffle([...counts].filter(([, count]) => count === level).map(([item]) => item));
        if (queue.length === 0) throw new Error("internal: nothing to draw from");
      } else if (counts.get(next) === level) {
        return next;
      }
    }
  };
}
