/** @file The nearest of a few known words, for "did you mean" in messages. */

/** Edit distance with transpositions of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const substituted = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(substituted, rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = best;
    }
  }
  return rows[a.length]![b.length]!;
}

/** The candidate that a typing slip most likely meant, or undefined where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const low = word.toLowerCase().slice(0, 64);
  const prefixed = candidates.find((c) => low.length >= 2 && (c.startsWith(low) || low.startsWith(c)));
  const ranked = candidates.map((c) => ({ c, d: distance(low, c.toLowerCase()) })).sort((x, y) => x.d - y.d);
  const best = ranked[0];
  const shared = best !== undefined && best.d < Math.max(best.c.length, low.length);
  if (shared && best.d <= Math.max(1, Math.floor(best.c.length / 3))) return best.c;
  return prefixed;
}
