/** @file Measured accuracy of a subject, and how much it needs asking again: a Beta posterior whose evidence ages. */

export interface Outcome {
  readonly round: number;
  /** Null where nobody could tell. */
  readonly right: boolean | null;
}

/** How the student stands on a topic, a concept or a passage. */
export interface Standing {
  readonly name: string;
  readonly right: number;
  readonly answered: number;
  /** Outcomes that could not be marked. */
  readonly unmarked: number;
  /** right / answered, unaged; absent where nothing was answered. */
  readonly accuracy?: number;
  /** What the accuracy is at least, to one posterior standard deviation. */
  readonly lower: number;
  /** 1 − lower: 0.79 where nothing is known, near 1 where all is wrong, falling towards 0 where all is right. */
  readonly need: number;
}

/** A student changes with every round: after two rounds an outcome counts half (0.7² = 0.49). */
export const AGEING = 0.7;

/**
 * With r right of n, each outcome counted AGEING^(now − round), the accuracy is Beta(1 + r, 1 + n − r); `lower` is its
 * mean less its standard deviation. A subject that was asked little keeps a wide posterior, so need also explores.
 */
export function standing(name: string, outcomes: readonly Outcome[], now: number): Standing {
  let [right, answered, agedRight, agedAnswered] = [0, 0, 0, 0];
  for (const outcome of outcomes) {
    if (outcome.right === null) continue;
    const weight = AGEING ** Math.max(0, now - outcome.round);
    answered += 1;
    agedAnswered += weight;
    if (!outcome.right) continue;
    right += 1;
    agedRight += weight;
  }
  const lower = betaLower(1 + agedRight, 1 + agedAnswered - agedRight);
  const accuracy = answered === 0 ? {} : { accuracy: right / answered };
  return { name, right, answered, unmarked: outcomes.length - answered, ...accuracy, lower, need: 1 - lower };
}

function betaLower(a: number, b: number): number {
  const n = a + b;
  return Math.max(0, a / n - Math.sqrt((a * b) / (n * n * (n + 1))));
}
