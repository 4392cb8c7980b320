/** @file The reverse walk: gradients of a scalar, added to the same graph as ordinary nodes. */
import type { GraphBuilder, Node, OpType, Value } from "../graph/index.js";
import { type GradientRule, gradientRules } from "./gradient-rules.js";

/**
 * Gradients of the scalar `loss` with respect to each value of `wrt`, in that order. Only nodes between the two are
 * differentiated: nothing is built for frozen weights, or below the lowest value asked for.
 *
 * @throws where `loss` does not depend on one of them, or where the path runs through an op without a gradient.
 */
export function gradients(g: GraphBuilder, loss: Value, wrt: readonly Value[]): readonly Value[] {
  if (loss.shape.length !== 0)
    throw new Error(`internal: the loss must be a scalar, ${loss.name} has rank ${loss.shape.length}`);
  const forward = [...g.nodes];
  const reached = reachedFrom(forward, wrt);
  const total = new Map<Value, Value>([[loss, g.scalar(1)]]);
  g.scope("grad", () => {
    for (const node of forward.toReversed()) {
      const dys = node.outputs.map((output) => total.get(output));
      if (dys.every((dy) => dy === undefined)) continue;
      const wants = (i: number): boolean => reached.has(node.inputs[i] as Value);
      if (!node.inputs.some((_, i) => wants(i))) continue;
      g.scope(node.name, () => {
        differentiate(g, node, dys, wants).forEach((gradient, i) => {
          const target = node.inputs[i] as Value;
          if (gradient === undefined || !wants(i)) return;
          const sum = total.get(target);
          total.set(target, sum === undefined ? gradient : g.add(sum, gradient));
        });
      });
    }
  });
  return wrt.map((value) => {
    const gradient = total.get(value);
    if (gradient === undefined) throw new Error(`internal: the loss does not depend on ${value.name}`);
    return gradient;
  });
}

/** All values that depend on one of `wrt`, and these themselves. */
function reachedFrom(nodes: readonly Node[], wrt: readonly Value[]): ReadonlySet<Value> {
  const reached = new Set<Value>(wrt);
  for (const node of nodes) {
    if ("none" in gradientRules[node.op]) continue;
    if (!node.inputs.some((input) => reached.has(input))) continue;
    for (const output of node.outputs) reached.add(output);
  }
  return reached;
}

function differentiate(
  g: GraphBuilder,
  node: Node,
  dys: readonly (Value | undefined)[],
  wants: (input: number) => boolean,
): readonly (Value | undefined)[] {
  const rule = gradientRules[node.op];
  if ("none" in rule) throw new Error(`internal: ${node.name} has no gradient: ${rule.none}`);
  // The table is typed per op; the union of ops here needs the one cast.
  return (rule as GradientRule<OpType>)(g, node, dys, wants);
}
