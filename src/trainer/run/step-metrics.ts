/** @file What a step reports, under TRL's names. */
import type { StepMetrics, StepOptions } from "./policy.js";
import type { Feed } from "./session.js";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** What the micro-batches of one step gave, joined. Preference vectors hold one entry a pair. */
export class StepSums {
  private loss = 0;
  private nll = 0;
  private gradNorm = Number.NaN;
  private readonly perPair: Readonly<Record<"chosen" | "rejected" | "log_odds" | "log_sigmoid_odds", number[]>> = {
    chosen: [],
    rejected: [],
    log_odds: [],
    log_sigmoid_odds: [],
  };

  add(result: Readonly<Record<string, Feed>>): void {
    const numbers = (name: string): number[] => Array.from((result[name]?.data ?? []) as Float32Array);
    this.loss += numbers("loss")[0] as number;
    this.nll += numbers("nll")[0] as number;
    // Only the last micro-batch has it: the norm of the sum.
    this.gradNorm = numbers("grad_norm")[0] ?? Number.NaN;
    for (const [name, values] of Object.entries(this.perPair)) values.push(...numbers(name));
  }

  /** ORPO's rewards are β times the mean log-probability of a reply; accuracies count strictly larger ones. */
  metrics({ learningRate, beta }: StepOptions): StepMetrics {
    const { chosen, rejected, log_odds, log_sigmoid_odds } = this.perPair;
    const common = { loss: this.loss, grad_norm: this.gradNorm, learning_rate: learningRate, nll_loss: this.nll };
    if (chosen.length === 0) return common;
    const margins = chosen.map((logp, i) => beta * (logp - (rejected[i] as number)));
    return {
      ...common,
      "rewards/chosen": beta * mean(chosen),
      "rewards/rejected": beta * mean(rejected),
      "rewards/accuracies": mean(margins.map((margin) => (margin > 0 ? 1 : 0))),
      "rewards/margins": mean(margins),
      "logps/chosen": mean(chosen),
      "logps/rejected": mean(rejected),
      log_odds_chosen: mean(log_odds),
      log_odds_ratio: mean(log_sigmoid_odds),
    };
  }
}
