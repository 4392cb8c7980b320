/** @file Raw completions through OpenAI's client, with prompts of every shape. */
import { BadRequestError } from "openai";
import { describe, expect, it } from "vitest";
import type { TextPart } from "../../../src/trainer/generate/index.js";
import { rawOf, says, scripted, serve, token } from "./scripted-model.js";

const echoes = () => scripted((request) => says(`<${rawOf(request).prompt}>`));
/** "ñ" is two tokens, neither a character. */
const half = (byte: number, logp: number) => ({ id: 5, text: "\ufffd", bytes: Uint8Array.of(byte), logp });
const TOKENS: readonly TextPart[] = [
  { kind: "tokens", tokens: [token("a🐚", -0.5), half(0xc3, -1)] },
  { kind: "content", text: "a🐚" },
  { kind: "tokens", tokens: [half(0xb1, -2), token("o", -3)] },
  { kind: "content", text: "ño" },
];

describe("completions", () => {
  it("continues a prompt, with OpenAI's default length", async () => {
    const fake = echoes();
    const { client } = await serve(fake);
    const reply = await client.completions.create({ model: "small", prompt: "nacre" });
    expect(reply).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      choices: [{ index: 0, text: "<nacre>", finish_reason: "stop", logprobs: null }],
      usage: { prompt_tokens: 7, completion_tokens: 1, total_tokens: 8 },
    });
    await client.completions.create({ model: "small", prompt: "x".repeat(125) });
    expect(fake.asked).toMatchObject([
      { prompt: "nacre", sampling: { maxNewTokens: 16 } },
      { sampling: { maxNewTokens: 3 } },
    ]);
  });

  it("numbers n choices of several prompts prompt by prompt, and counts each prompt once", async () => {
    const { client } = await serve(echoes());
    const { choices, usage } = await client.completions.create({ model: "small", prompt: ["a", "b"], n: 2 });
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, "<a>"],
      [1, "<a>"],
      [2, "<b>"],
      [3, "<b>"],
    ]);
    expect(usage).toEqual({ prompt_tokens: 14, completion_tokens: 4, total_tokens: 18 });
  });

  it("takes token ids, one list or several, where the tokenizer reads them back", async () => {
    const { client } = await serve(echoes());
    const texts = async (prompt: number[] | number[][]) =>
      (await client.completions.create({ model: "small", prompt })).choices.map(({ text }) => text);
    expect(await texts([104, 105])).toEqual(["<hi>"]);
    expect(await texts([[104], [105]])).toEqual(["<h>", "<i>"]);
    await expect(texts([104, 128])).rejects.toThrow(/expected token ids below 128, found 128/);
    await expect(texts([104, 0])).rejects.toThrow(/not how this model's tokenizer writes/);
  });

  it("has log-probabilities in the older shape, with offsets in characters", async () => {
    const { client } = await serve(scripted(() => ({ parts: TOKENS })));
    const ask = { model: "small", prompt: "x", temperature: 0 };
    const expected = {
      tokens: ["a🐚", "\ufffd", "\ufffd", "o"],
      token_logprobs: [-0.5, -1, -2, -3],
      text_offset: [0, 2, 2, 3],
    };
    const none = await client.completions.create({ ...ask, logprobs: 0 });
    expect(none.choices[0]?.logprobs).toEqual({ ...expected, top_logprobs: null });
    const one = await client.completions.create({ ...ask, logprobs: 1 });
    expect(one.choices[0]?.logprobs?.top_logprobs?.[3]).toEqual({ o: -3 });
    const drawn = await client.completions.create({ ...ask, temperature: 1, logprobs: 1 });
    expect(drawn.choices[0]?.logprobs?.top_logprobs).toBeNull();

    const joined: { tokens: string[]; text_offset: number[] } = { tokens: [], text_offset: [] };
    for await (const { choices } of await client.completions.create({ ...ask, logprobs: 0, stream: true })) {
      joined.tokens.push(...(choices[0]?.logprobs?.tokens ?? []));
      joined.text_offset.push(...(choices[0]?.logprobs?.text_offset ?? []));
    }
    expect(joined).toEqual({ tokens: expected.tokens, text_offset: expected.text_offset });
  });

  it("streams every choice to its end", async () => {
    const { client } = await serve(echoes());
    const texts = ["", ""];
    const ends: (string | null | undefined)[] = [];
    const stream = await client.completions.create({
      model: "small",
      prompt: ["a", "b"],
      stream: true,
      stream_options: { include_usage: true },
    });
    let usage: object | null | undefined;
    for await (const chunk of stream) {
      usage = chunk.usage;
      for (const { index, text, finish_reason } of chunk.choices) {
        texts[index] += text;
        if (finish_reason !== null) ends[index] = finish_reason;
      }
    }
    expect(texts).toEqual(["<a>", "<b>"]);
    expect(ends).toEqual(["stop", "stop"]);
    expect(usage).toEqual({ prompt_tokens: 14, completion_tokens: 2, total_tokens: 16 });
  });

  it.each([
    [{ echo: true }, /echo is not supported/],
    [{ suffix: "x" }, /suffix is not supported/],
    [{ logprobs: 5 }, /logprobs: expected 0 or 1, found 5/],
    [{ best_of: 3 }, /best_of is supported where it equals n/],
    [{ prompt: undefined }, /prompt: expected a text, token ids, or a list of either, found nothing/],
    [{ prompt: [] }, /prompt: .*found a list/],
    [{ prompt: ["a", true] }, /prompt\[1\]: expected text or a list of token ids, found true/],
    [{ prompt: [[-1]] }, /prompt\[0\]\[0\]: expected number to be >=0, found -1/],
    [{ messages: [] }, /messages: no such field here/],
  ])("refuses %j", async (fields, message) => {
    const { client } = await serve(echoes());
    const failed = client.completions.create({ model: "small", prompt: "x", ...fields } as never);
    await expect(failed).rejects.toThrow(BadRequestError);
    await expect(failed).rejects.toThrow(message);
  });
});
