/** @file What backward reads of the first pass of a segment: with recomputing that must be nothing. */
import { type Graph, GraphBuilder, type Node, type Segment, type Value } from "../../src/trainer/graph/index.js";

/** Keeps everything: segments are not marked. */
export class PlainBuilder extends GraphBuilder {
  override segment(_inputs: readonly Value[], body: () => Value): Value {
    return body();
  }
}

export interface Built {
  readonly graph: Graph;
  /** All nodes of the builder, before unread ones were dropped: the ranges of segments count in them. */
  readonly nodes: readonly Node[];
  readonly segments: readonly Segment[];
  /** Nodes before this one are forward. */
  readonly forwardNodes: number;
}

/**
 * "value <- reader" for each value inside a segment, other than what leaves it, that a node of backward in the graph
 * reads. What has a fixed size (1 + a norm's weight) follows from weights alone and counts as one.
 */
export function leaksOf({ graph, nodes, segments, forwardNodes }: Built): string[] {
  const inner = new Set<Value>();
  for (const { start, end, output } of segments) {
    for (const node of nodes.slice(start, end)) {
      for (const value of node.outputs) if (value !== output && isActivation(value)) inner.add(value);
    }
  }
  const forward = new Set(nodes.slice(0, forwardNodes));
  return graph.nodes
    .filter((node) => !forward.has(node))
    .flatMap((node) => node.inputs.filter((input) => inner.has(input)).map((input) => `${input.name} <- ${node.name}`));
}

const isActivation = ({ shape }: Value): boolean => shape.some((dim) => typeof dim === "string");
