/** @file The reverse walk: gradients of a scalar, added to the same graph as ordinary nodes. */
import type { GraphBuilder, Node, OpType, Segment, Value } from "../graph/index.js";
import { type GradientRule, gradientRules } from "./gradient-rules.js";

/**
 * Gradients of the scalar `loss` with respect to each value of `wrt`, in that order, times `seed` (a scalar) where one is
 * given. Only nodes between the two are differentiated: nothing is built for frozen weights, or below the lowest value
 * asked for. Segments of the builder are computed again, just before their gradients.
 *
 * The gradient of a 16-bit value may be float32, as sums over rows are: it stays so up to a Cast, which takes it as it
 * is, and other nodes read it in the dtype of their output.
 *
 * @throws where `loss` does not depend on one of them, or where the path runs through an op without a gradient.
 */
export function gradients(g: GraphBuilder, loss: Value, wrt: readonly Value[], seed = g.scalar(1)): readonly Value[] {
  if (loss.shape.length !== 0)
    throw new Error(`internal: the loss must be a scalar, ${loss.name} has rank ${loss.shape.length}`);
  const forward = [...g.nodes];
  const segmentEndingAt = new Map(g.segments.map((segment) => [segment.end - 1, segment]));
  const reached = reachedFrom(forward, wrt);
  const total = new Map<Value, Value>([[loss, seed]]);
  let open: { readonly start: number; readonly again: ReadonlyMap<Value, Value> } = { start: 0, again: new Map() };
  g.scope("grad", () => {
    for (let i = forward.length - 1; i >= 0; i -= 1) {
      const segment = segmentEndingAt.get(i);
      const dy = segment === undefined ? undefined : total.get(segment.output);
      if (segment !== undefined && dy !== undefined) {
        open = { start: segment.start, again: recompute(g, forward, segment, dy) };
      } else if (i < open.start) open = { start: 0, again: new Map() };
      const node = forward[i] as Node;
      const dys = node.outputs.map((output) => total.get(output));
      if (dys.every((gradient) => gradient === undefined)) continue;
      const wants = (input: number): boolean => reached.has(node.inputs[input] as Value);
      if (!node.inputs.some((_, input) => wants(input))) continue;
      g.scope(node.name, () => {
        differentiate(g, substitute(node, open.again), asRead(g, node, dys), wants).forEach((gradient, input) => {
          const target = node.inputs[input] as Value;
          if (gradient === undefined || !wants(input)) return;
          const sum = total.get(target);
          total.set(target, sum === undefined ? gradient : accumulated(g, sum, gradient));
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

/** Gradients of the node's outputs in the dtypes of these; a Cast passes them on in the dtype that they have. */
function asRead(g: GraphBuilder, { op, outputs }: Node, dys: readonly (Value | undefined)[]) {
  if (op === "Cast") return dys;
  return dys.map((dy, i) => (dy === undefined ? undefined : g.cast(dy, (outputs[i] as Value).dtype)));
}

/** The sum, in float32 where one of the two is. */
function accumulated(g: GraphBuilder, a: Value, b: Value): Value {
  return a.dtype === b.dtype ? g.add(a, b) : g.add(g.wide(a), g.wide(b));
}

/**
 * Emits once more what a segment computes from its inputs. These pass through a reshape that waits for `dy`: the copy
 * cannot start before, and is no common subexpression of the first pass.
 */
function recompute(g: GraphBuilder, forward: readonly Node[], segment: Segment, dy: Value): Map<Value, Value> {
  const again = new Map(segment.inputs.map((input) => [input, g.reshapeAfter(input, dy)]));
  for (const node of forward.slice(segment.start, segment.end)) {
    const { op, inputs, attributes, name } = node;
    if (op === "Scan") throw new Error(`internal: ${name}: a Scan within a segment has no gradient`);
    if (!inputs.some((input) => again.has(input))) {
      const outside = inputs.find(({ shape }) => shape.some((dim) => typeof dim === "string"));
      if (outside === undefined) continue; // it follows from weights alone
      again.set(outside, g.reshapeAfter(outside, dy)); // a mask, made from noise: as large as what it masks
    }
    const swapped = inputs.map((input) => again.get(input) ?? input);
    const copies = g.emit(op, swapped, attributes, `again/${name}`);
    node.outputs.forEach((output, i) => {
      again.set(output, copies[i] as Value);
    });
  }
  return again;
}

/** The node as it stands in the recomputed segment, if it does. */
function substitute(node: Node, again: ReadonlyMap<Value, Value>): Node {
  if (again.size === 0) return node;
  const swap = (values: readonly Value[]): readonly Value[] => values.map((value) => again.get(value) ?? value);
  return { ...node, inputs: swap(node.inputs), outputs: swap(node.outputs) };
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
