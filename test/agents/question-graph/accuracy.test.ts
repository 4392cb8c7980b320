import { expect, test } from "vitest";
import { standing } from "../../../src/agents/question-graph/accuracy.js";

const outcomes = (right: number, wrong: number, round = 0) => [
  ...Array.from({ length: right }, () => ({ round, right: true })),
  ...Array.from({ length: wrong }, () => ({ round, right: false })),
];

test("without evidence the bound is that of the uniform distribution: 1/2 less 1/√12", () => {
  expect(standing("t", [], 0)).toEqual({
    name: "t",
    right: 0,
    answered: 0,
    unmarked: 0,
    lower: expect.closeTo(0.5 - 1 / Math.sqrt(12), 12),
    need: expect.closeTo(0.5 + 1 / Math.sqrt(12), 12),
  });
});

test("3 of 4 right give Beta(4, 2): mean 2/3, variance 8/252", () => {
  const found = standing("t", outcomes(3, 1), 0);
  expect(found).toMatchObject({ right: 3, answered: 4, accuracy: 0.75 });
  expect(found.lower).toBeCloseTo(2 / 3 - Math.sqrt(8 / 252), 12);
});

test("an outcome of two rounds ago counts 0.49, though it is still reported whole", () => {
  const found = standing("t", outcomes(0, 10, 1), 3);
  expect(found).toMatchObject({ right: 0, answered: 10, accuracy: 0 });
  const [a, b] = [1, 1 + 4.9];
  expect(found.lower).toBeCloseTo(Math.max(0, a / (a + b) - Math.sqrt((a * b) / ((a + b) ** 2 * (a + b + 1)))), 12);
});

test("what nobody could mark is counted apart and is no evidence", () => {
  const unmarked = { round: 0, right: null };
  expect(standing("t", [unmarked, unmarked], 0)).toMatchObject({
    unmarked: 2,
    answered: 0,
    lower: standing("t", [], 0).lower,
  });
});

test("need falls from all wrong over unknown to all right, and a short record keeps more doubt than a long one", () => {
  const needs = [outcomes(0, 9), [], outcomes(2, 0), outcomes(20, 0)].map((list) => standing("t", list, 0).need);
  expect(needs).toEqual([...needs].sort((a, b) => b - a));
  expect(new Set(needs).size).toBe(4);
});
