/** @file A teacher behind this project's own OpenAI-compatible endpoint: one pair made through it, start to end. */
import { expect, it, vi } from "vitest";
import { openChatModel } from "../../../src/agents/index.js";
import { makePreferencePair } from "../../../src/agents/teaching/answer-pair.js";
import { countingStore, scriptedStudent, smallStore } from "../../agents/scripted-student.js";
import { chatOf, type Script, scripted, serve } from "./scripted-model.js";

const question = "Why is nacre tougher than aragonite?";

const calls = (name: string, args: Record<string, unknown>): Script => ({
  parts: [{ kind: "toolCall", index: 0, call: { id: `call-${name}`, name, arguments: args } }],
});

/** One call a turn, by the job and by what the conversation holds already. */
function teach(system: string, turns: number): Script {
  if (system.startsWith("Job: write-question")) return calls("submit-question", { question });
  if (turns === 2) return calls("retrieve-context", { query: "nacre tablets", k: 1 });
  return calls("submit-answer", { thinking: "Tablets slide.", answer: "Because its tablets slide." });
}

it("teaches one pair, with its tool calls and without a key", async () => {
  vi.stubEnv("OPENAI_API_KEY", "");
  const fake = scripted((request) =>
    teach(chatOf(request).messages[0]?.content ?? "", chatOf(request).messages.length),
  );
  const { origin } = await serve(fake);
  const { model, disclosure } = await openChatModel("openai:small", {
    role: "teacher",
    baseUrl: `${origin}/v1`,
    offline: true,
    builtin: async () => {
      throw new Error("the built-in teacher was opened");
    },
  });
  const store = countingStore(await smallStore());
  const student = scriptedStudent(() => "I do not know.");
  const sampling = { maxNewTokens: 64, temperature: 1, topP: 1 };
  const pair = await makePreferencePair({ ...student, store, model }, { topic: "nacre", seed: 5 }, sampling);
  expect(disclosure.leaves).toBe(false);
  expect(pair).toMatchObject({
    chosen: "<|thinking|>\nTablets slide.\n<|/thinking|>\nBecause its tablets slide.",
    rejected: "I do not know.",
    provenance: { teacher: "openai:small", question },
  });
  expect(store.queries).toEqual(["nacre", "nacre tablets"]);
  expect(fake.asked).toHaveLength(3);
  expect(chatOf(fake.asked[2]).messages.at(-1)).toMatchObject({
    role: "tool",
    content: expect.stringContaining("tablets slide over each other"),
  });
  vi.unstubAllEnvs();
});
