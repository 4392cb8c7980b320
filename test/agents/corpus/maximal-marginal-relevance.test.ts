import { expect, test } from "vitest";
import { maximalMarginalRelevance } from "../../../src/agents/corpus/maximal-marginal-relevance.js";

const candidate = (id: string, vector: number[]) => ({
  id,
  vector: Float32Array.from(vector),
  // Of the query (1, 0).
  relevance: vector[0] as number,
});
// b says nearly what a says; c fits less and says something else.
const CANDIDATES = [candidate("a", [0.96, 0.28]), candidate("b", [0.936, 0.352]), candidate("c", [0.6, -0.8])];

test("a passage that says the same again gives way to one that differs, by sums worked out by hand", () => {
  // After a: b has 0.5 * 0.936 - 0.5 * (0.96 * 0.936 + 0.28 * 0.352) = -0.0306, c has 0.5 * 0.6 - 0.5 * (0.96 * 0.6 - 0.28 * 0.8) = 0.124.
  expect(maximalMarginalRelevance(CANDIDATES, 3, 0.5)).toEqual(["a", "c", "b"]);
});

test("lambda 1 is the order of relevance; lambda 0 is difference alone after the most relevant", () => {
  expect(maximalMarginalRelevance(CANDIDATES, 3, 1)).toEqual(["a", "b", "c"]);
  expect(maximalMarginalRelevance([...CANDIDATES].reverse(), 2, 0)).toEqual(["a", "c"]);
});

test("difference is to the nearest of those that were picked, not to the last one", () => {
  const four = [
    candidate("x", [1, 0]),
    candidate("y", [0, 1]),
    candidate("z", [0.995, 0.0998]),
    candidate("w", [0.6, 0.8]),
  ];
  // After x and y: z is far from y, but x again: 0.2 * 0.995 - 0.8 * 0.995 = -0.597; w has 0.2 * 0.6 - 0.8 * 0.8 = -0.52.
  expect(maximalMarginalRelevance(four, 4, 0.2)).toEqual(["x", "y", "w", "z"]);
});

test("equal ones come by id, whatever the order in which they are given", () => {
  const same = ["c", "a", "b"].map((id) => candidate(id, [1, 0]));
  expect(maximalMarginalRelevance(same, 3, 0.5)).toEqual(["a", "b", "c"]);
});

test("no more than there are", () => {
  expect(maximalMarginalRelevance(CANDIDATES, 10, 0.5)).toHaveLength(3);
  expect(maximalMarginalRelevance([], 3, 0.5)).toEqual([]);
});
