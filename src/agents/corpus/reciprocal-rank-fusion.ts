/** @file Several rankings made one by reciprocal rank fusion: Cormack, Clarke & Büttcher (SIGIR 2009). */

import { isBefore, type Ranked } from "./best-list.js";

/** The constant of the paper: how little the very first places stand out. */
const RRF_K = 60;

/**
 * Σ 1 / (k + rank) over the rankings that hold an id, ranks from 1; best first, equal ones by id. The order of the rankings
 * changes no bit. An id may stand once in a ranking.
 */
export function reciprocalRankFusion(rankings: readonly (readonly string[])[], k = RRF_K): Ranked[] {
  const ranks = new Map<string, number[]>();
  for (const ranking of rankings) {
    for (const [i, id] of ranking.entries()) {
      const places = ranks.get(id);
      if (places === undefined) ranks.set(id, [i + 1]);
      else places.push(i + 1);
    }
  }
  const fused = [...ranks].map(([id, places]) => ({
    id,
    score: places.sort((a, b) => a - b).reduce((sum, rank) => sum + 1 / (k + rank), 0),
  }));
  return fused.sort((a, b) => (isBefore(a.score, a.id, b) ? -1 : 1));
}
