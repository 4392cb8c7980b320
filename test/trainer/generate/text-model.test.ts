/** @file Text in, text out, on a policy with a script: streams, stops, sections, seeds and batches. */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openTextModel, type TextModel, type TextPart, type TextRequest } from "../../../src/trainer/generate/index.js";
import { loadTokenizer } from "../../../src/trainer/text/index.js";
import { type ScriptedOptions, type ScriptedPolicy, scriptedPolicy } from "../../support/scripted-policy.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));
const tokenizer = await loadTokenizer(NANO);
const encode = (text: string): number[] => [...tokenizer.encode(text)];

async function saying(
  reply: string | ScriptedOptions["reply"],
  options: Partial<ScriptedOptions> = {},
): Promise<{ model: TextModel; policy: ScriptedPolicy }> {
  const policy = scriptedPolicy({
    reply: typeof reply === "string" ? () => ({ ids: encode(reply) }) : reply,
    contextLength: 200,
    ...options,
  });
  return { model: await openTextModel({ model: NANO, policy, adapters: { trained: "unused" } }), policy };
}

async function read(stream: AsyncIterable<TextPart>): Promise<TextPart[]> {
  const parts: TextPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}
const textOf = (parts: readonly TextPart[], kind: "reasoning" | "content"): string =>
  parts.map((part) => (part.kind === kind ? part.text : "")).join("");

const ASK: TextRequest = { messages: [{ role: "user", content: "Which is tough? Use <|thinking|>." }] };
const REPLY = "<|thinking|>\nlayers slide 🧪\n<|/thinking|>\nnacre, of course";

describe("a reply", () => {
  it("has text, thinking, content, ids and counts", async () => {
    const { model, policy } = await saying(REPLY);
    const [reply] = await model.generate([ASK]);
    expect(reply).toMatchObject({
      text: REPLY,
      reasoning: "layers slide 🧪",
      content: "nacre, of course",
      toolCalls: [],
      finishReason: "stop",
      usage: { completionTokens: encode(REPLY).length, promptTokens: model.prepare(ASK).ids.length },
    });
    expect([...reply!.ids]).toEqual(encode(REPLY));
    expect(reply).not.toHaveProperty("tokens");
    const { requests } = policy.calls[0]!;
    expect(tokenizer.decode(requests[0]!.ids)).toBe("<|user|>Which is tough? Use <|thinking|>.<|end|><|assistant|>");
  });
  it.each([0, 1, 3, 100])("is the same in chunks of %i tokens, and its parts joined are its whole", async (chunk) => {
    const { model } = await saying(REPLY, { chunk });
    const parts = await read(model.stream({ ...ASK, sampling: { seed: 1 }, logprobs: true }));
    const end = parts.at(-1);
    if (end?.kind !== "end") throw new Error("the last part is not the end");
    const [whole] = await model.generate([{ ...ASK, sampling: { seed: 1 }, logprobs: true }]);
    expect(end.reply).toEqual(whole);
    expect(textOf(parts, "reasoning")).toBe(whole!.reasoning);
    expect(textOf(parts, "content")).toBe(whole!.content);
    expect(parts.flatMap((part) => (part.kind === "tokens" ? part.tokens : []))).toEqual(whole!.tokens);
    for (const part of parts) if ("text" in part) expect(part.text).not.toMatch(/\uFFFD|<\|/);
  });
  it("comes while it is made, not at its end", async () => {
    const { model, policy } = await saying("one two three four five six", { chunk: 1 });
    for await (const part of model.stream({ prompt: "count:" })) {
      if (part.kind === "content") break;
    }
    expect(policy.chunks()).toBeLessThan(encode("one two three four five six").length);
  });
  it("gives each token with its bytes and its log-probability", async () => {
    const { model } = await saying("a 🧪");
    const [reply] = await model.generate([{ prompt: "x", logprobs: true }]);
    const tokens = reply!.tokens!;
    expect(tokens.map(({ id }) => id)).toEqual(encode("a 🧪"));
    expect(Buffer.concat(tokens.map(({ bytes }) => bytes)).toString("utf8")).toBe("a 🧪");
    expect(tokens.map(({ logp }) => logp)).toEqual(tokens.map((_, i) => -i / 8));
    expect(tokens[0]!.text).toBe("a");
  });
  it("reports the random seed that it was given, and keeps the one that was asked for", async () => {
    const { model, policy } = await saying("x");
    const replies = await model.generate([{ prompt: "a" }, { prompt: "a" }, { prompt: "a", sampling: { seed: 7 } }]);
    expect(replies.map(({ seed }) => seed)).toEqual(policy.calls[0]!.requests.map(({ seed }) => seed));
    expect(replies[0]!.seed).not.toBe(replies[1]!.seed);
    expect(replies[2]!.seed).toBe(7);
  });
});

describe("a stop string", () => {
  it("ends the request in the engine, is not shown, and counts as stop", async () => {
    const { model, policy } = await saying("nacre is tough. END and much more text than that", { chunk: 1 });
    const parts = await read(model.stream({ prompt: "x", sampling: { stop: ["END"] }, logprobs: true }));
    const end = parts.at(-1);
    if (end?.kind !== "end") throw new Error("the last part is not the end");
    expect(end.reply).toMatchObject({ text: "nacre is tough. ", finishReason: "stop", stopString: "END" });
    expect(textOf(parts, "content")).toBe("nacre is tough. ");
    expect(policy.chunks()).toBe(end.reply.ids.length);
    expect(end.reply.tokens).toHaveLength(end.reply.ids.length);
    expect(tokenizer.decode(end.reply.ids)).toMatch(/END$/);
  });
  it("cuts a chunk that goes beyond it", async () => {
    const { model } = await saying("a STOP b c d e f", { chunk: 100 });
    const [reply] = await model.generate([{ prompt: "x", sampling: { stop: ["STOP"] } }]);
    expect(reply!.text).toBe("a ");
    expect(tokenizer.decode(reply!.ids)).toBe("a STOP");
  });
  it("that was only begun is shown at the end", async () => {
    const { model } = await saying("the EN");
    const [reply] = await model.generate([{ prompt: "x", sampling: { stop: ["END"] } }]);
    expect(reply).toMatchObject({ text: "the EN", content: "the EN" });
    expect(reply).not.toHaveProperty("stopString");
  });
});

describe("a pre-filled reply", () => {
  const question = { messages: [{ role: "user", content: "Which?" }] } as const;
  it("stands behind the opening of the turn, and is not repeated", async () => {
    const { model, policy } = await saying("nacre");
    const prefill = "<|thinking|>\nlayers\n<|/thinking|>";
    const [reply] = await model.generate([{ ...question, prefill }]);
    expect(tokenizer.decode(policy.calls[0]!.requests[0]!.ids)).toBe(`<|user|>Which?<|end|><|assistant|>${prefill}`);
    expect(reply).toMatchObject({ text: "nacre", reasoning: "", content: "nacre" });
  });
  it("may end inside the thinking section", async () => {
    const { model } = await saying(" slide<|/thinking|>nacre");
    const [reply] = await model.generate([{ ...question, prefill: "<|thinking|>layers" }]);
    expect(reply).toMatchObject({ reasoning: "slide", content: "nacre" });
    const [raw] = await model.generate([{ prompt: "<|assistant|><|thinking|>\n" }]);
    expect(raw).toMatchObject({ reasoning: "slide", content: "nacre" });
  });
  it("may be the assistant's last message", async () => {
    const { model } = await saying("x");
    const last = { role: "assistant", content: "<|thinking|>a" } as const;
    expect(model.prepare({ messages: [...question.messages, last] })).toMatchObject({
      ids: model.prepare({ ...question, prefill: last.content }).ids,
      inside: { end: "<|/thinking|>" },
    });
  });
  it("is not opened by talk of the marker", async () => {
    const { model } = await saying("x");
    expect(model.prepare(ASK)).not.toHaveProperty("inside");
    expect(model.prepare({ prompt: "Use <|thinking|>." })).not.toHaveProperty("inside");
  });
});

describe("sampling", () => {
  it("is the caller's, else the model's, else plain; what is left of the context where no length is given", async () => {
    const { model, policy } = await saying("x", { contextLength: 50 });
    const { ids, sampling } = model.prepare({ prompt: "Nacre is", sampling: { topK: 5, minP: undefined! } });
    expect(sampling).toEqual({ maxNewTokens: 50 - ids.length, temperature: 1, topP: 1, topK: 5, stopTokenIds: [3] });
    const length = 50 - ids.length;
    expect(model.prepare({ prompt: "Nacre is", sampling: { maxNewTokens: length } }).sampling.maxNewTokens).toBe(
      length,
    );
    await model.generate([{ prompt: "Nacre is", sampling: { maxNewTokens: 1 } }]);
    expect(policy.calls[0]!.options).toMatchObject({ maxNewTokens: 1, temperature: 1, adapter: "on" });
  });
  it("of a batch goes with each request, and says so where a request has less than the first", async () => {
    const { model, policy } = await saying("x");
    await model.generate([
      { prompt: "a", sampling: { topK: 9, temperature: 0, maxNewTokens: 3 } },
      { prompt: "b", sampling: { temperature: 0.5, maxNewTokens: 4 } },
    ]);
    const [{ requests, options }] = policy.calls as [(typeof policy.calls)[number]];
    expect(options).toMatchObject({ topK: 9, temperature: 0 });
    expect(requests[0]).not.toHaveProperty("sampling");
    expect(requests[1]!.sampling).toMatchObject({ topK: 0, temperature: 0.5, maxNewTokens: 4 });
  });
  it("is cut by length where the model does not stop", async () => {
    const { model } = await saying("one two three four");
    const [reply] = await model.generate([{ prompt: "x", sampling: { maxNewTokens: 2 } }]);
    expect(reply).toMatchObject({ finishReason: "length", usage: { completionTokens: 2 } });
  });
});

describe("a batch", () => {
  it("is one call for each adapter, with replies in the order of the requests", async () => {
    const { model, policy } = await saying(({ ids }, { adapter }) => ({
      ids: encode(`${adapter}: ${tokenizer.decode(ids)}`),
    }));
    const progress: number[][] = [];
    const replies = await model.generate(
      [{ prompt: "a" }, { prompt: "b", adapter: "trained" }, { prompt: "c" }, { prompt: "d", adapter: "off" }],
      { onProgress: (...counts) => progress.push(counts) },
    );
    expect(replies.map(({ text }) => text)).toEqual(["on: a", "trained: b", "on: c", "off: d"]);
    expect(policy.calls.map(({ requests }) => requests.length)).toEqual([2, 1, 1]);
    expect(progress.at(-1)).toEqual([4, 4]);
  });
  it("names the request of each part", async () => {
    const { model } = await saying(({ ids }) => ({ ids: [...ids, ...ids] }));
    const text = ["", ""];
    await model.generate([{ prompt: "a" }, { prompt: "b" }], {
      onPart: (part, request) => {
        if (part.kind === "content") text[request] += part.text;
      },
    });
    expect(text).toEqual(["aa", "bb"]);
  });
  it("of nothing is nothing", async () => {
    const { model, policy } = await saying("x");
    expect(await model.generate([])).toEqual([]);
    expect(policy.calls).toEqual([]);
  });
});

describe("what goes wrong", () => {
  it("in a listener ends the requests, and is thrown where they were asked for", async () => {
    const { model, policy } = await saying("one two three four five six", { chunk: 1 });
    const onPart = (): never => {
      throw new Error("the socket is gone");
    };
    await expect(model.generate([{ prompt: "x" }], { onPart })).rejects.toThrow("the socket is gone");
    expect(policy.chunks()).toBeLessThan(4);
  });
  it("in the engine reaches the reader of a stream behind the parts before it", async () => {
    const { model, policy } = await saying("x");
    policy.generate = async (_, { onTokens }) => {
      onTokens?.({ request: 0, ids: Int32Array.from(encode("so far")), logps: new Float32Array(9) });
      throw new Error("the engine process ended");
    };
    const parts: TextPart[] = [];
    const reading = (async () => {
      for await (const part of model.stream({ prompt: "x" })) parts.push(part);
    })();
    await expect(reading).rejects.toThrow("the engine process ended");
    expect(textOf(parts, "content")).toBe("so far");
  });
  it("in one adapter's batch ends the others", async () => {
    const { model, policy } = await saying(
      (_, { adapter }) => {
        if (adapter === "off") throw new Error("no such weights");
        return { ids: encode("a b c d e f g h i j k l m n o p") };
      },
      { chunk: 1 },
    );
    await expect(model.generate([{ prompt: "a" }, { prompt: "b", adapter: "off" }])).rejects.toThrow("no such weights");
    expect(policy.chunks()).toBeLessThan(4);
  });
  it("is the signal's reason where it is aborted, before or while it runs", async () => {
    const { model, policy } = await saying("one two three four", { chunk: 1 });
    const reason = new Error("enough");
    await expect(model.generate([{ prompt: "x" }], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(policy.calls).toEqual([]);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of model.stream({ prompt: "x" }, { signal: controller.signal })) controller.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
  });
  it("closes a policy of its own only", async () => {
    const { model, policy } = await saying("x");
    await model.close();
    expect(policy.closed()).toBe(false);
  });
});
