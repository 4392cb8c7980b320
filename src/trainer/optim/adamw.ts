/** @file AdamW over one flat vector (Loshchilov & Hutter 2017, arXiv 1711.05101; the update of torch.optim.AdamW). */
import type { GraphBuilder, Value } from "../graph/index.js";

export interface AdamState {
  readonly theta: Value;
  /** First and second moment, as long as theta. */
  readonly m: Value;
  readonly v: Value;
}

/** Scalars that change from step to step; {@link adamScalars} computes them. */
export interface AdamInputs {
  /** lr / (1 - β₁ᵗ) */
  readonly stepSize: Value;
  /** √(1 - β₂ᵗ) */
  readonly rootBias2: Value;
  /** lr · weight decay */
  readonly decay: Value;
}

export const ADAM_BETA1 = 0.9;
export const ADAM_BETA2 = 0.999;
export const ADAM_EPSILON = 1e-8;

/** Values of {@link AdamInputs} for step t = 1, 2, … */
export function adamScalars(learningRate: number, weightDecay: number, step: number) {
  return {
    stepSize: learningRate / (1 - ADAM_BETA1 ** step),
    rootBias2: Math.sqrt(1 - ADAM_BETA2 ** step),
    decay: learningRate * weightDecay,
  };
}

/** One update. `decayMask` has 1 where weight decay applies: a vector as long as theta, or a scalar for all. */
export function adamw(
  g: GraphBuilder,
  state: AdamState,
  gradient: Value,
  inputs: AdamInputs,
  decayMask: Value,
): AdamState {
  return g.scope("adamw", () => {
    const m = g.add(g.scale(state.m, ADAM_BETA1), g.scale(gradient, 1 - ADAM_BETA1));
    const v = g.add(g.scale(state.v, ADAM_BETA2), g.scale(g.mul(gradient, gradient), 1 - ADAM_BETA2));
    const denominator = g.add(g.div(g.sqrt(v), inputs.rootBias2), g.scalar(ADAM_EPSILON));
    const kept = g.sub(state.theta, g.mul(state.theta, g.mul(decayMask, inputs.decay)));
    return { theta: g.sub(kept, g.mul(inputs.stepSize, g.div(m, denominator))), m, v };
  });
}
