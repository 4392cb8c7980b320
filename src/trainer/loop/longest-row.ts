/** @file The largest row of a training, which decides how much memory a step takes. */
import type { RowSizes } from "../run/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/index.js";
import type { TrainConfig } from "./train-config.js";
import type { TrainingData } from "./training-data.js";

/** Sizes of the longest row as it is trained on: a pair is its prompt once and both replies behind it. */
export function longestRow(data: TrainingData, config: Pick<TrainConfig, "loss" | "nllOver">): RowSizes {
  const rows = [...(data.pairs ?? []).map((pair) => pairSizes(pair, config)), ...(data.texts ?? []).map(textSizes)];
  return rows.reduce((longest, row) => (row.time > longest.time ? row : longest), { time: 0, labels: 0, pairs: 0 });
}

function pairSizes(pair: TokenizedPair, { loss, nllOver }: Pick<TrainConfig, "loss" | "nllOver">): RowSizes {
  const { prompt, chosen, rejected } = pair;
  if (loss === "sft") {
    const time = prompt.length + chosen.ids.length;
    return { time, labels: nllOver === "chosen" ? labelsOf(chosen) : time - 1, pairs: 0 };
  }
  const overPrompt = loss === "orpo" && nllOver === "prompt+chosen";
  return {
    time: prompt.length + chosen.ids.length + rejected.ids.length,
    labels: labelsOf(chosen) + labelsOf(rejected) + (overPrompt ? prompt.length : 0),
    pairs: 1,
  };
}

const textSizes = (text: LabelledTokens): RowSizes => ({ time: text.ids.length, labels: labelsOf(text), pairs: 0 });

const labelsOf = ({ labels }: LabelledTokens): number => labels.reduce((sum, label) => sum + label, 0);
