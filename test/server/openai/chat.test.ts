/** @file Chat through OpenAI's own client: what it sends arrives, what it reads is right. */
import { BadRequestError, NotFoundError } from "openai";
import { describe, expect, it } from "vitest";
import type { TextPart } from "../../../src/trainer/generate/index.js";
import { chatOf, FINGERPRINT, refuse, type Script, says, scripted, serve, token } from "./scripted-model.js";

const user = [{ role: "user", content: "Why is nacre tough?" }] as const;
const ask = { model: "small", messages: [...user] };

const THOUGHT: Script = {
  parts: [
    { kind: "tokens", tokens: [token("lay", -0.5), token("ers", -0.25)] },
    { kind: "reasoning", text: "layers" },
    { kind: "tokens", tokens: [token("They slide", -1)] },
    { kind: "content", text: "They " },
    { kind: "content", text: "slide 🐚" },
    { kind: "tokens", tokens: [token(".", Number.NEGATIVE_INFINITY)] },
  ],
};

const CALLS: readonly TextPart[] = [
  { kind: "toolCall", index: 0, call: { id: "call_1", name: "look_up", arguments: { word: "nacre" } } },
  { kind: "toolCall", index: 1, call: { id: "call_2", name: "look_up", arguments: {} } },
];
const TOOLS = [
  { type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } },
] as const;

describe("a reply in one piece", () => {
  it("has OpenAI's shape, with the thinking section beside the content", async () => {
    const { client } = await serve(scripted(() => THOUGHT));
    const reply = await client.chat.completions.create(ask);
    expect(reply).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-/),
      object: "chat.completion",
      model: "small",
      system_fingerprint: FINGERPRINT,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "They slide 🐚", reasoning_content: "layers", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 7, completion_tokens: 6, total_tokens: 13 },
    });
    expect(Math.abs(reply.created - Date.now() / 1000)).toBeLessThan(10);
  });

  it("leaves sampling to the model's defaults where nothing is said, and null is nothing", async () => {
    const fake = scripted(() => says("x"));
    const { client } = await serve(fake);
    await client.chat.completions.create({ ...ask, temperature: null, stop: null, logit_bias: null });
    expect(fake.asked).toEqual([{ messages: [{ role: "user", content: "Why is nacre tough?" }], sampling: {} }]);
  });

  it("hands every sampling field on, those of vLLM and llama.cpp too", async () => {
    const fake = scripted(() => says("x"));
    const { client } = await serve(fake);
    const more = { top_k: -1, min_p: 0.1, repetition_penalty: 1.1, chat_template_kwargs: { enable_thinking: false } };
    await client.chat.completions.create({
      ...ask,
      temperature: 0.5,
      top_p: 0.9,
      seed: 11,
      stop: ["END", "\n\n"],
      max_completion_tokens: 5,
      ...more,
    });
    expect(fake.asked[0]).toMatchObject({
      templateArguments: { enable_thinking: false },
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        topK: 0,
        minP: 0.1,
        repetitionPenalty: 1.1,
        seed: 11,
        stop: ["END", "\n\n"],
        maxNewTokens: 5,
      },
    });
    await client.chat.completions.create({ ...ask, stop: "END", max_tokens: 6 });
    expect(fake.asked[1]?.sampling).toEqual({ stop: ["END"], maxNewTokens: 6 });
  });

  it("draws n choices with seeds of their own, and counts the prompt once", async () => {
    const fake = scripted(({ sampling }) => says(`seed ${sampling?.seed}`));
    const { client } = await serve(fake);
    const { choices, usage } = await client.chat.completions.create({ ...ask, n: 3, seed: 40 });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "seed 40"],
      [1, "seed 41"],
      [2, "seed 42"],
    ]);
    expect(usage).toEqual({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
  });

  it("gives the log-probability of every token, and a number for one that could not be", async () => {
    const { client } = await serve(scripted(() => THOUGHT));
    const { choices } = await client.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 0 });
    expect(choices[0]?.logprobs?.content?.map(({ token, logprob }) => [token, logprob])).toEqual([
      ["lay", -0.5],
      ["ers", -0.25],
      ["They slide", -1],
      [".", -9999],
    ]);
    expect(choices[0]?.logprobs?.content?.[1]?.bytes).toEqual([101, 114, 115]);
  });

  it("reads text parts, developer turns, tool calls and tool results as the text model takes them", async () => {
    const fake = scripted(() => says("x"));
    const { client } = await serve(fake);
    await client.chat.completions.create({
      model: "small",
      messages: [
        { role: "developer", content: "Be short." },
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
          ],
        },
        {
          role: "assistant",
          content: null,
          refusal: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"q": 1}' } }],
        },
        { role: "tool", tool_call_id: "c", content: "42" },
      ],
    });
    expect(chatOf(fake.asked[0]).messages).toEqual([
      { role: "system", content: "Be short." },
      { role: "user", content: "ab" },
      { role: "assistant", content: "", toolCalls: [{ id: "c", name: "f", arguments: { q: 1 } }] },
      { role: "tool", toolCallId: "c", content: "42" },
    ]);
  });

  it("calls tools: finish_reason tool_calls, arguments as JSON, no content", async () => {
    const fake = scripted(() => ({ parts: CALLS }));
    const { client } = await serve(fake);
    const reply = await client.chat.completions.create({ ...ask, tools: [...TOOLS], tool_choice: "auto" });
    expect(chatOf(fake.asked[0]).tools).toEqual([{ name: "look_up", parameters: { type: "object", properties: {} } }]);
    expect(reply.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        content: null,
        tool_calls: [
          { id: "call_1", type: "function", function: { name: "look_up", arguments: '{"word":"nacre"}' } },
          { id: "call_2" },
        ],
      },
    });
    const single = await client.chat.completions.create({ ...ask, tools: [...TOOLS], parallel_tool_calls: false });
    expect(single.choices[0]?.message.tool_calls).toHaveLength(1);
    await client.chat.completions.create({ ...ask, tools: [...TOOLS], tool_choice: "none" });
    expect(chatOf(fake.asked[2]).tools).toBeUndefined();
  });

  it("asks for an adapter by its name as a model", async () => {
    const fake = scripted(() => says("x"), ["tutor"]);
    const { client } = await serve(fake);
    expect((await client.chat.completions.create({ ...ask, model: "tutor" })).model).toBe("tutor");
    expect(fake.asked[0]?.adapter).toBe("tutor");
  });
});

describe("a reply that cannot be given", () => {
  it("is 404 for a model that is not served, naming those that are", async () => {
    const { client } = await serve(scripted(() => says("x"), ["tutor"]));
    const failed = client.chat.completions.create({ ...ask, model: "gpt-5" });
    await expect(failed).rejects.toThrow(NotFoundError);
    await expect(failed).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
      param: "model",
      message: expect.stringMatching(/"gpt-5" is not served here; served are small, tutor/),
    });
  });

  it("is 400 under the client's own names for what the text model refuses", async () => {
    const { client } = await serve(
      scripted(() => refuse("sampling.maxNewTokens", "expected at most 3 in the context")),
    );
    for (const stream of [false, true]) {
      const failed = client.chat.completions.create({ ...ask, stream, n: 2 });
      await expect(failed).rejects.toThrow(BadRequestError);
      await expect(failed).rejects.toMatchObject({
        param: "max_tokens",
        code: "context_length_exceeded",
        message: "400 max_tokens: expected at most 3 in the context",
      });
    }
  });

  it("is 500 for a failure of the engine, whose words stay in the log", async () => {
    const { client, errors } = await serve(
      scripted(() => {
        throw new Error("secret path");
      }),
    );
    const failed = client.chat.completions.create(ask);
    await expect(failed).rejects.toMatchObject({ status: 500, type: "server_error" });
    await expect(failed).rejects.not.toThrow(/secret/);
    expect(errors.map(String)).toEqual(["Error: secret path"]);
  });

  it.each([
    [{ top_logprobs: 2 }, /top_logprobs is not supported above 0/],
    [{ response_format: { type: "json_object" } }, /response_format is supported as text alone/],
    [{ response_format: { type: "json_schema", json_schema: {} } }, /response_format is supported as text alone/],
    [{ tool_choice: "required" }, /tool_choice: expected auto or none/],
    [{ frequency_penalty: 0.5 }, /frequency_penalty is not supported/],
    [{ logit_bias: { 5: 1 } }, /logit_bias is not supported/],
    [{ functions: [] }, /functions is not supported: use tools/],
    [{ temperature: -1 }, /temperature: expected number to be >=0, found -1/],
    [{ temperature: "hot" }, /temperature: expected number, found "hot"/],
    [{ max_tokens: -5 }, /max_tokens: expected number to be >=1, found -5/],
    [{ max_tokens: 1e300 }, /max_tokens: .*found 1e\+300/],
    [{ top_p: 0 }, /top_p: .*found 0/],
    [{ seed: -1 }, /seed: .*found -1/],
    [{ n: 1000 }, /n: .*found 1000/],
    [{ n: 100 }, /asks for 100 sequences, this server takes 64/],
    [{ stop: "" }, /stop\[0\]: expected text that is not empty/],
    [{ messages: [] }, /messages: .*found a list/],
    [{ messages: "hi" }, /messages: expected array, found "hi"/],
    [{ messages: [{ role: "robot", content: "x" }] }, /messages\[0\]\.role: expected system, developer.*found "robot"/],
    [
      { messages: [{ role: "user" }] },
      /messages\[0\]\.content: expected a string or a list of text parts, found nothing/,
    ],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] },
      /messages\[0\]\.content\[0\]\.type: expected a part of type text/,
    ],
    [
      { messages: [{ role: "assistant", tool_calls: [{ id: "a", function: { name: "f", arguments: "[" } }] }] },
      /tool_calls\[0\]\.function\.arguments: expected a JSON object as a string/,
    ],
    [{ tempurature: 1 }, /tempurature: no such field here: did you mean temperature\?/],
    [{ mirostat: 2 }, /mirostat: no such field here; leave it out/],
  ])("is 400 for %j", async (fields, message) => {
    const fake = scripted(() => says("x"));
    const { client } = await serve(fake);
    const body = { ...ask, ...fields } as unknown as typeof ask;
    await expect(client.chat.completions.create(body)).rejects.toThrow(BadRequestError);
    await expect(client.chat.completions.create(body)).rejects.toThrow(message);
    expect(fake.asked).toEqual([]);
  });

  it("names all problems at once, and only so many of a body that has one in every field", async () => {
    const { client } = await serve(scripted(() => says("x")));
    const send = (fields: object) => client.chat.completions.create({ ...ask, ...fields } as typeof ask);
    await expect(send({ temperature: 3, top_k: 0.5, best: 1 })).rejects.toThrow(
      /temperature: .*found 3; top_k: .*found 0\.5; best: no such field/,
    );
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`field${i}`, 1]));
    const failed = (await send(many).catch((error: Error) => error)) as Error;
    expect(failed.message.length).toBeLessThan(2000);
  });

  it("ignores fields that change nothing", async () => {
    const { client } = await serve(scripted(() => says("x")));
    const harmless = { user: "u", metadata: {}, store: false, service_tier: "auto", reasoning_effort: "low" } as const;
    const reply = await client.chat.completions.create({
      ...ask,
      ...harmless,
      frequency_penalty: 0,
      response_format: { type: "text" },
    });
    expect(reply.choices[0]?.message.content).toBe("x");
  });
});
