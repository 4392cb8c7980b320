/** @file Word overlap against counts by hand. */
import { expect, it } from "vitest";
import { tokenF1 } from "../../../src/agents/evaluation/token-f1.js";

it.each([
  // 2 shared of 3 and 4 words.
  ["tablets slide apart", "Tablets slide over layers.", 4 / 7],
  // Articles, case and punctuation do not count.
  ["The nacre!", "a nacre", 1],
  // "very very" holds one "very" of the reference: 2 shared of 3 and 2 words.
  ["very very tough", "very tough", 4 / 5],
  ["glass", "nacre", 0],
  ["", "nacre", 0],
  ["", "", 1],
])("%j against %j has F1 %f", (answer, reference, f1) => {
  expect(tokenF1(answer, reference)).toBeCloseTo(f1, 12);
  expect(tokenF1(reference, answer)).toBeCloseTo(f1, 12);
});
