/** @file What a step reports, under TRL's names. */
import type { StepMetrics, StepOptions } from "./policy.js";

/** What the micro-batches of one step gave, joined. Preference vectors hold one entry a pair. */
export interface StepResults {
  readonly loss: number;
  readonly nll: number;
  readonly gradNorm: number;
  readonly chosen: readonly number[];
  readonly rejected: readonly number[];
  readonly logOdds: readonly number[];
  readonly logSigmoidOdds: readonly number[];
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** ORPO's rewards are β times the mean log-probability of a reply; accuracies count strictly larger ones. */
export function stepMetrics(results: StepResults, options: StepOptions): StepMetrics {
  const { loss, nll, gradNorm, chosen, rejected } = results;
  const common = { loss, grad_norm: gradNorm, learning_rate: options.learningRate, nll_loss: nll };
  if (chosen.length === 0) return common;
  const margins = chosen.map((logp, i) => options.beta * (logp - (rejected[i] as number)));
  return {
    ...common,
    "rewards/chosen": options.beta * mean(chosen),
    "rewards/rejected": options.beta * mean(rejected),
    "rewards/accuracies": mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
    "rewards/margins": mean(margins),
    "logps/chosen": mean(chosen),
    "logps/rejected": mean(rejected),
    log_odds_chosen: mean(results.logOdds),
    log_odds_ratio: mean(results.logSigmoidOdds),
  };
}
