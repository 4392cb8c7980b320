/** @file Clipping by the global norm, as torch.nn.utils.clip_grad_norm_ does it. */
import type { GraphBuilder, Value } from "../graph/index.js";

/** Scales `gradient` so that its norm is at most `maxNorm` (scalar); also the norm before that. */
export function clipByGlobalNorm(
  g: GraphBuilder,
  gradient: Value,
  maxNorm: Value,
): { readonly clipped: Value; readonly norm: Value } {
  return g.scope("clip", () => {
    const norm = g.sqrt(g.sumAll(g.mul(gradient, gradient)));
    const factor = g.min(g.div(maxNorm, g.add(norm, g.scalar(1e-6))), g.scalar(1));
    return { clipped: g.mul(gradient, factor), norm };
  });
}
