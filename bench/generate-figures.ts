/** @file What the events of a generation come to, by the same rules for every side. Knows no engine. */
import { DISTURBED, median } from "./load.js";

/** Tokens of one row that arrived together: milliseconds since the start, the row, how many. */
export type Arrival = readonly [milliseconds: number, row: number, tokens: number];

export interface TimedGeneration {
  readonly events: readonly Arrival[];
  /** New tokens of each row. */
  readonly ids: readonly (readonly number[])[];
  /** Cores that other processes had meanwhile. */
  readonly otherCores: number;
}

export interface Rates {
  /** While every row decodes: from the last row's first token to the first row's end. */
  readonly tokensPerSecond: number;
  /** From the call to its end, prefill included. */
  readonly totalTokensPerSecond: number;
  /** Until every row has its first token. */
  readonly firstTokenMs: number;
}

/**
 * Tokens that come together with the last row's first one belong to no measured time and are not counted. Where no row is
 * left to decode when the last one starts, the time runs to the end of all.
 */
export function ratesOf({ events, ids }: TimedGeneration): Rates {
  const times = ids.map((_, row) => events.filter((event) => event[1] === row).map(([at]) => at));
  if (times.length === 0 || times.some((row) => row.length === 0)) {
    throw new Error("internal: a row has no tokens");
  }
  const firstTokenMs = Math.max(...times.map((row) => Math.min(...row)));
  const ends = times.map((row) => Math.max(...row));
  const end = Math.max(...ends);
  const until = Math.min(...ends) > firstTokenMs ? Math.min(...ends) : end;
  const tokens = (from: number, to: number): number =>
    events.reduce((sum, [at, , count]) => (at > from && at <= to ? sum + count : sum), 0);
  return {
    tokensPerSecond: (1000 * tokens(firstTokenMs, until)) / (until - firstTokenMs),
    totalTokensPerSecond: (1000 * tokens(-1, end)) / end,
    firstTokenMs,
  };
}

/** Share of the reply's tokens before the first difference, over all rows. */
export function sameTokens(ours: readonly (readonly number[])[], theirs: readonly (readonly number[])[]): number {
  const same = ours.map((row, r) => {
    const different = row.findIndex((id, i) => id !== theirs[r]?.[i]);
    return (different === -1 ? row.length : different) / row.length;
  });
  return same.reduce((sum, share) => sum + share, 0) / same.length;
}

/** One repetition of a case on both sides. */
export interface Round {
  readonly ours: TimedGeneration;
  readonly theirs: TimedGeneration;
}

/** Median of ours / theirs, over the rounds that nothing disturbed on either side, or over all where there are none. */
export function ratioOf(rounds: readonly Round[]): number {
  const quiet = rounds.filter(({ ours, theirs }) => Math.max(ours.otherCores, theirs.otherCores) <= DISTURBED);
  return median(
    (quiet.length > 0 ? quiet : rounds).map(
      ({ ours, theirs }) => ratesOf(ours).tokensPerSecond / ratesOf(theirs).tokensPerSecond,
    ),
  );
}

/** Sizes that the bytes of a step depend on. */
export interface ModelSizes {
  /** Weights of all matrices that a step multiplies by, but for the head. */
  readonly matrices: number;
  readonly head: number;
  /** Elements of keys and values of one token, all layers together. */
  readonly cachedPerToken: number;
}

/** A block of 32 has one float32 scale. */
const BYTES = { float32: 4, float16: 2, int8: 1 + 4 / 32, int4: 1 / 2 + 4 / 32 } as const;

/** Bytes of weights and float32 caches that one step of `batch` tokens must read; `past` is the mean length of a row. */
export function bytesPerStep(sizes: ModelSizes, weights: keyof typeof BYTES, batch: number, past: number): number {
  const head = weights === "int4" ? BYTES.int8 : BYTES[weights];
  return sizes.matrices * BYTES[weights] + sizes.head * head + batch * past * sizes.cachedPerToken * 4;
}
