/** @file A 16-bit graph as the CPU can run it: every op in float32, and its results rounded, as a device would leave them. */
import type { Graph, Node, Value } from "../../src/trainer/graph/index.js";

const isNarrow = ({ dtype }: Value): boolean => dtype === "float16" || dtype === "bfloat16";

/** The same graph with each 16-bit op between casts. What it gives is what each op, exact, rounded once, would give. */
export function roundedEachOp(graph: Graph): Graph {
  let count = 0;
  const cast = (from: Value, to: Value): Node =>
    ({ op: "Cast", name: `rounding/${count++}`, inputs: [from], outputs: [to], attributes: { to: to.dtype } }) as Node;
  const rewrite = (node: Node): Node[] => {
    if (node.op === "Cast") return [node];
    if (node.op === "Scan") {
      return [{ ...node, attributes: { ...node.attributes, body: roundedEachOp(node.attributes.body) } }];
    }
    const before: Node[] = [];
    const after: Node[] = [];
    const wide = (value: Value): Value => made({ ...value, name: `${value.name}/wide_${count++}`, dtype: "float32" });
    const inputs = node.inputs.map((input) => {
      if (!isNarrow(input)) return input;
      const value = wide(input);
      before.push(cast(input, value));
      return value;
    });
    const outputs = node.outputs.map((output) => {
      if (!isNarrow(output)) return output;
      const value = wide(output);
      after.push(cast(value, output));
      return value;
    });
    return [...before, { ...node, inputs, outputs } as Node, ...after];
  };
  return { ...graph, nodes: graph.nodes.flatMap(rewrite) };
}

/** The writer of models asks of a source only whether it is a node of the graph that it writes. */
const made = (value: Value): Value => ({ ...value, source: { kind: "node", node: undefined as never, output: 0 } });
