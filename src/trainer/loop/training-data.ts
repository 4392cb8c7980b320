/** @file What a training reads, as tokens: preference pairs or texts, held-out ones, and what was left out before. */
import { createHash } from "node:crypto";
import { createRng, type LabelledTokens, type RowProblem, type TokenizedPair } from "../text/index.js";

export interface TrainingData {
  /** Rows of every loss but sft, which takes their prompt and chosen reply. */
  readonly pairs?: readonly TokenizedPair[];
  /** Rows of sft. */
  readonly texts?: readonly LabelledTokens[];
  readonly evalPairs?: readonly TokenizedPair[];
  readonly evalTexts?: readonly LabelledTokens[];
  /** Rows that could not be used, by number and reason. */
  readonly left?: readonly RowProblem[];
  readonly evalLeft?: readonly RowProblem[];
  /** What the numbers count; default "row". */
  readonly unit?: "line" | "row";
  /** Pairs of which a side has no section that the mask could act on. */
  readonly unmasked?: number;
  /** Rows whose prompt lost its beginning. */
  readonly promptCut?: number;
}

/** The rows of one training, of one kind. */
export type TrainingRows =
  | { readonly kind: "pairs"; readonly train: readonly TokenizedPair[]; readonly evaluation: readonly TokenizedPair[] }
  | {
      readonly kind: "texts";
      readonly train: readonly LabelledTokens[];
      readonly evaluation: readonly LabelledTokens[];
    };

export interface RowsOptions {
  readonly sft: boolean;
  readonly nllOver: "prompt+chosen" | "chosen";
  /** Held out where no evaluation rows are given: a share below 1, or a number. */
  readonly evalSize: number;
  readonly seed: number;
}

/** Throws where the data does not suit the loss, or nothing is left to train on. */
export function trainingRows(data: TrainingData, { sft, nllOver, evalSize, seed }: RowsOptions): TrainingRows {
  if (!sft) {
    if ((data.texts?.length ?? 0) > 0)
      throw new Error("expected preference pairs, found texts; only sft trains on texts");
    const split = heldOut(data.pairs ?? [], data.evalPairs ?? [], evalSize, seed);
    return { kind: "pairs", ...split };
  }
  const texts = (pairs: readonly TokenizedPair[] | undefined, plain: readonly LabelledTokens[] | undefined) => [
    ...(plain ?? []),
    ...(pairs ?? []).map((pair) => chosenText(pair, nllOver)),
  ];
  const split = heldOut(texts(data.pairs, data.texts), texts(data.evalPairs, data.evalTexts), evalSize, seed);
  return { kind: "texts", ...split };
}

function heldOut<T>(all: readonly T[], given: readonly T[], evalSize: number, seed: number) {
  const count = given.length > 0 ? 0 : evalSize < 1 ? Math.ceil(all.length * evalSize) : evalSize;
  if (all.length - count < 1) {
    const why = count === 0 ? "found none" : `found ${all.length}, of which eval_size holds out ${count}`;
    throw new Error(`expected rows to train on, ${why}`);
  }
  if (count === 0) return { train: all, evaluation: given };
  const out = new Set(
    createRng(seed, "held-out")
      .shuffle(all.map((_, i) => i))
      .slice(0, count),
  );
  return { train: all.filter((_, i) => !out.has(i)), evaluation: all.filter((_, i) => out.has(i)) };
}

/** Prompt and chosen reply as one text. */
export function chosenText({ prompt, chosen }: TokenizedPair, nllOver: RowsOptions["nllOver"]): LabelledTokens {
  const ids = new Int32Array(prompt.length + chosen.ids.length);
  ids.set(prompt);
  ids.set(chosen.ids, prompt.length);
  const labels = new Uint8Array(ids.length).fill(1, 1);
  if (nllOver === "chosen") {
    labels.fill(0, 0, prompt.length);
    labels.set(chosen.labels, prompt.length);
  }
  return { ids, labels };
}

/** Tokens that a row costs where nothing is shared. */
export function tokensOf(row: TokenizedPair | LabelledTokens): number {
  if ("ids" in row) return row.ids.length;
  return 2 * row.prompt.length + row.chosen.ids.length + row.rejected.ids.length;
}

/** SHA-256 over the tokens and labels of rows, in their order: tokenizer, template, lengths and masks all show in it. */
export function rowsHash(rows: readonly (TokenizedPair | LabelledTokens)[]): string {
  const hash = createHash("sha256");
  for (const row of rows) hash.update(rowKey(row));
  return hash.digest("hex");
}

/** SHA-256 of one row. */
export function rowKey(row: TokenizedPair | LabelledTokens): string {
  const hash = createHash("sha256");
  const part = (values: Int32Array | Uint8Array): void => {
    hash.update(`${values.length}:`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  const parts = "ids" in row ? [row] : [row.chosen, row.rejected];
  if (!("ids" in row)) part(row.prompt);
  for (const { ids, labels } of parts) {
    part(ids);
    part(labels);
  }
  return hash.digest("hex");
}
