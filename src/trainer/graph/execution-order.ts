/** @file The order in which ONNX Runtime runs the nodes of a model: what is alive at once depends on it. */
import type { Node, Value } from "./graph.js";

/**
 * Nodes as the model file lists them, sorted or not, in the order of their runs: depth first from the nodes that nobody
 * reads, the last one first, and at each node from the input whose maker is listed last; a node runs when all it reads
 * is there (GraphViewer of onnxruntime, default execution order). So a list in reverse runs nearly as it was emitted.
 */
export function executionOrder(nodes: readonly Node[]): Node[] {
  const maker = new Map<Value, number>();
  nodes.forEach((node, i) => {
    for (const output of node.outputs) maker.set(output, i);
  });
  const makersOf = (node: Node): number[] => {
    const made = node.inputs.flatMap((input) => maker.get(input) ?? []);
    return [...new Set(made)].sort((a, b) => a - b);
  };
  const read = new Set(nodes.flatMap(makersOf));
  const stack = nodes.flatMap((_, i) => (read.has(i) ? [] : [{ at: i, leaving: false }]));
  const visited = new Set<number>();
  const order: Node[] = [];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const node = nodes[entry.at] as Node;
    if (entry.leaving) {
      order.push(node);
    } else if (!visited.has(entry.at)) {
      visited.add(entry.at);
      stack.push({ at: entry.at, leaving: true });
      for (const at of makersOf(node)) if (!visited.has(at)) stack.push({ at, leaving: false });
    }
  }
  return order;
}
