/** @file The engine's chat model: what goes to the text layer and what comes back, whole and in chunks. */
import { AIMessage, type AIMessageChunk, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { concat } from "@langchain/core/utils/stream";
import { describe, expect, test } from "vitest";
import { EngineChatModel } from "../../../src/agents/models/engine-chat-model.js";
import { chatModelName } from "../../../src/agents/structured-agent.js";
import { replies } from "../../../src/agents/student.js";
import type { GenerateOptions } from "../../../src/trainer/run/policy.js";
import type { ChatTemplate } from "../../../src/trainer/text/chat-template.js";
import { PLAIN_TEMPLATE, type Script, scriptedTextModel } from "./scripted-text-model.js";

const THOUGHT = "<|thinking|>\nShells are layered.\n<|/thinking|>\nNacre.";

function scripted(
  script: Partial<Script> = {},
  fields: Partial<ConstructorParameters<typeof EngineChatModel>[0]> = {},
) {
  const text = scriptedTextModel({ reply: (_, seed) => `reply ${seed}`, ...script });
  return { text, model: new EngineChatModel({ model: text, seed: 4, ...fields }) };
}

async function joined(chunks: AsyncIterable<AIMessageChunk>): Promise<AIMessageChunk> {
  let whole: AIMessageChunk | undefined;
  for await (const chunk of chunks) whole = whole === undefined ? chunk : concat(whole, chunk);
  if (whole === undefined) throw new Error("expected chunks, found none");
  return whole;
}

const shownIn = ({ content, additional_kwargs, tool_calls, invalid_tool_calls, usage_metadata }: AIMessage) => ({
  content,
  additional_kwargs,
  calls: tool_calls?.map(({ name, args }) => ({ name, args })),
  invalid_tool_calls,
  tokens: usage_metadata && [usage_metadata.input_tokens, usage_metadata.output_tokens, usage_metadata.total_tokens],
});

describe("a reply", () => {
  test("has thinking apart from content, tokens counted, and the seed that repeats it", async () => {
    const { model } = scripted({ reply: () => THOUGHT });
    const reply = await model.invoke("Why?");
    expect(reply.text).toBe("Nacre.");
    expect(reply.additional_kwargs).toEqual({ reasoning_content: "Shells are layered." });
    const input = "[user] Why?[assistant] ".length;
    expect(reply.usage_metadata).toMatchObject({ input_tokens: input, output_tokens: THOUGHT.length });
    expect(reply.response_metadata).toMatchObject({ finish_reason: "stop", seed: 4, model_name: model.modelName });
  });

  test("without a seed reports the one that was drawn, and that one repeats it", async () => {
    const { model } = scripted({}, { seed: undefined as never });
    const first = await model.invoke("Why?");
    const again = await model.invoke("Why?", { seed: first.response_metadata["seed"] as number });
    expect(again.text).toBe(first.text);
    expect(first.text).toMatch(/^reply \d+$/);
  });

  test("ends in front of a stop string, which the call names over the model's own", async () => {
    const { model } = scripted({ reply: () => "one. two; three" }, { stop: [";"] });
    expect((await model.invoke("Count.")).text).toBe("one. two");
    const called = await model.invoke("Count.", { stop: ["."] });
    expect(called.text).toBe("one");
    expect(called.response_metadata).toMatchObject({ finish_reason: "stop", stop_sequence: "." });
  });

  test("that ran out of tokens says so", async () => {
    const { model } = scripted({ reply: () => "a long reply" }, { maxNewTokens: 6 });
    const reply = await model.invoke("Why?");
    expect([reply.text, reply.response_metadata["finish_reason"]]).toEqual(["a long", "length"]);
  });

  test("brings log-probabilities in OpenAI's shape where they are asked for, and only there", async () => {
    const { model } = scripted({ reply: () => "ab" });
    expect((await model.invoke("Why?")).response_metadata).not.toHaveProperty("logprobs");
    const { logprobs } = (await model.invoke("Why?", { logprobs: true })).response_metadata;
    expect(logprobs).toEqual({
      content: [
        { token: "a", logprob: -97 / 1024, bytes: [97], top_logprobs: [] },
        { token: "b", logprob: -98 / 1024, bytes: [98], top_logprobs: [] },
      ],
    });
  });
});

describe("a call", () => {
  test("takes its settings over the model's, and the model's over the checkpoint's", async () => {
    const { text, model } = scripted({}, { temperature: 0.7, topK: 5 });
    await model.invoke("Why?", { temperature: 0, adapter: "other", maxNewTokens: 3 });
    await model.invoke("Why?", { temperature: undefined as never });
    expect(text.calls[0]).toMatchObject({ temperature: 0, topK: 5, adapter: "other", maxNewTokens: 3 });
    expect(text.calls[1]).toMatchObject({ temperature: 0.7, adapter: "on" });
    await scripted().model.invoke("Why?");
    const bare = scripted();
    await bare.model.invoke("Why?");
    expect(bare.text.calls[0]?.temperature).toBe(0.5);
  });

  test("with n gives that many replies to one prompt, with seeds that follow each other, in one batch", async () => {
    const { text, model } = scripted({}, { n: 3 });
    const { generations, llmOutput } = await model.generate([[new HumanMessage("Why?")]]);
    const promptTokens = "[user] Why?[assistant] ".length;
    expect(llmOutput).toEqual({ tokenUsage: { promptTokens, completionTokens: 21, totalTokens: promptTokens + 21 } });
    expect(generations[0]?.map((generation) => generation.text)).toEqual(["reply 4", "reply 5", "reply 6"]);
    expect(text.calls).toHaveLength(1);
    await expect(model.invoke("Why?", { n: 0 })).rejects.toThrow("n: expected a whole number from 1, found 0");
    await expect(model.stream("Why?").then(joined)).rejects.toThrow("n: a stream is one reply");
  });

  test("with a prefill continues it, and the message holds what follows", async () => {
    const { text, model } = scripted({ reply: () => " goes on.\n<|/thinking|>\nYes." });
    const reply = await model.invoke("Why?", { prefill: "<|thinking|>\nIt" });
    expect(text.prompts).toEqual(["[user] Why?[assistant] <|thinking|>\nIt"]);
    expect(reply.additional_kwargs).toEqual({ reasoning_content: "goes on." });
    expect(reply.text).toBe("Yes.");
  });

  test("makes the request that the student's turn makes: ids, seed, sampling", async () => {
    const sampling = { maxNewTokens: 9, temperature: 0.8, topP: 0.9 };
    const turn = { prompt: "Why? Use <|thinking|>.", seed: 11, prefill: "<|thinking|>\nSlid.\n<|/thinking|>" };
    const { text, model } = scripted({}, sampling);
    await replies({ ...text, template: text.template as ChatTemplate }, [turn], sampling);
    await model.invoke(turn.prompt, { seed: turn.seed, prefill: turn.prefill });
    const [student, ours] = text.requests;
    expect(ours).toMatchObject(student as object);
    const { signal: _, onTokens: __, adapter: ___, ...options } = text.calls[1] as GenerateOptions;
    expect(options).toEqual(text.calls[0]);
  });

  test("whose last message is the assistant's is continued there", async () => {
    const { text, model } = scripted();
    await model.invoke([new HumanMessage("Why?"), new AIMessage("Because")]);
    expect(text.prompts).toEqual(["[user] Why?[assistant] Because"]);
  });

  test("that cannot be answered names the field", async () => {
    const { model } = scripted();
    await expect(model.invoke("Why?", { topP: 2 })).rejects.toThrow("sampling.topP");
    await expect(model.invoke("Why?", { adapter: "unknown" })).rejects.toThrow("expected one of on, off, other");
    await expect(model.invoke("Why?", { response_format: { type: "json_object" } })).rejects.toThrow("response_format");
  });
});

describe("a stream", () => {
  const replies = {
    plain: "No thinking at all.",
    thinking: THOUGHT,
    cut: "<|thinking|>\nWithout an end",
  };

  test.each(Object.entries(replies))("joins to what invoke returns for the same seed: %s", async (_, reply) => {
    const { model } = scripted({ reply: () => reply });
    const whole = await model.invoke("Why?", { logprobs: true });
    const chunks = await joined(await model.stream("Why?", { logprobs: true }));
    expect(shownIn(chunks)).toEqual(shownIn(whole));
    const { tokenUsage, ...metadata } = whole.response_metadata;
    expect(chunks.response_metadata).toEqual(metadata);
    expect(tokenUsage).toMatchObject({ completionTokens: reply.length });
  });

  test("comes in pieces, with the usage at its end", async () => {
    const { model } = scripted({ reply: () => THOUGHT });
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await model.stream("Why?")) chunks.push(chunk);
    expect(chunks.filter((chunk) => "reasoning_content" in chunk.additional_kwargs).length).toBeGreaterThan(2);
    expect(chunks.filter(({ content }) => content !== "").length).toBeGreaterThan(1);
    expect(chunks.map(({ usage_metadata }) => usage_metadata !== undefined)).toEqual(
      chunks.map((_, i) => i === chunks.length - 1),
    );
  });

  test("tells callbacks of every piece, and streaming makes invoke do so", async () => {
    const { model } = scripted({ reply: () => THOUGHT }, { streaming: true });
    const tokens: string[] = [];
    const reply = await model.invoke("Why?", {
      callbacks: [{ handleLLMNewToken: (token) => void tokens.push(token) }],
    });
    expect(tokens.join("")).toBe("Nacre.");
    expect(tokens.length).toBeGreaterThan(3);
    expect(reply.additional_kwargs).toEqual({ reasoning_content: "Shells are layered." });
  });

  test("that is left ends the request", async () => {
    const { text, model } = scripted({ reply: () => "x".repeat(1000) });
    for await (const chunk of await model.stream("Why?")) if (chunk.text !== "") break;
    await expect.poll(text.running).toBe(0);
  });

  test("has blocks of their own for thinking and text in LangChain's events", async () => {
    const { model } = scripted({ reply: () => THOUGHT });
    const message = await model.streamEvents("Why?", {}).output;
    expect(message.content).toEqual([
      { type: "reasoning", reasoning: "Shells are layered." },
      { type: "text", text: "Nacre." },
    ]);
    expect(message.response_metadata).toMatchObject({ finish_reason: "stop", seed: 4 });
  });
});

describe("an abort", () => {
  test("before the call generates nothing", async () => {
    const { text, model } = scripted();
    await expect(model.invoke("Why?", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    expect(text.prompts).toEqual([]);
  });

  test("rejects at once, though the engine takes its time, and the engine ends the request", async () => {
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { text, model } = scripted({ reply: () => "x".repeat(1000), pause: () => held });
    const stop = new AbortController();
    const reply = model.invoke("Why?", { signal: stop.signal });
    await expect.poll(text.running).toBe(1);
    stop.abort(new Error("enough"));
    await expect(reply).rejects.toThrow("enough");
    expect(text.running()).toBe(1);
    letGo();
    await expect.poll(text.running).toBe(0);
  });

  test("ends a stream", async () => {
    const { text, model } = scripted({ reply: () => "x".repeat(1000) });
    const stop = new AbortController();
    const read = async (): Promise<void> => {
      for await (const _ of await model.stream("Why?", { signal: stop.signal })) stop.abort(new Error("enough"));
    };
    await expect(read()).rejects.toThrow();
    await expect.poll(text.running).toBe(0);
  });
});

describe("the model", () => {
  test("sends a whole batch to the engine before the first reply is done", async () => {
    let most = 0;
    const { text, model } = scripted({
      pause: async () => {
        most = Math.max(most, text.running());
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    const replies = await model.batch(["One?", "Two?", "Three?"], { seed: 9 });
    expect(replies.map((reply) => reply.text)).toEqual(["reply 9", "reply 9", "reply 9"]);
    expect(most).toBe(3);
  });

  test("works in a chain", async () => {
    const { text, model } = scripted({ reply: (prompt) => prompt.toUpperCase() }, { stop: ["[ASSISTANT]"] });
    const chain = ChatPromptTemplate.fromMessages([
      ["system", "Be {mood}."],
      ["human", "{question}"],
    ])
      .pipe(model)
      .pipe(new StringOutputParser());
    expect(await chain.invoke({ mood: "brief", question: "Why?" })).toBe("[SYSTEM] BE BRIEF.[USER] WHY?");
    expect(text.prompts).toEqual(["[system] Be brief.[user] Why?[assistant] "]);
  });

  test("puts the system's words into the first user turn where the template has no such role", async () => {
    const { text, model } = scripted({ template: PLAIN_TEMPLATE });
    await model.invoke([new SystemMessage("Be brief."), new HumanMessage("Why?")]);
    expect(text.prompts).toEqual(["[user] Be brief.\n\nWhy?[assistant] "]);
  });

  test("counts tokens with its own tokenizer", async () => {
    expect(await scripted().model.getNumTokens("four")).toBe(4);
    expect(
      await scripted().model.getNumTokens([
        { type: "text", text: "fo" },
        { type: "text", text: "ur!" },
      ]),
    ).toBe(5);
  });

  test("is named by checkpoint and hash, for provenance and traces", () => {
    const { model } = scripted({}, { temperature: 0 });
    expect(chatModelName(model)).toBe("preflexor-engine:scripted@0123456789abcdef");
    expect(model.getLsParams({ maxNewTokens: 7 })).toEqual({
      ls_provider: "preflexor",
      ls_model_name: "scripted@0123456789abcdef",
      ls_model_type: "chat",
      ls_temperature: 0,
      ls_max_tokens: 7,
    });
    expect(JSON.stringify(model)).not.toContain("tokenizer");
  });

  test("does not close a text model that it was given", async () => {
    const { text, model } = scripted();
    await model.close();
    expect(text.closed()).toBe(false);
  });
});
