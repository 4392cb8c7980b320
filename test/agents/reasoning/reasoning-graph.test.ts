/** @file The graph of recursive reasoning: the same results as the generator, streamed, stopped, changed and continued. */
import { Annotation, MemorySaver, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { createReasoningGraph } from "../../../src/agents/reasoning/reasoning-graph.js";
import type { ReasoningSettings } from "../../../src/agents/reasoning/reasoning-types.js";
import { recursiveReason } from "../../../src/agents/reasoning/recursive-reasoning.js";
import { smallStore } from "../scripted-student.js";
import {
  closed,
  collect,
  noCritic,
  numbering,
  openingOf,
  scoreBy,
  scriptedCritic,
  settings,
} from "./scripted-critic.js";

const question = "Why?";

async function contextOf(student = numbering()) {
  const critic = async () => scriptedCritic([closed("t1"), closed("t2")]);
  return { ...student, store: await smallStore(), critic, score: scoreBy({ t1: 0.5, t2: 0.4 }) };
}

const variants: [string, Partial<ReasoningSettings>][] = [
  ["no gain", { integrate: true }],
  ["ten rounds, more nodes than LangGraph runs by default", { rounds: 10, keepGoing: true }],
  ["one round", { rounds: 1 }],
  ["no reflection to be had", { mode: "reflection" }],
];

test.each(variants)("gives the result of the generator: %s", async (_, changed) => {
  const given = { ...settings, ...changed };
  const graph = await createReasoningGraph(await contextOf(), given);
  const { result } = await collect(recursiveReason(await contextOf(), { ...given, question }));
  expect(await graph.invoke({ question })).toEqual({ answer: result.answer, result });
});

test("streams what the generator yields", async () => {
  const graph = await createReasoningGraph(await contextOf(), settings);
  const { events } = await collect(recursiveReason(await contextOf(), { ...settings, question }));
  const streamed: unknown[] = [];
  for await (const event of await graph.stream({ question }, { streamMode: "custom" })) streamed.push(event);
  expect(streamed).toEqual(events);
});

test("stops before the improvement, takes changed feedback, and goes on from there", async () => {
  const student = numbering();
  const critic = scriptedCritic([closed("t1")]);
  const graph = await createReasoningGraph(
    { ...(await contextOf(student)), critic: async () => critic },
    { ...settings, rounds: 2 },
    { checkpointer: new MemorySaver(), interruptBefore: ["improve-thinking"] },
  );
  const config = { configurable: { thread_id: "a" } };
  await graph.invoke({ question }, config);
  expect((await graph.getState(config)).next).toEqual(["improve-thinking"]);
  await graph.updateState(config, { reasoning: { feedback: "say less", next: "improve" } }, "give-feedback");
  const { answer } = await graph.invoke(null, config);
  expect(answer).toBe("answer 1");
  expect(critic.seen).toEqual(["feedback on t0", "improve t0 by say less"]);
  expect(student.prompts.map(openingOf)).toEqual(["", "<|thinking|>\nt1\n<|/thinking|>"]);
});

test("a second question in the same thread begins anew", async () => {
  const checkpointer = new MemorySaver();
  const graph = await createReasoningGraph(await contextOf(), { ...settings, integrate: true }, { checkpointer });
  const config = { configurable: { thread_id: "a" } };
  await graph.invoke({ question }, config);
  const { result } = await graph.invoke({ question: "How?" }, config);
  expect(result).toMatchObject({ integrated: false, rounds: [{ round: 1, thinking: "t0" }] });
  expect(result.failure).toBeUndefined();
});

test("is a node of a larger graph that has a question and an answer", async () => {
  const inner = await createReasoningGraph({ ...(await contextOf()), critic: noCritic }, { ...settings, rounds: 1 });
  const state = Annotation.Root({
    topic: Annotation<string>(),
    question: Annotation<string>(),
    answer: Annotation<string>(),
  });
  const outer = new StateGraph(state)
    .addNode("ask", ({ topic }) => ({ question: `What is ${topic}?` }))
    .addNode("reason", inner)
    .addEdge("__start__", "ask")
    .addEdge("ask", "reason")
    .compile();
  const answered = await outer.invoke({ topic: "nacre" });
  expect(answered).toMatchObject({ topic: "nacre", question: "What is nacre?", answer: "answer 0" });
});

test("refuses settings when it is made and an empty question when it is asked", async () => {
  await expect(createReasoningGraph(await contextOf(), { ...settings, rounds: 0 })).rejects.toThrow("rounds: expected");
  const graph = await createReasoningGraph(await contextOf(), settings);
  await expect(graph.invoke({ question: " " })).rejects.toThrow("question 1: expected a text");
});

test("an abort ends it", async () => {
  const stop = new AbortController();
  const student = numbering();
  const score = () => {
    stop.abort(new Error("enough"));
    return 0;
  };
  const graph = await createReasoningGraph({ ...(await contextOf(student)), score }, settings);
  await expect(graph.invoke({ question }, { signal: stop.signal })).rejects.toThrow();
  expect(student.prompts).toHaveLength(1);
});
