/** @file A dataset as the trainer takes it: tokens, and every row that was left out, by number and reason. */
import type { RowProblem } from "./dataset-rows.js";
import type { PreferenceText } from "./preference-row.js";
import type { Dataset } from "./read-dataset.js";
import type { SupervisedText } from "./supervised-row.js";
import { type TokenizePairOptions, tokenizePairs } from "./tokenize-pair.js";
import { type TokenizeSupervisedOptions, tokenizeSupervised } from "./tokenize-supervised.js";
import type { DropReason, LabelledTokens, TokenizedPair } from "./types.js";

/** What a user reads of a dropped row. */
const DROP_TEXT: Readonly<Record<DropReason, string>> = {
  "prompt-too-long": "the replies leave no room for the prompt (max_length, max_prompt_length)",
  "answer-too-long": "a reply is longer than max_length",
  "end-marker-cut": "a reply is longer than max_length, and its end marker would be cut off",
  "empty-answer": "a reply is empty",
  "identical-answers": "chosen and rejected are the same",
  "nothing-to-compare": "a reply ends with its thinking section, so there is no answer to compare",
};

export interface PreferenceTokens {
  readonly pairs: readonly TokenizedPair[];
  /** `numbers[i]` is the line or row that `pairs[i]` came from. */
  readonly numbers: readonly number[];
  /** In the order of their numbers. */
  readonly left: readonly RowProblem[];
  /** Kept pairs of which a side has no section that the mask could act on. */
  readonly unmasked: number;
  readonly promptCut: number;
}

export interface SupervisedTokens {
  readonly texts: readonly LabelledTokens[];
  readonly left: readonly RowProblem[];
  readonly promptCut: number;
}

/** Throws where no pair is left. */
export function tokenizePreferences(dataset: Dataset<PreferenceText>, options: TokenizePairOptions): PreferenceTokens {
  const { pairs, indices, drops, unmasked, promptCut } = tokenizePairs(dataset.rows, options);
  const left = leftOut(dataset, drops);
  if (pairs.length === 0) throw noneLeft("pair", dataset, left);
  return { pairs, numbers: indices.map((i) => dataset.rows[i]!.number), left, unmasked, promptCut };
}

/** Throws where no text is left. */
export function tokenizeTexts(dataset: Dataset<SupervisedText>, options: TokenizeSupervisedOptions): SupervisedTokens {
  const { texts, drops, promptCut } = tokenizeSupervised(dataset.rows, options);
  const left = leftOut(dataset, drops);
  if (texts.length === 0) throw noneLeft("text", dataset, left);
  return { texts, left, promptCut };
}

/** One line for each row that was left out, the first `most` of them. */
export function leftOutLines(left: readonly RowProblem[], unit: Dataset<unknown>["unit"], most = 10): string[] {
  const lines = left.slice(0, most).map(({ number, reason }) => `${unit} ${number}: ${reason}`);
  return left.length > most ? [...lines, `and ${left.length - most} more`] : lines;
}

function leftOut(
  dataset: Dataset<{ readonly number: number }>,
  drops: readonly { readonly row: number; readonly reason: DropReason }[],
): RowProblem[] {
  const dropped = drops.map(({ row, reason }) => ({ number: dataset.rows[row]!.number, reason: DROP_TEXT[reason] }));
  return [...dataset.refused, ...dropped].sort((a, b) => a.number - b.number);
}

function noneLeft(what: string, { unit }: Dataset<unknown>, left: readonly RowProblem[]): Error {
  const list = leftOutLines(left, unit).map((line) => `\n  - ${line}`);
  return new Error(`no ${what} of the dataset can be trained on:${list.join("")}`);
}
