/** @file What a run has asked so far, as the question graph that steers what is asked next. */
import type { PreferencePair } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import type { MadePair } from "./round-pairs.js";

export interface AskedQuestions {
  draws(count: number, k: number, seed: number): readonly (readonly Passage[])[];
  problem(question: string): string | undefined;
  recordMade(made: readonly MadePair[], round: number): void;
  recordTrained(pair: PreferencePair): void;
  isChanged(): boolean;
  saved(): void;
  toJSON(): unknown;
}

export async function askedQuestions(
  _passages: readonly Passage[],
  _known: unknown,
): Promise<AskedQuestions | undefined> {
  return undefined;
}
