import graphology from "graphology";
import { parse } from "graphology-graphml";
import { expect, test } from "vitest";
import { QuestionGraph, type SerializedQuestionGraph } from "../../../src/agents/question-graph/index.js";
import { FAMILIES, passage } from "./passages.js";

/** A few rounds as the teaching loop goes through them. */
function rounds(graph: QuestionGraph, first: number, last: number): void {
  for (let round = first; round < last; round++) {
    for (const [i, { passages }] of graph.nextDraws({ count: 3, k: 2, seed: round }).entries()) {
      const text = `What does ${passages[0]} hold in ${round}.${i}?`;
      const id = graph.addQuestion({
        text,
        passages,
        retrieved: FAMILIES.slice(i, i + 2).map((p) => p.id),
        round,
        topic: `t${i}`,
        phase: "orpo",
      });
      graph.recordOutcome(id, { ...(i < 2 && { right: (round + i) % 2 === 0 }), round });
    }
    graph.linkPassages("rhine", graph.nearPassages("rhine", { limit: 1 }));
  }
}

function lived(): QuestionGraph {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  rounds(graph, 0, 3);
  return graph;
}

const parsed = (graph: QuestionGraph): SerializedQuestionGraph => JSON.parse(JSON.stringify(graph));

test("the same calls give the same bytes", () => {
  expect(JSON.stringify(lived())).toBe(JSON.stringify(lived()));
  expect(lived().toGraphML()).toBe(lived().toGraphML());
});

test("a restored graph writes the bytes it was read from, and goes on like the original", () => {
  const original = lived();
  const restored = QuestionGraph.fromJSON(parsed(original));
  expect(JSON.stringify(restored)).toBe(JSON.stringify(original));
  expect(restored.nextDraws({ count: 20, k: 3, seed: 5 })).toEqual(original.nextDraws({ count: 20, k: 3, seed: 5 }));
  for (const graph of [original, restored]) rounds(graph, 3, 6);
  expect(JSON.stringify(restored)).toBe(JSON.stringify(original));
  expect(restored.nearestQuestion("What does rhine hold?")).toEqual(original.nearestQuestion("What does rhine hold?"));
});

test("the JSON is graphology's: a plain graph imports it", () => {
  const graph = lived();
  const plain = graphology.MultiGraph.from(parsed(graph));
  expect(plain.order).toBe(graph.toJSON().nodes.length);
  expect(plain.size).toBe(graph.toJSON().edges.length);
});

test("what is exported shares nothing with the graph", () => {
  const graph = lived();
  const before = JSON.stringify(graph);
  for (const { attributes } of graph.toJSON().nodes) {
    if (attributes.kind === "question") attributes.outcomes.length = 0;
    if (attributes.kind === "passage") attributes.asked = 99;
  }
  expect(JSON.stringify(graph)).toBe(before);
});

test("what a graph was restored from may change afterwards", () => {
  const value = parsed(lived());
  const restored = QuestionGraph.fromJSON(value);
  const before = JSON.stringify(restored);
  for (const { attributes } of value.nodes) if (attributes.kind === "question") attributes.outcomes.length = 0;
  value.edges.length = 0;
  expect(JSON.stringify(restored)).toBe(before);
});

type Damage = (value: SerializedQuestionGraph) => void;
const damaged = (damage: Damage) => {
  const value = parsed(lived());
  damage(value);
  return () => QuestionGraph.fromJSON(value);
};
const edgeOf = (value: SerializedQuestionGraph, kind: string) =>
  value.edges.find((edge) => edge.attributes.kind === kind)!;

test.each<[string, Damage, RegExp]>([
  ["another version", (v) => Object.assign(v.attributes, { version: 2 }), /attributes\.version/],
  ["an unknown field", (v) => Object.assign(v.nodes[0]!.attributes, { extra: 1 }), /nodes\.0\.attributes.*extra/],
  ["an unknown kind", (v) => Object.assign(v.nodes[0]!.attributes, { kind: "x" }), /nodes\.0\.attributes/],
  [
    "a key of another kind",
    (v) => Object.assign(v.nodes[0]!, { key: "question:a" }),
    /nodes\.0\.key: expected passage: and an id/,
  ],
  ["a node twice", (v) => v.nodes.push(structuredClone(v.nodes.at(-1)!)), /is there twice/],
  [
    "a missing end",
    (v) => Object.assign(v.edges[0]!, { target: "concept:nowhere" }),
    /edges\.0: no node "concept:nowhere"/,
  ],
  [
    "wrong ends",
    (v) => Object.assign(edgeOf(v, "asked-from"), { target: "concept:chitin" }),
    /asked-from joins question and passage, found question and concept/,
  ],
  [
    "a loop",
    (v) => Object.assign(edgeOf(v, "similar-to"), { source: "passage:rhine", target: "passage:rhine" }),
    /with itself/,
  ],
  ["a directed similarity", (v) => delete edgeOf(v, "similar-to").undirected, /undirected: expected on similar-to/],
  [
    "a similarity above 1",
    (v) => Object.assign(edgeOf(v, "similar-to").attributes, { weight: 1.5 }),
    /a similarity in \[0, 1\], found 1\.5/,
  ],
  [
    "half a mention",
    (v) => Object.assign(edgeOf(v, "mentions").attributes, { weight: 0.5 }),
    /a count of at least 1, found 0\.5/,
  ],
  [
    "an edge twice",
    (v) => v.edges.push({ ...structuredClone(v.edges[0]!), key: `e${v.edges.length}` }),
    /there is another edge/,
  ],
  ["a foreign edge key", (v) => Object.assign(v.edges[3]!, { key: "x" }), /edges\.3\.key: expected e3/],
  [
    "a wrong count",
    (v) => Object.assign(v.nodes[0]!.attributes, { asked: 77 }),
    /expected the sum of its asked-from edges, \d+, found 77/,
  ],
  [
    "a right that is no verdict",
    (v) => {
      for (const { attributes } of v.nodes)
        if (attributes.kind === "question") Object.assign(attributes.outcomes[0]!, { right: "yes" });
    },
    /outcomes\.0\.right/,
  ],
])("JSON with %s is refused", (_, damage, message) => {
  expect(damaged(damage)).toThrow(message);
  expect(damaged(damage)).toThrow(/^not a question graph/);
});

test.each([[null], ["[]"], [[]], [{}], [42], [{ nodes: [], edges: [] }]])("%j is no question graph", (value) => {
  expect(() => QuestionGraph.fromJSON(value)).toThrow(/^not a question graph.*toJSON\(\) returned$/);
});

test("all problems come at once, but no more than can be read", () => {
  const two = damaged((v) => {
    Object.assign(v.edges[0]!, { key: "x" });
    Object.assign(v.nodes[0]!.attributes, { asked: 77 });
  });
  expect(two).toThrow(/asked: expected.*edges\.0\.key/);
  const all = damaged((v) => {
    for (const edge of v.edges) edge.key = "y".repeat(500);
  });
  expect(all).toThrow(/and \d+ more/);
  expect(all).not.toThrow(/y{100}/);
});

test("GraphML read back by graphology's parser has the same nodes, edges, directions and weights", () => {
  const graph = lived();
  const { nodes, edges } = graph.toJSON();
  const read = parse(graphology.MultiGraph, graph.toGraphML());
  expect(read.nodes()).toEqual(nodes.map(({ key }) => key));
  const readEdges = read.mapEdges((_, { kind, weight }, source, target, __, ___, undirected) => ({
    kind,
    weight,
    source,
    target,
    undirected,
  }));
  expect(readEdges).toEqual(
    edges.map(({ source, target, attributes: { kind, weight }, undirected = false }) => ({
      kind,
      weight,
      source,
      target,
      undirected,
    })),
  );
  expect(read.getNodeAttributes("question:q2")).toMatchObject({
    kind: "question",
    phase: "orpo",
    topic: "t1",
    round: 0,
    answered: 1,
    right: 0,
  });
});

test("hostile texts come back from GraphML as they were, but for what XML cannot hold", () => {
  const text = 'a]]>&amp;<node id="x"/>\'"\r\n\t🦀é';
  const graph = QuestionGraph.fromPassages([passage(`${text}id`, "Chitin and chitin", text)]);
  graph.addQuestion({ text: `${text}\u0000\u001b\ud800\ufffe?`, passages: [`${text}id`], round: 0, topic: text });
  const read = parse(graphology.MultiGraph, graph.toGraphML());
  expect(read.nodes()).toContain(`passage:${text}id`);
  expect(read.getNodeAttributes(`passage:${text}id`)["source"]).toBe(text);
  expect(read.getNodeAttributes("question:q1")).toMatchObject({
    topic: text,
    label: `${text}\ufffd\ufffd\ufffd\ufffd?`,
  });
});
