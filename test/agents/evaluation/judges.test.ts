/** @file The two judges: one that asks both ways round, one that compares words. */
import { expect, it } from "vitest";
import { bothWaysRound, createLexicalJudge } from "../../../src/agents/evaluation/judges.js";

const pair = { question: "q", a: "left", b: "right" };

it("a preference for a place becomes a tie, a preference for an answer stands", async () => {
  const first = bothWaysRound("first", async () => ({ winner: "a", reason: "it came first" }));
  expect(await first.comparePair(pair)).toMatchObject({ winner: "tie" });
  const right = bothWaysRound("right", async ({ a }) => ({ winner: a === "right" ? "a" : "b", reason: "better" }));
  expect(await right.comparePair(pair)).toEqual({ winner: "b", reason: "better" });
  const undecided = bothWaysRound("tie", async () => ({ winner: "tie", reason: "equal" }));
  expect(await undecided.comparePair(pair)).toEqual({ winner: "tie", reason: "equal" });
});

it("a judge that prefers an answer one way round and calls a tie the other way has no preference", async () => {
  const wavering = bothWaysRound("wavering", async ({ a }) => ({ winner: a === "left" ? "a" : "tie", reason: "" }));
  expect((await wavering.comparePair(pair)).winner).toBe("tie");
});

it("the lexical judge prefers the answer with more of the reference, and needs one", async () => {
  const judge = createLexicalJudge();
  const compared = { question: "q", a: "tablets slide", b: "crystals are hard", reference: "the tablets slide" };
  expect((await judge.comparePair(compared)).winner).toBe("a");
  expect((await judge.comparePair({ ...compared, a: compared.b, b: compared.a })).winner).toBe("b");
  expect((await judge.comparePair({ ...compared, b: compared.a })).winner).toBe("tie");
  expect((await judge.comparePair(pair)).winner).toBe("unjudged");
});
