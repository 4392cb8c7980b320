import { expect, test } from "vitest";
import { nodeId, QuestionGraph } from "../../../src/agents/question-graph/index.js";
import { FAMILIES, manyPassages, passage } from "./passages.js";

const families = () => QuestionGraph.fromPassages(FAMILIES);
const VELTRIN = "What is the stiffness class of Veltrin?";

test("a question is joined to the passages it was asked from, to what was retrieved, and to its concepts", () => {
  const graph = families();
  graph.addQuestion({
    text: VELTRIN,
    passages: ["veltrin"],
    retrieved: [{ id: "chitin-rule", score: 0.5 }, { id: "rhine", score: -0.2 }, "morkax"],
    round: 0,
  });
  const { edges } = graph.neighbourhood("question:q1");
  expect(edges.filter((edge) => edge.source === "question:q1" || edge.target === "question:q1")).toEqual([
    { source: "passage:chitin-rule", target: "question:q1", kind: "retrieved-for", weight: 0.5, undirected: false },
    { source: "passage:morkax", target: "question:q1", kind: "retrieved-for", weight: 1, undirected: false },
    { source: "passage:rhine", target: "question:q1", kind: "retrieved-for", weight: 0, undirected: false },
    { source: "question:q1", target: "concept:veltrin", kind: "mentions", weight: 1, undirected: false },
    { source: "question:q1", target: "passage:veltrin", kind: "asked-from", weight: 1, undirected: false },
  ]);
});

test("an equal question is the same one asked again, from further passages", () => {
  const graph = families();
  const id = graph.addQuestion({ text: VELTRIN, passages: ["veltrin"], round: 0 });
  expect(graph.addQuestion({ text: ` ${VELTRIN.toUpperCase()}`, passages: ["veltrin", "chitin-rule"], round: 3 })).toBe(
    id,
  );
  const edges = graph.neighbourhood("question:q1").edges.filter(({ kind }) => kind === "asked-from");
  expect(edges.map(({ target, weight }) => [target, weight])).toEqual([
    ["passage:chitin-rule", 1],
    ["passage:veltrin", 2],
  ]);
  expect(graph.coverage()).toMatchObject({ questions: 1, asked: 2 });
});

test("questions are joined to similar ones, with their similarity as weight, and no name makes a duplicate", () => {
  const graph = families();
  graph.addQuestion({ text: VELTRIN, passages: ["veltrin"], round: 0 });
  expect(graph.isDuplicate("What is the stiffness class of Morkax?")).toBe(false);
  expect(graph.duplicateOf("Which stiffness class does Veltrin have?")).toBe("q1");
  const near = graph.nearestQuestion("What is the stiffness class of Morkax?");
  graph.addQuestion({ text: "What is the stiffness class of Morkax?", passages: ["morkax"], round: 0 });
  expect(graph.neighbourhood("question:q1", { kinds: ["question"] }).edges).toEqual([
    { source: "question:q2", target: "question:q1", kind: "similar-to", weight: near?.similarity, undirected: true },
  ]);
  expect(graph.nearestQuestion("Quo vadis?")).toBeUndefined();
});

test("coverage counts passages, questions, topics and marked answers", () => {
  const graph = families();
  graph.addQuestion({ text: VELTRIN, passages: ["veltrin", "chitin-rule"], round: 0, topic: "stiffness" });
  graph.addQuestion({ text: "What is wet?", passages: ["chitin-rule"], round: 0, topic: "stiffness" });
  graph.addQuestion({ text: "What does the Rhine carry?", passages: ["rhine"], round: 0, topic: "rivers" });
  graph.recordOutcome("q1", { right: true, round: 0 });
  graph.recordOutcome("q2", { right: false, round: 0 });
  graph.recordOutcome("q3", { round: 0 });
  const { concepts, ...rest } = graph.coverage();
  expect(concepts).toBeGreaterThan(5);
  expect(rest).toEqual({
    passages: 5,
    asked: 3,
    share: 0.6,
    questions: 3,
    byTopic: [
      { topic: "rivers", questions: 1, passages: 1, answered: 0, right: 0 },
      { topic: "stiffness", questions: 2, passages: 2, answered: 2, right: 1 },
    ],
  });
  expect(graph.weakTopics().map(({ name, unmarked }) => [name, unmarked])).toEqual([["stiffness", 0]]);
});

test("accuracy is measured by topic, by passage and by concept", () => {
  const graph = families();
  graph.addQuestion({ text: VELTRIN, passages: ["veltrin"], round: 0, topic: "stiffness" });
  graph.addQuestion({ text: "What does the Rhine carry?", passages: ["rhine"], round: 0, topic: "rivers" });
  for (const right of [true, false, false, false]) graph.recordOutcome("q1", { right, round: 1 });
  graph.recordOutcome("q2", { right: true, round: 1 });
  const accuracies = (by: "topic" | "passage" | "concept") =>
    graph.standings(by).map(({ name, accuracy }) => [name, accuracy]);
  expect(accuracies("topic")).toEqual([
    ["stiffness", 0.25],
    ["rivers", 1],
  ]);
  expect(accuracies("passage")).toEqual([
    ["veltrin", 0.25],
    ["rhine", 1],
  ]);
  expect(accuracies("concept")).toContainEqual(["veltrin", 0.25]);
  expect(accuracies("concept")).toContainEqual(["rhine", 1]);
});

test("passages are added once; a later one finds the concepts of earlier ones", () => {
  const graph = families();
  const late = passage("late", "Somebody saw chitin once.");
  expect(graph.addPassages([...FAMILIES, late, late])).toBe(1);
  expect(graph.neighbourhood("passage:late").nodes.map(({ id }) => id)).toEqual(["passage:late", "concept:chitin"]);
});

test("another extractor replaces the concepts", () => {
  const extractConcepts = (text: string) => [{ name: `${text.length} letters`, count: 2 }];
  const graph = QuestionGraph.fromPassages([passage("a", "abc"), passage("b", "xyz")], { extractConcepts });
  expect(graph.pathBetweenConcepts("3 letters", "3 letters")).toEqual(["concept:3 letters"]);
  expect(graph.nearPassages("a")).toEqual([{ id: "b", score: 1 }]);
});

test("near passages are those of shared concepts, by weighted Jaccard or by a similarity that is given", () => {
  const extractConcepts = (text: string) => text.split(" ").map((name) => ({ name, count: 1 }));
  const graph = QuestionGraph.fromPassages([passage("a", "x y"), passage("b", "x z"), passage("c", "w")], {
    extractConcepts,
  });
  // x is mentioned by 2 of 3 passages, y and z by 1: ln(1 + 3/2) / ln 4 and 1.
  const x = Math.log(2.5) / Math.log(4);
  expect(graph.nearPassages("a")).toEqual([{ id: "b", score: expect.closeTo(x / (x + 2), 12) }]);
  expect(graph.nearPassages("a", { similarity: () => 0.25 })).toEqual([{ id: "b", score: 0.25 }]);
});

test("a passage is joined to what a store found near, once and never to itself", () => {
  const graph = families();
  graph.linkPassages("veltrin", [
    { id: "veltrin", score: 1 },
    { id: "morkax", score: 1.0000001 },
    { id: "rhine", score: -0.1 },
    { id: "gone", score: 0.9 },
  ]);
  graph.linkPassages("morkax", [{ id: "veltrin", score: 0.2 }]);
  const edges = graph.toJSON().edges.filter(({ attributes }) => attributes.kind === "similar-to");
  expect(edges.map(({ source, target, attributes }) => [source, target, attributes.weight])).toEqual([
    ["passage:veltrin", "passage:morkax", 1],
  ]);
});

test("a neighbourhood grows hop by hop, keeps to its kinds and limit, and is a copy", () => {
  const graph = families();
  graph.addQuestion({ text: VELTRIN, passages: ["veltrin"], round: 0 });
  const ids = (hops: number, more = {}) =>
    graph.neighbourhood("question:q1", { hops, ...more }).nodes.map(({ id }) => id);
  expect(ids(0)).toEqual(["question:q1"]);
  expect(ids(1)).toEqual(["question:q1", "concept:veltrin", "passage:veltrin"]);
  expect(ids(2)).toEqual(graph.aroundQuestion("q1").nodes.map(({ id }) => id));
  expect(ids(2)).toContain("concept:chitin");
  expect(ids(9, { kinds: ["passage"] })).toEqual(["question:q1", "passage:veltrin"]);
  expect(ids(9, { limit: 2 })).toEqual(["question:q1", "concept:veltrin"]);
  const copy = graph.neighbourhood("question:q1").nodes[0]!.attributes;
  if (copy.kind === "question") copy.outcomes.push({ round: 0, right: true });
  expect(graph.standings("passage")[0]?.answered).toBe(0);
});

test("the shortest path between two concepts leads through what mentions both, and there is none between two families", () => {
  const graph = families();
  expect(graph.pathBetweenConcepts("veltrin", "morkax")).toEqual([
    "concept:veltrin",
    "passage:veltrin",
    "concept:block",
    "passage:morkax",
    "concept:morkax",
  ]);
  expect(graph.pathBetweenConcepts("veltrin", "rhine")).toBeUndefined();
});

test("adding a question to 3,000 passages adds as many edges as adding it to 30", () => {
  const edgesAdded = (count: number) => {
    const graph = QuestionGraph.fromPassages(manyPassages(count));
    const before = graph.toJSON().edges.length;
    graph.addQuestion({ text: "What is the class of Name7?", passages: ["p7"], round: 0 });
    return graph.toJSON().edges.length - before;
  };
  expect(edgesAdded(3000)).toBe(edgesAdded(30));
});

test("hostile ids and names stay what they are", () => {
  const ids = ["__proto__", "constructor", "a:b", "question:q1", "<&\"'\u0000>"];
  const graph = QuestionGraph.fromPassages(ids.map((id) => passage(id, "__proto__ and __proto__; toString, toString")));
  for (const id of ids) {
    graph.addQuestion({ text: `What about ${id}${ids.indexOf(id)}?`, passages: [id], round: 0, topic: id });
    expect(graph.neighbourhood(nodeId("passage", id)).nodes[0]?.id).toBe(`passage:${id}`);
  }
  expect(graph.coverage().byTopic.map(({ topic }) => topic)).toEqual([...ids].sort());
});

test("a question is refused with all that is wrong with it, and leaves no trace", () => {
  const graph = families();
  graph.addQuestion({ id: "mine", text: VELTRIN, passages: [], round: 0 });
  const before = JSON.stringify(graph);
  expect(() =>
    graph.addQuestion({ text: " ", passages: ["x", "veltrin"], retrieved: ["y"], round: -1, topic: "" }),
  ).toThrow(
    /text: expected a question.*round: expected a whole number.*topic: expected a text.*no such passages: x, y; call addPassages first/,
  );
  expect(() => graph.addQuestion({ id: "mine", text: "What else?", passages: [], round: 0 })).toThrow(
    /mine is another question's/,
  );
  expect(() =>
    graph.addQuestion({
      text: "What?",
      passages: ["veltrin"],
      retrieved: [{ id: "rhine", score: Number.NaN }],
      round: 0,
    }),
  ).toThrow(/rhine: NaN/);
  expect(JSON.stringify(graph)).toBe(before);
});

test("what is not in the graph is named, with what to do", () => {
  const graph = families();
  expect(() => graph.recordOutcome("q9", { right: true, round: 0 })).toThrow(
    /no question q9: expected an id that addQuestion/,
  );
  expect(() => graph.nearPassages("nowhere")).toThrow(/no passage nowhere: call addPassages first/);
  expect(() => graph.neighbourhood("concept:nothing")).toThrow(/concept:nothing: no such node/);
  expect(() => graph.neighbourhood("passage:rhine", { hops: 1.5 })).toThrow(/hops is 1.5/);
  expect(() => QuestionGraph.fromPassages([{ ...passage("", "x"), start: -1 }])).toThrow(/id: expected an id.*offsets/);
});
