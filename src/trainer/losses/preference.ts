/** @file The DPO family: losses that compare the log-probabilities of two replies with those of a reference. */
import type { GraphBuilder, Value } from "../graph/index.js";
import { logSigmoid } from "./log-terms.js";

export const PREFERENCE_LOSSES = ["sigmoid", "robust", "hinge", "ipo", "exo_pair", "sigmoid_norm", "simpo"] as const;
export type PreferenceLoss = (typeof PREFERENCE_LOSSES)[number];

/** Scalars (shape []) of the family; a loss reads those that its equation names. */
export interface PreferenceScalars {
  /** β */
  readonly beta: Value;
  /** ε */
  readonly labelSmoothing: Value;
  /** γ */
  readonly simpoGamma: Value;
}

/** The loss of each pair, from h (which log-ratio of chosen over rejected that is, `logps` and `reference` say) and z = βh. */
type PairLoss = (g: GraphBuilder, h: Value, z: Value, scalars: PreferenceScalars) => Value;

export interface PreferenceRule {
  /** Whether a reply counts by the sum or by the mean of the log-probabilities of its labels. */
  readonly logps: "sum" | "mean";
  /** h = (log π⁺ - log π⁻) - (log πref⁺ - log πref⁻); without a reference the second bracket is absent. */
  readonly reference: boolean;
  /** Whether ε has a meaning. */
  readonly smoothed: boolean;
  readonly loss: PairLoss;
}

const one = (g: GraphBuilder): Value => g.scalar(1);

/**
 * -log σ(z) (Rafailov et al. 2023, arXiv 2305.18290, eq. 7); with ε the conservative form
 * -(1-ε) log σ(z) - ε log σ(-z) (Mitchell 2023, "A note on DPO with noisy preferences").
 */
const sigmoidLoss: PairLoss = (g, _h, z, { labelSmoothing: ε }) =>
  g.neg(g.add(g.mul(g.sub(one(g), ε), logSigmoid(g, z)), g.mul(ε, logSigmoid(g, g.neg(z)))));

/** -log σ(z), of means. */
const sigmoidNormLoss: PairLoss = (g, _h, z) => g.neg(logSigmoid(g, z));

/** [-(1-ε) log σ(z) + ε log σ(-z)] / (1-2ε): unbiased under flips at rate ε (Chowdhury et al. 2024, arXiv 2403.00409). */
const robustLoss: PairLoss = (g, _h, z, { labelSmoothing: ε }) => {
  const clean = g.mul(g.sub(one(g), ε), logSigmoid(g, z));
  const flipped = g.mul(ε, logSigmoid(g, g.neg(z)));
  return g.div(g.sub(flipped, clean), g.sub(one(g), g.scale(ε, 2)));
};

/** max(0, 1 - z) (Zhao et al. 2023, arXiv 2305.10425; normalised as in arXiv 2309.06657). */
const hingeLoss: PairLoss = (g, _h, z) => g.neg(g.min(g.scalar(0), g.sub(z, one(g))));

/** (h - 1/(2β))² (Azar et al. 2023, arXiv 2310.12036, eq. 17), of means. */
const ipoLoss: PairLoss = (g, h, _z, { beta }) => {
  const residual = g.sub(h, g.div(g.scalar(0.5), beta));
  return g.mul(residual, residual);
};

/**
 * KL(p ‖ (1-ε, ε)) with p = (σ(z), σ(-z)): σ(z) [log σ(z) - log(1-ε)] + σ(-z) [log σ(-z) - log ε]
 * (Ji et al. 2024, arXiv 2402.00856, eq. 16). σ is taken as e^{log σ}, so that it is 0 and not merely small at the far
 * end, where a logarithm of hundreds multiplies it.
 */
const exoPairLoss: PairLoss = (g, _h, z, { labelSmoothing: ε }) => {
  const side = (logp: Value, target: Value): Value => g.mul(g.exp(logp), g.sub(logp, g.log(target)));
  return g.add(side(logSigmoid(g, z), g.sub(one(g), ε)), side(logSigmoid(g, g.neg(z)), ε));
};

/** -log σ(z - γ), of means and without a reference (Meng et al. 2024, arXiv 2405.14734, eq. 6); ε as in sigmoid. */
const simpoLoss: PairLoss = (g, h, z, scalars) => sigmoidLoss(g, h, g.sub(z, scalars.simpoGamma), scalars);

/** Names and reductions are TRL's (DPOTrainer; simpo: CPOTrainer with cpo_alpha 0). */
export const preferenceRules: { readonly [K in PreferenceLoss]: PreferenceRule } = {
  sigmoid: { logps: "sum", reference: true, smoothed: true, loss: sigmoidLoss },
  robust: { logps: "sum", reference: true, smoothed: true, loss: robustLoss },
  hinge: { logps: "sum", reference: true, smoothed: false, loss: hingeLoss },
  ipo: { logps: "mean", reference: true, smoothed: false, loss: ipoLoss },
  exo_pair: { logps: "sum", reference: true, smoothed: true, loss: exoPairLoss },
  sigmoid_norm: { logps: "mean", reference: true, smoothed: false, loss: sigmoidNormLoss },
  simpo: { logps: "mean", reference: false, smoothed: true, loss: simpoLoss },
};

/** Log-probabilities of replies, [pairs] each, summed or averaged as the loss's rule says. */
export interface PreferenceInputs extends PreferenceScalars {
  readonly chosen: Value;
  readonly rejected: Value;
  /** Of the reference; needed where the loss has one. */
  readonly refChosen?: Value;
  readonly refRejected?: Value;
  /** [pairs]; 1 / (pairs of the whole step) makes the loss the mean. */
  readonly weights: Value;
}

export interface PreferenceTerm {
  /** Σ w · loss of the pair, scalar. */
  readonly loss: Value;
  /** [pairs] */
  readonly perPair: Value;
  /** β times the log-ratio, [pairs]; simpo's γ is not in it. */
  readonly z: Value;
}

export function preferenceTerm(g: GraphBuilder, loss: PreferenceLoss, inputs: PreferenceInputs): PreferenceTerm {
  const rule = preferenceRules[loss];
  const { chosen, rejected, refChosen, refRejected, weights, beta } = inputs;
  return g.scope(loss, () => {
    let h = g.sub(chosen, rejected);
    if (rule.reference) {
      if (refChosen === undefined || refRejected === undefined)
        throw new Error(`internal: ${loss} needs log-probabilities of the reference`);
      h = g.sub(h, g.sub(refChosen, refRejected));
    }
    const z = g.mul(beta, h);
    const perPair = rule.loss(g, h, z, inputs);
    return { loss: g.sumAll(g.mul(weights, perPair)), perPair, z };
  });
}

export interface LossSettings {
  readonly beta: number;
  /** Default 0. */
  readonly labelSmoothing?: number;
  /** Default {@link DEFAULT_SIMPO_GAMMA}. */
  readonly simpoGamma?: number;
}

export const DEFAULT_SIMPO_GAMMA = 0.5;

/** What is wrong with the settings of a loss, one sentence each; empty where nothing is. */
export function lossOptionsProblems(
  loss: PreferenceLoss,
  { beta, labelSmoothing = 0, simpoGamma = DEFAULT_SIMPO_GAMMA }: LossSettings,
): string[] {
  const problems: string[] = [];
  if (!(beta > 0 && Number.isFinite(beta))) problems.push(`beta: expected a number above 0, found ${beta}`);
  const smoothing = (expected: string): void => {
    problems.push(`labelSmoothing: expected ${expected} for ${loss}, found ${labelSmoothing}`);
  };
  if (!preferenceRules[loss].smoothed) {
    if (labelSmoothing !== 0) smoothing("0 (it has no label smoothing)");
  } else if (loss === "exo_pair") {
    if (!(labelSmoothing > 0 && labelSmoothing < 1)) smoothing("a number above 0 and below 1 (say 1e-3)");
  } else if (loss === "robust") {
    if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) smoothing("a number from 0 to below 0.5");
  } else if (!(labelSmoothing >= 0 && labelSmoothing < 1)) smoothing("a number from 0 to below 1");
  if (loss === "simpo" && !(simpoGamma >= 0 && Number.isFinite(simpoGamma)))
    problems.push(`simpoGamma: expected a number of at least 0, found ${simpoGamma}`);
  return problems;
}
