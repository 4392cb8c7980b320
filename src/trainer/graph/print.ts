/** @file A graph as text, one line a node, for reading and for tests. */
import type { Graph, Value } from "./graph.js";
import { formatShape } from "./shape.js";

const show = (value: Value): string => `${value.name}: ${value.dtype}${formatShape(value.shape)}`;

/** E.g. "attn/MatMul: float32[batch, 8] = MatMul(x, w)". The body of a loop stands indented below its node. */
export function printGraph(graph: Graph): string {
  return [
    ...graph.inputs.map((input) => `input  ${show(input)}`),
    ...graph.constants.map((constant) => `const  ${show(constant)}`),
    ...graph.nodes.flatMap((node) => {
      const { body, ...rest } = node.op === "Scan" ? node.attributes : { ...node.attributes, body: undefined };
      const attributes = Object.keys(rest).length === 0 ? "" : ` ${JSON.stringify(rest)}`;
      const line = `${node.outputs.map(show).join(", ")} = ${node.op}(${node.inputs.map((input) => input.name).join(", ")})${attributes}`;
      return body === undefined ? [line] : [line, ...printGraph(body).replaceAll(/^/gm, "  ").split("\n")];
    }),
    ...graph.outputs.map(({ name, value }) => `output ${name} = ${value.name}`),
  ].join("\n");
}
