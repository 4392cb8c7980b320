/** @file What a train or score program is fed: rows, weights of labels and pairs, vectors and scalars. */
import { DEFAULT_SIMPO_GAMMA, preferenceRules } from "../losses/index.js";
import { adamScalars } from "../optim/index.js";
import type { Feed, Feeds } from "../runtime/index.js";
import type { TokenizedPair } from "../text/types.js";
import { type CollateWeights, type MicroBatch, nllLabelCount, textLabelCount } from "./collate.js";
import type { LossName, PairScore, StepOptions, TrainBatch } from "./policy.js";

export const vectorFeed = (data: Float32Array): Feed => ({ data, dims: [data.length] });
const scalarFeed = (value: number): Feed => ({ data: new Float32Array([value]), dims: [] });

const ruleOf = (loss: LossName) => (loss === "sft" || loss === "orpo" ? undefined : preferenceRules[loss]);

/** Whether a step by this loss needs {@link TrainBatch.reference}. */
export const needsReference = (loss: LossName): boolean => ruleOf(loss)?.reference ?? false;

/** The DPO family has an NLL part only where texts are trained beside the pairs. */
export const hasNll = ({ texts }: TrainBatch, { loss }: StepOptions): boolean =>
  loss === "sft" || loss === "orpo" || texts.length > 0;

/** Means over the whole step: NLL by tokens, preference terms by pairs, texts by their own tokens. */
export function stepWeights(batch: TrainBatch, options: StepOptions): CollateWeights {
  const { loss, nllOver } = options;
  const rule = ruleOf(loss);
  const pairLabels = batch.pairs.reduce((sum, pair) => sum + nllLabelCount(pair, nllOver), 0);
  const textLabels = batch.texts.reduce((sum, text) => sum + textLabelCount(text), 0);
  return {
    text: textLabels === 0 ? 0 : options.textWeight / textLabels,
    pairNll: pairLabels === 0 || rule !== undefined ? 0 : 1 / pairLabels,
    nllOver,
    pair: batch.pairs.length === 0 ? 0 : 1 / batch.pairs.length,
    logps: rule?.logps ?? "mean",
  };
}

/** Scores are sums over the labels that are compared; nothing else is labelled. */
export const SCORE_WEIGHTS: CollateWeights = { text: 0, pairNll: 0, nllOver: "chosen", pair: 0, logps: "sum" };

/** What all programs over packed rows take. */
export function rowFeeds(rows: MicroBatch): Feeds {
  const cells = (data: Int32Array): Feed => ({ data, dims: [rows.rows, rows.time] });
  return {
    ids: cells(rows.ids),
    positions: cells(rows.positions),
    items: cells(rows.items),
    branches: cells(rows.branches),
    order: { data: Int32Array.from({ length: rows.time }, (_, i) => i), dims: [rows.time] },
    label_rows: { data: rows.labelRows, dims: [rows.labelRows.length] },
    targets: { data: rows.targets, dims: [rows.targets.length] },
  };
}

/** Weights of labels and pairs, and the loss's scalars. `reference` holds the scores of all pairs of the batch. */
export function lossFeeds(rows: MicroBatch, options: StepOptions, reference: readonly PairScore[] | undefined): Feeds {
  const [N, P] = [rows.targets.length, rows.pairs.length];
  const { loss, beta, labelSmoothing = 0, simpoGamma = DEFAULT_SIMPO_GAMMA } = options;
  const perPair = (of: (score: PairScore) => number): Feed => {
    const scores = rows.pairs.map((pair) => reference?.[pair] as PairScore);
    return { data: Float32Array.from(scores, of), dims: [P] };
  };
  const rule = ruleOf(loss);
  const logp = ({ sum, count }: PairScore["chosen"]): number => (rule?.logps === "mean" ? sum / count : sum);
  return {
    nll_weights: { data: rows.nllWeights, dims: [N] },
    chosen_weights: { data: rows.chosenWeights, dims: [P, N] },
    rejected_weights: { data: rows.rejectedWeights, dims: [P, N] },
    pair_weights: { data: rows.pairWeights, dims: [P] },
    beta: scalarFeed(beta),
    label_smoothing: scalarFeed(labelSmoothing),
    simpo_gamma: scalarFeed(simpoGamma),
    ...(needsReference(loss)
      ? { ref_chosen: perPair(({ chosen }) => logp(chosen)), ref_rejected: perPair(({ rejected }) => logp(rejected)) }
      : {}),
  };
}

/** Scalars of AdamW and clipping for step `step` = 1, 2, …, and the loss scale that only a float16 program takes. */
export function optimizerFeeds(
  { learningRate, weightDecay, maxGradNorm }: StepOptions,
  step: number,
  lossScale = 1,
): Feeds {
  const { stepSize, rootBias2, decay } = adamScalars(learningRate, weightDecay, step);
  return {
    loss_scale: scalarFeed(lossScale),
    max_grad_norm: scalarFeed(maxGradNorm),
    step_size: scalarFeed(stepSize),
    root_bias2: scalarFeed(rootBias2),
    decay: scalarFeed(decay),
  };
}

/** Reads the scores of a micro-batch's pairs out of the log-probabilities of its labels, into `scores` by pair. */
export function readScores(
  rows: MicroBatch,
  logps: Float32Array,
  pairs: readonly TokenizedPair[],
  scores: PairScore[],
): void {
  const N = rows.targets.length;
  rows.pairs.forEach((index, p) => {
    const pair = pairs[index] as TokenizedPair;
    const side = (weights: Float32Array, labels: Uint8Array) => {
      let sum = 0;
      for (let n = 0; n < N; n += 1) if (weights[p * N + n] !== 0) sum += logps[n] as number;
      return { sum, count: labels.reduce((a, b) => a + b, 0) };
    };
    scores[index] = {
      chosen: side(rows.chosenWeights, pair.chosen.labels),
      rejected: side(rows.rejectedWeights, pair.rejected.labels),
    };
  });
}
