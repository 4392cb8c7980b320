/** @file Negative log-likelihood. */
import type { GraphBuilder, Value } from "../graph/index.js";

/** -Σ w log p: logps and weights [labels] -> scalar. Weights of 1 / (labels of the whole step) make it the token mean. */
export function nllLoss(g: GraphBuilder, logps: Value, weights: Value): Value {
  return g.scope("nll", () => g.neg(g.sumAll(g.mul(logps, weights))));
}
