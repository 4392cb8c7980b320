/** @file The engine's chat model on models/nano: the whole way from LangChain to the engine process and back. */
import { fileURLToPath } from "node:url";
import { AIMessageChunk } from "@langchain/core/messages";
import { concat } from "@langchain/core/utils/stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EngineChatModel } from "../../../src/agents/models/engine-chat-model.js";
import { replies } from "../../../src/agents/student.js";
import {
  type ChatTemplate,
  openPolicy,
  openTextModel,
  type Policy,
  prefilledThinking,
  type TextModel,
} from "../../../src/trainer/index.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));
const QUESTION = "Which stiffness class does Flankox have? Use <|thinking|>.";
const SAMPLING = { maxNewTokens: 40, temperature: 0.8, topP: 0.95 };
const PREFILL = prefilledThinking("Flankox has a rigid mineral core.");

let policy: Policy;
let text: TextModel;
let model: EngineChatModel;

beforeAll(async () => {
  policy = await openPolicy({ model: NANO, trainable: { kind: "none" }, seed: 0 });
  text = await openTextModel({ model: NANO, policy });
  model = new EngineChatModel({ model: text, ...SAMPLING, seed: 5 });
});
afterAll(() => policy?.close());

test("a seed gives the student's reply, with thinking pre-filled, whole or streamed, alone or in a batch", async () => {
  const student = { policy, tokenizer: text.tokenizer, template: text.template as ChatTemplate };
  const [expected] = await replies(student, [{ prompt: QUESTION, seed: 5, prefill: PREFILL }], SAMPLING);
  const reply = await model.invoke(QUESTION, { prefill: PREFILL });
  expect(reply.text).not.toBe("");
  expect(reply.text).toBe(expected?.text.slice(PREFILL.length));
  let streamed = new AIMessageChunk("");
  for await (const chunk of await model.stream(QUESTION, { prefill: PREFILL })) streamed = concat(streamed, chunk);
  expect(streamed.text).toBe(reply.text);
  expect(streamed.usage_metadata).toMatchObject({ output_tokens: reply.usage_metadata?.output_tokens });
  const batch = await model.batch(["What is Veltrin?", QUESTION], { prefill: PREFILL });
  expect(batch[1]?.text).toBe(reply.text);
});

test("an abort ends the generation, and the model answers the next call", async () => {
  const stop = new AbortController();
  const read = async (): Promise<void> => {
    for await (const chunk of await model.stream(QUESTION, { signal: stop.signal })) {
      if (chunk.content !== "") stop.abort(new Error("enough"));
    }
  };
  await expect(read()).rejects.toThrow("enough");
  expect((await model.invoke(QUESTION)).text).toBe((await model.invoke(QUESTION)).text);
});

test("what it opens it closes", async () => {
  const own = await EngineChatModel.open({ model: NANO, temperature: 0, maxNewTokens: 4 });
  expect(own.modelName).toMatch(/^nano@[0-9a-f]{16}$/);
  expect((await own.invoke(QUESTION)).usage_metadata?.output_tokens).toBeLessThanOrEqual(4);
  await own.close();
  await expect(own.invoke(QUESTION)).rejects.toThrow();
});
