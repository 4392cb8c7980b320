/** @file GraphML (graphml.graphdrawing.org): the form that Gephi, yEd, networkx and igraph read. graphology-graphml only reads it. */
import { bareId, type NodeAttributes, type NodeId } from "./graph-schema.js";
import type { Link } from "./knowledge-graph.js";

type Value = string | number | undefined;

const NODE_KEYS = {
  kind: "string",
  label: "string",
  source: "string",
  start: "int",
  end: "int",
  asked: "int",
  round: "int",
  topic: "string",
  phase: "string",
  answered: "int",
  right: "int",
} as const;
const EDGE_KEYS = { kind: "string", weight: "double" } as const;

/** Lines of a GraphML document; the same nodes and edges give the same bytes. */
export function* graphMLLines(
  nodes: Iterable<{ readonly id: NodeId; readonly attributes: NodeAttributes }>,
  edges: Iterable<Link>,
): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>';
  yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">';
  for (const [name, type] of Object.entries(NODE_KEYS)) yield keyLine("node", name, type);
  for (const [name, type] of Object.entries(EDGE_KEYS)) yield keyLine("edge", name, type);
  yield '<graph id="questions" edgedefault="undirected">';
  for (const { id, attributes } of nodes)
    yield `<node id="${escapeXml(id)}">${data("node", NODE_KEYS, nodeValues(id, attributes))}</node>`;
  for (const { source, target, undirected, kind, weight } of edges) {
    const ends = `source="${escapeXml(source)}" target="${escapeXml(target)}"`;
    yield `<edge ${ends} directed="${!undirected}">${data("edge", EDGE_KEYS, { kind, weight })}</edge>`;
  }
  yield "</graph>";
  yield "</graphml>";
}

const keyLine = (scope: string, name: string, type: string): string =>
  `<key id="${scope}-${name}" for="${scope}" attr.name="${name}" attr.type="${type}"/>`;

const data = (scope: string, keys: object, values: Readonly<Record<string, Value>>): string =>
  Object.keys(keys)
    .filter((name) => values[name] !== undefined)
    .map((name) => `<data key="${scope}-${name}">${escapeXml(String(values[name]))}</data>`)
    .join("");

/** GraphML knows no lists: of a question's outcomes it gets the counts. */
function nodeValues(id: NodeId, attributes: NodeAttributes): Readonly<Record<string, Value>> {
  if (attributes.kind === "concept") return { kind: attributes.kind, label: bareId(id) };
  if (attributes.kind === "passage") return { ...attributes, label: `${attributes.source}:${attributes.start}` };
  const { text, outcomes, ...rest } = attributes;
  const marked = outcomes.filter(({ right }) => right !== null);
  return { ...rest, label: text, answered: marked.length, right: marked.filter(({ right }) => right).length };
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** For content and attribute values. What XML 1.0 has no form for (controls, lone surrogates) becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"\t\n\r]/g, (char) => ENTITIES[char] ?? `&#${char.charCodeAt(0)};`);
}
