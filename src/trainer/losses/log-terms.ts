/** @file Logarithms that stay exact where the plain formula loses its digits. */
import type { GraphBuilder, Value } from "../graph/index.js";

/** log σ(x) = -log(1 + e^-x) */
export function logSigmoid(g: GraphBuilder, x: Value): Value {
  return g.neg(g.softplus(g.neg(x)));
}

/** A mean log-probability of exactly 0 has no odds; this is as near as the loss lets it come. */
const LARGEST_LOGP = -1e-6;

/** log(1 - e^x) for x < 0, as log(-tanh(x/2)) + log(1 + e^x): no cancellation near 0. Larger x counts as -1e-6. */
export function log1mexp(g: GraphBuilder, x: Value): Value {
  const below = g.min(x, g.scalar(LARGEST_LOGP));
  return g.add(g.log(g.neg(g.tanh(g.scale(below, 0.5)))), g.softplus(below));
}
