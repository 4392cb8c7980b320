/** @file Log-probabilities of target tokens. */
import type { GraphBuilder, Value } from "../graph/index.js";

/** log Σ exp over the last dim, [.., n] -> [.., 1]; shifted by the maximum, so that nothing overflows. */
export function logSumExp(g: GraphBuilder, x: Value): Value {
  const shift = g.reduceMax(x, [-1], true);
  return g.add(shift, g.log(g.reduceSum(g.exp(g.sub(x, shift)), [-1], true)));
}

/** log p(target): logits [labels, vocabulary], targets int32 [labels] -> [labels]. */
export function tokenLogps(g: GraphBuilder, logits: Value, targets: Value): Value {
  return g.scope("token_logps", () => {
    const [labels] = logits.shape as readonly [string];
    const chosen = g.gatherElements(logits, g.reshape(targets, [labels, 1]), 1); // [labels, 1]
    return g.reshape(g.sub(chosen, logSumExp(g, logits)), [labels]);
  });
}

/** Weighted sums of log-probabilities: weights [sums, labels], logps [labels] -> [sums]. Weights make it a sum or a mean. */
export function weightedLogps(g: GraphBuilder, weights: Value, logps: Value): Value {
  const [sums, labels] = weights.shape as readonly [string, string];
  return g.reshape(g.matmul(weights, g.reshape(logps, [labels, 1])), [sums]);
}
