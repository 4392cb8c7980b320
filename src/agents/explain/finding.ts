/** @file One thing that was found in a run's numbers. */

export const LEVELS = ["problem", "warning", "note", "good"] as const;

export interface Finding {
  /** The rule that found it. */
  readonly id: string;
  readonly level: (typeof LEVELS)[number];
  /** Under TRL's names. */
  readonly metrics: readonly string[];
  /** The numbers. */
  readonly what: string;
  readonly why: string;
  /** What to try, the first first; settings by the names that start-run takes. */
  readonly advice: readonly string[];
}

/** Four digits that count. */
export const num = (value: number): string => String(Number(value.toPrecision(4)));
