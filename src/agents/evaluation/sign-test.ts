/** @file Exact tests of paired verdicts: how surprising the split of those that differ is, if either side were as likely. */

/**
 * Two-sided exact sign test: p = min(1, 2 · P(X ≤ min(wins, losses))) with X ~ Binomial(wins + losses, ½). Ties are left out
 * before. 1 where there is nothing to decide by.
 */
export function signTest(wins: number, losses: number): number {
  for (const count of [wins, losses]) {
    if (!Number.isInteger(count) || count < 0)
      throw new Error(`expected counts of 0 or more, found ${wins}, ${losses}`);
  }
  const n = wins + losses;
  const least = Math.min(wins, losses);
  // ln P(X = i), from P(X = i + 1) / P(X = i) = (n − i) / (i + 1).
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let i = 0; i <= least; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

export interface McNemar {
  /** Questions that were right before and are wrong after. */
  readonly lost: number;
  /** Questions that were wrong before and are right after. */
  readonly gained: number;
  /** Two-sided, exact. */
  readonly p: number;
}

/** McNemar's exact test: the sign test of the questions whose verdict changed (McNemar 1947, Psychometrika 12:153). */
export function mcnemarTest(before: readonly number[], after: readonly number[]): McNemar {
  if (before.length !== after.length) {
    throw new Error(`expected two lists of verdicts on the same questions, found ${before.length} and ${after.length}`);
  }
  const lost = before.filter((value, i) => value === 1 && after[i] === 0).length;
  const gained = before.filter((value, i) => value === 0 && after[i] === 1).length;
  return { lost, gained, p: signTest(gained, lost) };
}
