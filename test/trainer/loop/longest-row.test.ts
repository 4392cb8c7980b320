import { expect, it } from "vitest";
import { longestRow } from "../../../src/trainer/loop/longest-row.js";
import type { LabelledTokens, TokenizedPair } from "../../../src/trainer/text/types.js";

const text = (length: number, labels = length): LabelledTokens => ({
  ids: new Int32Array(length),
  labels: new Uint8Array(length).fill(1, length - labels),
});
const pair = (prompt: number, chosen: number, rejected: number): TokenizedPair => ({
  prompt: new Int32Array(prompt),
  chosen: text(chosen, 2),
  rejected: text(rejected, 3),
});
const pairs = [pair(4, 5, 6), pair(10, 5, 6), pair(9, 5, 6)];

it("is the pair with the most tokens, its prompt counted once", () => {
  expect(longestRow({ pairs }, { loss: "sigmoid", nllOver: "chosen" })).toEqual({ time: 21, labels: 5, pairs: 1 });
});
it("has the prompt among its labels where ORPO's NLL is over it", () => {
  expect(longestRow({ pairs }, { loss: "orpo", nllOver: "prompt+chosen" }).labels).toBe(15);
  expect(longestRow({ pairs }, { loss: "orpo", nllOver: "chosen" }).labels).toBe(5);
});
it("is prompt and chosen reply for sft", () => {
  expect(longestRow({ pairs }, { loss: "sft", nllOver: "prompt+chosen" })).toEqual({ time: 15, labels: 14, pairs: 0 });
});
it("is the longest text", () => {
  expect(longestRow({ texts: [text(7), text(12, 11), text(3)] }, { loss: "sft", nllOver: "chosen" })).toEqual({
    time: 12,
    labels: 11,
    pairs: 0,
  });
});
