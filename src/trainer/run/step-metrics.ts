/** @file What a step reports, under TRL's names. */
import { preferenceRules } from "../losses/index.js";
import type { Feed } from "../runtime/index.js";
import type { PairScore, StepMetrics, StepOptions } from "./policy.js";

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const share = (values: readonly number[], holds: (value: number) => boolean): number =>
  mean(values.map((value) => (holds(value) ? 1 : 0)));

/** At this z exo_pair's gradient is 1/300 of what it is at 0 (ε 5e-3) and falls with e^z: so badly ranked a pair hardly moves. */
const EXO_VANISHING_Z = -8;

/** A margin against the reference below this share of the log-probabilities is float32's rounding: a tie. */
const TIE = 1e-6;

/** Log-probabilities of one reply. */
interface Reply {
  readonly logp: number;
  readonly reference: number;
}

const PER_PAIR = ["chosen", "rejected", "log_odds", "log_sigmoid_odds"] as const;

/** What the micro-batches of one step gave, joined. Preference vectors hold one entry a pair. */
export class StepSums {
  private loss = 0;
  private nll: number | undefined;
  private gradNorm = Number.NaN;
  private readonly perPair: Readonly<Record<(typeof PER_PAIR)[number], number[]>> = {
    chosen: [],
    rejected: [],
    log_odds: [],
    log_sigmoid_odds: [],
  };
  private readonly reference: PairScore[] = [];

  /**
   * @param result outputs of one micro-batch: `loss`; `nll` where the loss has one; `chosen` and `rejected`, summed or
   *   averaged as the loss has them; of ORPO also `log_odds` and `log_sigmoid_odds`
   * @param reference scores of that micro-batch's pairs, in the order of its rows, where the loss has a reference
   */
  add(result: Readonly<Record<string, Feed>>, reference: readonly PairScore[] = []): void {
    const numbers = (name: string): number[] => Array.from((result[name]?.data ?? []) as Float32Array);
    this.loss += numbers("loss")[0] as number;
    const [nll] = numbers("nll");
    if (nll !== undefined) this.nll = (this.nll ?? 0) + nll;
    // Only the last micro-batch has it: the norm of the sum.
    this.gradNorm = numbers("grad_norm")[0] ?? Number.NaN;
    for (const name of PER_PAIR) this.perPair[name].push(...numbers(name));
    this.reference.push(...reference);
  }

  metrics(options: StepOptions): StepMetrics {
    const common: Record<string, number> = {
      loss: this.loss,
      grad_norm: this.gradNorm,
      learning_rate: options.learningRate,
    };
    if (this.nll !== undefined) common["nll_loss"] = this.nll;
    if (this.perPair.chosen.length === 0) return common;
    return { ...common, ...this.preference(options) };
  }

  /**
   * As TRL reports them. With a reference: logps are sums and rewards are β (log π - log πref), even where the loss takes
   * means. Without one (orpo, simpo): logps are means, and rewards are β times them. Accuracies count strictly larger
   * rewards; where policy and reference are the same weights, rounding must not decide (see {@link TIE}).
   */
  private preference({ loss, beta }: StepOptions): Record<string, number> {
    const chosen = this.logps("chosen", loss);
    const rejected = this.logps("rejected", loss);
    const rewards = {
      chosen: chosen.map(({ logp, reference }) => beta * (logp - reference)),
      rejected: rejected.map(({ logp, reference }) => beta * (logp - reference)),
    };
    const tie = this.reference.length > 0 ? TIE * beta : 0;
    const margins = rewards.chosen.map((reward, i) => reward - (rewards.rejected[i] as number));
    return {
      "rewards/chosen": mean(rewards.chosen),
      "rewards/rejected": mean(rewards.rejected),
      "rewards/accuracies": share(
        margins.map((margin, i) => margin - tie * Math.abs((chosen[i] as Reply).logp + (rejected[i] as Reply).logp)),
        (lead) => lead > 0,
      ),
      "rewards/margins": mean(margins),
      "logps/chosen": mean(chosen.map(({ logp }) => logp)),
      "logps/rejected": mean(rejected.map(({ logp }) => logp)),
      ...this.diagnosis(loss, margins),
    };
  }

  private diagnosis(loss: StepOptions["loss"], margins: readonly number[]): Record<string, number> {
    if (loss === "orpo")
      return {
        log_odds_chosen: mean(this.perPair.log_odds),
        log_odds_ratio: mean(this.perPair.log_sigmoid_odds),
      };
    return loss === "exo_pair" ? { "exo/vanishing": share(margins, (z) => z < EXO_VANISHING_Z) } : {};
  }

  /** Log-probabilities of one side, and the reference's: sums where there is a reference, else as the program gave them. */
  private logps(side: "chosen" | "rejected", loss: StepOptions["loss"]): Reply[] {
    const values = this.perPair[side];
    const rule = loss === "sft" || loss === "orpo" ? undefined : preferenceRules[loss];
    if (rule?.reference !== true) return values.map((logp) => ({ logp, reference: 0 }));
    if (this.reference.length !== values.length)
      throw new Error(`internal: ${values.length} pairs, ${this.reference.length} reference scores`);
    return this.reference.map((score, i) => {
      const { sum, count } = score[side];
      return { logp: (values[i] as number) * (rule.logps === "mean" ? count : 1), reference: sum };
    });
  }
}
