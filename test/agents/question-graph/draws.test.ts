import { expect, test } from "vitest";
import { type Draw, type DrawsOptions, QuestionGraph } from "../../../src/agents/question-graph/index.js";
import { createRng } from "../../../src/agents/rng.js";
import { FAMILIES, manyPassages, passage } from "./passages.js";

const COVERAGE_ONLY = { coverage: 1, weakness: 0, exploration: 0 };
const WEAKNESS_ONLY = { coverage: 0, weakness: 1, exploration: 0 };

const anchors = (draws: readonly Draw[]) => draws.map(({ passages }) => passages[0]);
const share = <T>(items: readonly T[], holds: (item: T) => boolean) => items.filter(holds).length / items.length;

/** Asks one question from each of these passages and marks it. */
function ask(graph: QuestionGraph, text: string, from: readonly string[], rights: readonly boolean[], topic?: string) {
  const id = graph.addQuestion({ text, passages: from, round: 0, ...(topic !== undefined && { topic }) });
  for (const right of rights) graph.recordOutcome(id, { right, round: 0 });
  return id;
}

test("coverage draws every passage once before it draws one twice", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(40));
  const drawn = anchors(graph.nextDraws({ count: 80, k: 1, seed: 1, ...COVERAGE_ONLY }));
  expect(new Set(drawn.slice(0, 40)).size).toBe(40);
  expect(new Set(drawn.slice(40)).size).toBe(40);
});

test("passages that were asked about wait until the others were", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(6));
  ask(graph, "What is Name1?", ["p1", "p4"], []);
  const drawn = anchors(graph.nextDraws({ count: 4, k: 1, seed: 2, ...COVERAGE_ONLY }));
  expect(drawn.sort()).toEqual(["p0", "p2", "p3", "p5"]);
});

test("a context holds related passages only, even where there are fewer than k", () => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  const chitin = ["chitin-rule", "morkax", "veltrin"];
  for (const { passages } of graph.nextDraws({ count: 60, k: 5, seed: 3 })) {
    expect([...passages].sort()).toEqual(chitin.includes(passages[0]!) ? chitin : ["danube", "rhine"]);
  }
});

test("a measured similarity joins passages that share no concept", () => {
  const graph = QuestionGraph.fromPassages([passage("a", "Alpha and alpha."), passage("b", "Beta and beta.")]);
  expect(graph.nextDraws({ count: 1, k: 2, seed: 0 })[0]?.passages).toHaveLength(1);
  graph.linkPassages("a", [{ id: "b", score: 0.7 }]);
  expect(graph.nextDraws({ count: 1, k: 2, seed: 0 })[0]?.passages).toHaveLength(2);
});

test("weakness goes where answers were wrong, in proportion to need²", () => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  ask(graph, "What carries the Danube?", ["danube"], Array(8).fill(true), "rivers");
  ask(graph, "What block has Veltrin?", ["veltrin"], Array(8).fill(false), "materials");
  const draws = graph.nextDraws({ count: 400, k: 1, seed: 4, topics: ["rivers", "materials"], ...WEAKNESS_ONLY });
  // Beta(9, 1): mean 0.9, sd √(9/1100); Beta(1, 9) has the same sd and mean 0.1, so its lower bound is 0.1 − sd.
  const sd = Math.sqrt(9 / 1100);
  const [rivers, materials] = [(1 - (0.9 - sd)) ** 2, (1 - (0.1 - sd)) ** 2];
  expect(share(draws, ({ topic }) => topic === "materials")).toBeCloseTo(materials / (rivers + materials), 1);
  expect(share(draws, ({ motive }) => motive === "weakness")).toBe(1);
});

test("without given topics the weak concept leads to passages that nobody asked about yet", () => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  ask(graph, "What is chitin?", ["veltrin"], Array(8).fill(false));
  const draws = graph.nextDraws({ count: 2, k: 1, seed: 5, ...WEAKNESS_ONLY });
  expect(draws.map(({ concept }) => concept)).toEqual(["chitin", "chitin"]);
  expect(anchors(draws).sort()).toEqual(["chitin-rule", "morkax"]);
});

test("where nothing is measured, weakness covers", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(5));
  const draws = graph.nextDraws({ count: 5, k: 1, seed: 6, ...WEAKNESS_ONLY });
  expect(draws.every(({ motive }) => motive === "coverage")).toBe(true);
  expect(new Set(anchors(draws)).size).toBe(5);
});

test("topics are covered in turn, and lead to the passages that mention them", () => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  const topics = ["gravel of the Rhine", "Veltrin", "something else"];
  const draws = graph.nextDraws({ count: 6, k: 2, seed: 7, topics, ...COVERAGE_ONLY });
  for (const topic of topics) expect(draws.filter((draw) => draw.topic === topic)).toHaveLength(2);
  const of = (topic: string) => draws.find((draw) => draw.topic === topic)?.passages ?? [];
  expect(of("gravel of the Rhine")).toContain("rhine");
  expect(of("Veltrin")[0]).toBe("veltrin");
  expect(of("something else")).toEqual([]);
});

test("motives come in proportion to their weights while something is uncovered", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(3000));
  ask(graph, "What is Name7?", ["p7"], [false]);
  const draws = graph.nextDraws({ count: 2000, k: 1, seed: 8, coverage: 6, weakness: 3, exploration: 1 });
  // Standard error at most √(0.25 / 2000) = 0.011.
  expect(share(draws, ({ motive }) => motive === "coverage")).toBeCloseTo(0.6, 1);
  expect(share(draws, ({ motive }) => motive === "weakness")).toBeCloseTo(0.3, 1);
  expect(share(draws, ({ motive }) => motive === "exploration")).toBeCloseTo(0.1, 1);
});

test("only what is allowed is drawn, as anchor and as context", () => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  ask(graph, "What is chitin?", ["veltrin"], [false], "t");
  const only = new Set(["morkax", "rhine", "gone"]);
  const drawn = graph.nextDraws({ count: 50, k: 3, seed: 9, only }).flatMap(({ passages }) => passages);
  expect(new Set(drawn)).toEqual(new Set(["morkax", "rhine"]));
});

test("draws depend on the seed and on nothing else", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(30));
  const draw = (seed: number) => graph.nextDraws({ count: 10, k: 3, seed });
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(new Set(draw(1).map(({ seed }) => seed)).size).toBe(10);
});

test("after many rounds the weak half of a corpus was asked more than the strong half, and everything was asked", () => {
  const graph = QuestionGraph.fromPassages(manyPassages(40));
  const isWeak = (id: string) => Number(id.slice(1)) < 20;
  for (let round = 0; round < 20; round++) {
    for (const [i, { passages }] of graph.nextDraws({ count: 20, k: 1, seed: round }).entries()) {
      const id = graph.addQuestion({
        text: `Which class has Name${passages[0]!.slice(1)} in ${round}, ${i}?`,
        passages,
        round,
      });
      graph.recordOutcome(id, { right: !isWeak(passages[0]!), round });
    }
  }
  const asked = graph
    .toJSON()
    .nodes.flatMap(({ key, attributes }) =>
      attributes.kind === "passage" ? [{ id: key.slice("passage:".length), asked: attributes.asked }] : [],
    );
  const total = (weak: boolean) => asked.filter(({ id }) => isWeak(id) === weak).reduce((sum, p) => sum + p.asked, 0);
  expect(total(true)).toBeGreaterThan(1.2 * total(false));
  expect(graph.coverage()).toMatchObject({ passages: 40, asked: 40, share: 1 });
});

test.each<[Partial<DrawsOptions>, RegExp]>([
  [{ count: -1 }, /count is -1: expected a whole number/],
  [{ k: 0 }, /k is 0: expected a whole number of at least 1/],
  [{ seed: Number.NaN }, /seed: expected a finite number/],
  [{ topics: [] }, /topics: expected at least one/],
  [{ coverage: -1, weakness: Number.NaN }, /coverage is -1.*weakness is NaN/],
  [{ coverage: 0, weakness: 0, exploration: 0 }, /all 0/],
  [{ only: new Set(["nowhere"]) }, /no passage to draw/],
])("draws with %j are refused", (options, message) => {
  const graph = QuestionGraph.fromPassages(FAMILIES);
  expect(() => graph.nextDraws({ count: 1, k: 1, seed: createRng(0).int(9), ...options })).toThrow(message);
});
