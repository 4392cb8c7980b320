/** @file Log-probabilities of target tokens. */
import type { GraphBuilder, Value } from "../graph/index.js";

/**
 * log p(target) = x·W[target] - log Σ exp(x·Wᵀ): hidden rows x [labels, hidden], head W [vocabulary, hidden], targets
 * int32 [labels] -> [labels]. The target's logit is a product of its own, so that backward need not scatter into
 * [labels, vocabulary].
 */
export function tokenLogps(g: GraphBuilder, hidden: Value, head: Value, targets: Value): Value {
  return g.scope("token_logps", () => {
    const [labels] = hidden.shape as readonly [string];
    const chosen = g.reduceSum(g.mul(hidden, g.gather(head, targets)), [-1], true); // [labels, 1]
    const logits = g.fusedMatMul(hidden, head, { transB: true }); // [labels, vocabulary]
    return g.reshape(g.sub(chosen, g.reduceLogSumExp(logits, [-1], true)), [labels]);
  });
}

/** Weighted sums of log-probabilities: weights [sums, labels], logps [labels] -> [sums]. Weights make it a sum or a mean. */
export function weightedLogps(g: GraphBuilder, weights: Value, logps: Value): Value {
  const [sums, labels] = weights.shape as readonly [string, string];
  return g.reshape(g.matmul(weights, g.reshape(logps, [labels, 1])), [sums]);
}
