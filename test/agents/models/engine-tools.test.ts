/** @file Tools and structured output of the engine's chat model: offered, called, answered, checked, repaired once. */
import { AIMessage, type AIMessageChunk, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { OutputParserException } from "@langchain/core/output_parsers";
import { tool } from "@langchain/core/tools";
import { concat } from "@langchain/core/utils/stream";
import { createAgent, toolStrategy } from "langchain";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { EngineChatModel } from "../../../src/agents/models/engine-chat-model.js";
import { createStructuredAgent } from "../../../src/agents/structured-agent.js";
import { PLAIN_TEMPLATE, scriptedTextModel } from "./scripted-text-model.js";

const hardness = tool(async ({ mineral }) => (mineral === "talc" ? "1 on the Mohs scale" : "unknown"), {
  name: "hardness",
  description: "Hardness of a mineral.",
  schema: z.object({ mineral: z.string() }),
});

const called = (name: string, args: unknown): string =>
  `<tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;

/** Replies in turn; the last one again and again. */
function scripted(replies: readonly string[], template?: string) {
  let turn = 0;
  const text = scriptedTextModel({
    reply: () => replies[Math.min(turn++, replies.length - 1)] ?? "",
    ...(template !== undefined && { template }),
  });
  return { text, model: new EngineChatModel({ model: text, seed: 1 }) };
}

const shownIn = (message: AIMessage) => ({
  content: message.content,
  calls: message.tool_calls?.map(({ name, args }) => ({ name, args })),
  invalid: message.invalid_tool_calls?.map(({ name, args, error }) => ({ name, args, error })),
  finish: message.response_metadata["finish_reason"],
});

describe("tools", () => {
  const readable = `Let me look.\n${called("hardness", { mineral: "talc" })}\n${called("hardness", { mineral: "opal" })}`;
  const broken = `<tool_call>{"name": "hardness", "arguments": {"mineral": "ta`;

  test("are told to the template, and a call is read out of the reply", async () => {
    const { text, model } = scripted([readable]);
    const reply = await model.bindTools([hardness]).invoke("How hard is talc?");
    expect(text.prompts[0]).toMatch(/^\[tools\] hardness\{.*"mineral".*\}\[user\] How hard is talc\?\[assistant\] $/s);
    expect(shownIn(reply)).toEqual({
      content: "Let me look.",
      calls: [
        { name: "hardness", args: { mineral: "talc" } },
        { name: "hardness", args: { mineral: "opal" } },
      ],
      invalid: [],
      finish: "tool_calls",
    });
    expect(new Set(reply.tool_calls?.map(({ id }) => id)).size).toBe(2);
  });

  test("whose call cannot be read leave it in the content and among the invalid calls", async () => {
    const reply = await scripted([broken]).model.bindTools([hardness]).invoke("How hard is talc?");
    expect(shownIn(reply)).toEqual({
      content: broken,
      calls: [],
      invalid: [{ name: "hardness", args: broken, error: "Malformed args." }],
      finish: "stop",
    });
  });

  test.each([readable, broken, "Hard to say."])("stream to what invoke returns: %s", async (reply) => {
    const { model } = scripted([reply]);
    const bound = model.bindTools([hardness]);
    const whole = await bound.invoke("How hard is talc?");
    let chunks: AIMessageChunk | undefined;
    for await (const chunk of await bound.stream("How hard is talc?")) {
      chunks = chunks === undefined ? chunk : concat(chunks, chunk);
    }
    expect(chunks && shownIn(chunks)).toEqual(shownIn(whole));
    const message = await model.streamEvents("How hard is talc?", { tools: [hardness] }).output;
    expect(message.tool_calls?.map(({ name, args }) => ({ name, args }))).toEqual(shownIn(whole).calls);
    expect(message.text).toBe(whole.content);
  });

  test("and their results are rendered back into the conversation", async () => {
    const { text, model } = scripted(["Soft."]);
    const call = { id: "abc", name: "hardness", args: { mineral: "talc" }, type: "tool_call" } as const;
    await model.invoke([
      new HumanMessage("How hard?"),
      new AIMessage({ content: "", tool_calls: [call] }),
      new ToolMessage({ content: "1", tool_call_id: "abc", name: "hardness" }),
    ]);
    const rendered = `<tool_call>{"name": "hardness", "arguments": {"mineral": "talc"}}</tool_call>`;
    expect(text.prompts).toEqual([`[user] How hard?[assistant] ${rendered}[tool abc] 1[assistant] `]);
  });

  test("are left out by tool_choice, which cannot ask for one that is not there", async () => {
    const { text, model } = scripted(["Yes."]);
    const other = { type: "function", function: { name: "other", parameters: { type: "object" } } };
    const bound = (tool_choice: string) => model.bindTools([hardness, other], { tool_choice }).invoke("Why?");
    await bound("none");
    await bound("other");
    await bound("any");
    const offered = text.prompts.map((prompt) => [prompt.includes("hardness{"), prompt.includes("other{")]);
    expect(offered).toEqual([
      [false, false],
      [false, true],
      [true, true],
    ]);
    await expect(bound("third")).rejects.toThrow('one of hardness, other, found "third"');
  });

  test("are refused by name where the template has no place for them", () => {
    const { model } = scripted([""], PLAIN_TEMPLATE);
    expect(() => model.bindTools([hardness])).toThrow(
      "the chat template of scripted has no place for tools, so hardness",
    );
    expect(() => model.bindTools([])).not.toThrow();
    expect(model.profile.toolCalling).toBe(false);
  });

  test("work in an agent: one call, its result, the answer", async () => {
    const { text, model } = scripted([called("hardness", { mineral: "talc" }), "Talc is 1, very soft."]);
    const agent = createAgent({ model, tools: [hardness], systemPrompt: "Use the tool." });
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: "How hard is talc?" }] });
    expect(messages.map((message) => message.getType())).toEqual(["human", "ai", "tool", "ai"]);
    expect(messages.at(-1)?.text).toBe("Talc is 1, very soft.");
    expect(text.prompts[1]).toMatch(/\[tool \w+\] 1 on the Mohs scale\[assistant\] $/);
    expect(text.prompts[0]).toContain("[system] Use the tool.[user] How hard is talc?");
  });

  test("are not needed by an agent that has none", async () => {
    const { model } = scripted(["Nacre."], PLAIN_TEMPLATE);
    const { messages } = await createAgent({ model, tools: [] }).invoke({ messages: [new HumanMessage("What?")] });
    expect(messages.at(-1)?.text).toBe("Nacre.");
  });

  test("hand in an agent's structured response, as teachers and critics do", async () => {
    const schema = z.object({ feedback: z.string() }).meta({ title: "submit-feedback" });
    const { model } = scripted([called("submit-feedback", { feedback: "Name the mineral." })]);
    const agent = await createStructuredAgent({ model, system: "Criticise.", schema });
    expect((await agent.run("It is hard.")).value).toEqual({ feedback: "Name the mineral." });
    const direct = createAgent({ model, tools: [], responseFormat: toolStrategy(schema) });
    const state = await direct.invoke({ messages: [new HumanMessage("It is hard.")] });
    expect(state.structuredResponse).toEqual({ feedback: "Name the mineral." });
  });
});

describe("structured output", () => {
  const schema = z.object({ mineral: z.string(), mohs: z.number().int() });
  const good = { mineral: "talc", mohs: 1 };
  const bad = { mineral: "talc", mohs: "soft" };

  test("is the argument of a call where the template has tools", async () => {
    const { text, model } = scripted([called("extract", good)]);
    expect(await model.withStructuredOutput(schema).invoke("How hard is talc?")).toEqual(good);
    expect(text.prompts[0]).toContain("[tools] extract{");
  });

  test("is JSON in the text where it has none, fenced or bare, after any thinking", async () => {
    const fenced = `<|thinking|>\nSoft.\n<|/thinking|>\n\`\`\`json\n${JSON.stringify(good)}\n\`\`\``;
    for (const reply of [JSON.stringify(good), fenced]) {
      const { text, model } = scripted([reply], PLAIN_TEMPLATE);
      expect(await model.withStructuredOutput(schema).invoke("How hard is talc?")).toEqual(good);
      expect(text.prompts[0]).toMatch(/^\[user\] How hard is talc\?\n\nReply with one JSON object .*"mohs"/s);
    }
  });

  test.each([
    ["a call that does not fit", undefined, called("extract", bad), called("extract", good), / \w+\] mohs: /],
    [
      "a plain reply",
      undefined,
      "Soft.",
      called("extract", good),
      /\[user\] expected a call of extract, found a plain reply/,
    ],
    [
      "an unreadable call",
      undefined,
      "<tool_call>{",
      called("extract", good),
      /\[user\] the call cannot be read as JSON/,
    ],
    ["JSON that does not fit", PLAIN_TEMPLATE, JSON.stringify(bad), JSON.stringify(good), /\[user\] mohs: /],
    ["no JSON", PLAIN_TEMPLATE, "Soft.", JSON.stringify(good), /\[user\] the reply is no JSON/],
  ])("is asked for once more with what was wrong: %s", async (_, template, first, second, told) => {
    const { text, model } = scripted([first, second], template);
    expect(await model.withStructuredOutput(schema).invoke("How hard is talc?")).toEqual(good);
    expect(text.prompts).toHaveLength(2);
    expect(text.prompts[1]).toMatch(told);
    expect(text.prompts[1]?.replaceAll(" ", "")).toContain(`[assistant]${first.replaceAll(" ", "")}[`);
  });

  test("throws after the second reply that does not fit, or is null beside the raw reply", async () => {
    const { text, model } = scripted([called("extract", bad)]);
    const strictly = model.withStructuredOutput(schema).invoke("How hard is talc?");
    await expect(strictly).rejects.toThrow(OutputParserException);
    await expect(strictly).rejects.toThrow("two replies did not fit the schema; the second: mohs:");
    expect(text.prompts).toHaveLength(2);
    const { raw, parsed } = await model.withStructuredOutput(schema, { includeRaw: true }).invoke("How hard is talc?");
    expect(parsed).toBeNull();
    expect(raw.tool_calls[0].args).toEqual(bad);
  });

  test("is checked against a JSON schema too", async () => {
    const json = {
      title: "Mineral",
      type: "object",
      properties: { mohs: { type: "integer" } },
      required: ["mohs"],
    };
    const { text, model } = scripted([called("Mineral", { mohs: 1.5 }), called("Mineral", { mohs: 1 })]);
    expect(await model.withStructuredOutput(json).invoke("How hard is talc?")).toEqual({ mohs: 1 });
    expect(text.prompts[1]).toContain("#/mohs: ");
  });

  test("promises no constraint that there is not", () => {
    const { model } = scripted([""]);
    expect(() => model.withStructuredOutput(schema, { method: "jsonSchema" })).toThrow(
      "expected functionCalling or jsonMode, found jsonSchema: nothing constrains",
    );
    expect(() => model.withStructuredOutput(schema, { strict: true })).toThrow("strict: nothing constrains");
  });

  test("passes seeds, callbacks and the signal on", async () => {
    const { text, model } = scripted([called("extract", good)]);
    const runs: string[] = [];
    const callbacks = [{ handleChatModelStart: () => void runs.push("model") }];
    await model.withStructuredOutput(schema).invoke("How hard is talc?", { callbacks });
    expect(runs).toEqual(["model"]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(model.withStructuredOutput(schema).invoke("How?", { signal })).rejects.toThrow();
    expect(text.prompts).toHaveLength(1);
  });
});
