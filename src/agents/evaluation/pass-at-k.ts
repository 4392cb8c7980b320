/** @file pass@k: how likely one of k samples is right, from n ≥ k samples of which c were. */
import { type BootstrapMean, bootstrapMean } from "./bootstrap.js";

/**
 * Unbiased estimate for one question: 1 − C(n − c, k) / C(n, k), the share of subsets of k samples that hold a right one
 * (Chen et al. 2021, arXiv 2107.03374, equation 1). As a product, so that no binomial grows large:
 * C(n − c, k) / C(n, k) = Π_{i = n − c + 1 … n} (1 − k / i).
 */
export function passAtK(n: number, c: number, k: number): number {
  const whole = [n, c, k].every(Number.isInteger);
  if (!whole || c < 0 || c > n || k < 1 || k > n) {
    throw new Error(`pass@k: expected 0 ≤ c ≤ n and 1 ≤ k ≤ n, found n = ${n}, c = ${c}, k = ${k}`);
  }
  if (n - c < k) return 1;
  let none = 1;
  for (let i = n - c + 1; i <= n; i++) none *= 1 - k / i;
  return 1 - none;
}

export interface PassAtK extends BootstrapMean {
  readonly k: number;
}

/** Mean over questions for each k. `right[q]` holds the verdicts on the samples of one question, as many for each. */
export function passAtKs(right: readonly (readonly boolean[])[], ks: readonly number[], seed: number): PassAtK[] {
  const samples = right[0]?.length ?? 0;
  if (right.some((verdicts) => verdicts.length !== samples)) {
    throw new Error("pass@k: expected as many samples of each question");
  }
  const counts = right.map((verdicts) => verdicts.filter(Boolean).length);
  return ks.map((k) => ({
    k,
    ...bootstrapMean(
      counts.map((c) => passAtK(samples, c, k)),
      { seed },
    ),
  }));
}
