/** @file Evaluation on held-out rows: loss and metrics under TRL's names, means over all tokens and all pairs of the set. */
import { needsReference } from "../run/index.js";
import type { LossName, PairScore, Policy } from "../run/policy.js";
import type { LabelledTokens, TokenizedPair } from "../text/index.js";
import { type LossNumbers, logOdds, logSigmoid, meanOf, preferenceValue } from "./loss-values.js";
import type { ReferenceScores } from "./reference-cache.js";
import type { TrainEvent } from "./train-events.js";
import { chosenText, type TrainingRows } from "./training-data.js";

export interface EvaluationOptions extends LossNumbers {
  readonly loss: LossName;
  readonly nllOver: "prompt+chosen" | "chosen";
  /** Rows of one call of the policy. */
  readonly batchSize: number;
  readonly reference?: ReferenceScores | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Metrics = Readonly<Record<string, number>>;

/** Scores the rows in batches, yielding progress, and returns metrics with the prefix `eval_`. */
export async function* evaluate(
  policy: Pick<Policy, "scorePairs">,
  rows: Pick<TrainingRows, "kind" | "evaluation">,
  options: EvaluationOptions,
): AsyncGenerator<TrainEvent, Metrics> {
  if (rows.kind === "texts") {
    const texts = rows.evaluation as readonly LabelledTokens[];
    const scores = yield* scored(policy, texts.map(textAsPair), options);
    const nll = tokenMean(scores);
    return { eval_loss: nll, eval_nll_loss: nll };
  }
  const pairs = rows.evaluation as readonly TokenizedPair[];
  const scores = yield* scored(policy, pairs, options);
  const metrics =
    options.loss === "orpo" ? yield* orpo(policy, pairs, scores, options) : preference(pairs, scores, options);
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value]));
}

async function* scored(
  policy: Pick<Policy, "scorePairs">,
  pairs: readonly TokenizedPair[],
  { batchSize, signal }: EvaluationOptions,
): AsyncGenerator<TrainEvent, PairScore[]> {
  const scores: PairScore[] = [];
  for (let from = 0; from < pairs.length; from += batchSize) {
    signal?.throwIfAborted();
    const chunk = pairs.slice(from, from + batchSize);
    scores.push(...(await policy.scorePairs(chunk, signal === undefined ? {} : { signal })));
    yield { kind: "progress", phase: "evaluation", done: scores.length, total: pairs.length };
  }
  return scores;
}

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Mean NLL of the labelled tokens of all chosen replies. */
function tokenMean(scores: readonly PairScore[]): number {
  const total = (key: "sum" | "count"): number => scores.reduce((sum, { chosen }) => sum + chosen[key], 0);
  return -total("sum") / total("count");
}

/** A text for the scoring of pairs: behind its first token stands the rest as the chosen reply; the other side is one token. */
export function textAsPair({ ids, labels }: LabelledTokens): TokenizedPair {
  return {
    prompt: ids.slice(0, 1),
    chosen: { ids: ids.slice(1), labels: labels.slice(1) },
    rejected: { ids: ids.slice(0, 1), labels: new Uint8Array(1).fill(1) },
  };
}

async function* orpo(
  policy: Pick<Policy, "scorePairs">,
  pairs: readonly TokenizedPair[],
  scores: readonly PairScore[],
  options: EvaluationOptions,
): AsyncGenerator<TrainEvent, Metrics> {
  // Scores cover labelled tokens only; an NLL over the prompt as well takes a second look.
  const whole = pairs.map((pair) => textAsPair(chosenText(pair, "prompt+chosen")));
  const nll = tokenMean(options.nllOver === "chosen" ? scores : yield* scored(policy, whole, options));
  const odds = scores.map(({ chosen, rejected }) => logOdds(meanOf(chosen), meanOf(rejected)));
  const ratio = mean(odds.map(logSigmoid));
  return {
    loss: nll - options.beta * ratio,
    ...rewards(scores, undefined, options.beta),
    nll_loss: nll,
    log_odds_chosen: mean(odds),
    log_odds_ratio: ratio,
  };
}

function preference(
  pairs: readonly TokenizedPair[],
  scores: readonly PairScore[],
  options: EvaluationOptions,
): Metrics {
  const { loss } = options;
  if (loss === "sft" || loss === "orpo") throw new Error(`internal: ${loss} is not of the DPO family`);
  const reference = needsReference(loss) ? pairs.map((pair) => options.reference?.of(pair) as PairScore) : undefined;
  const losses = scores.map((score, i) => preferenceValue(loss, score, reference?.[i], options));
  return { loss: mean(losses), ...rewards(scores, reference, options.beta) };
}

/** With a reference sums, and rewards against it; without one means. */
function rewards(scores: readonly PairScore[], reference: readonly PairScore[] | undefined, beta: number): Metrics {
  const side = (name: "chosen" | "rejected"): number[] =>
    scores.map((score) => (reference === undefined ? meanOf(score[name]) : score[name].sum));
  const [chosen, rejected] = [side("chosen"), side("rejected")];
  const reward = (logps: readonly number[], name: "chosen" | "rejected"): number[] =>
    logps.map((logp, i) => beta * (logp - (reference?.[i]?.[name].sum ?? 0)));
  const [good, bad] = [reward(chosen, "chosen"), reward(rejected, "rejected")];
  const margins = good.map((value, i) => value - (bad[i] as number));
  return {
    "rewards/chosen": mean(good),
    "rewards/rejected": mean(bad),
    "rewards/accuracies": mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
    "rewards/margins": mean(margins),
    "logps/chosen": mean(chosen),
    "logps/rejected": mean(rejected),
  };
}
