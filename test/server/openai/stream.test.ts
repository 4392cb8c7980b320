/** @file Streams: chunks in OpenAI's shape, a failure on the way, a client that leaves or does not read. */
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import OpenAI, { APIError } from "openai";
import { describe, expect, it } from "vitest";
import { EventStream } from "../../../src/server/openai/sse.js";
import type { TextPart } from "../../../src/trainer/generate/index.js";
import { FINGERPRINT, says, scripted, serve, token, until } from "./scripted-model.js";

const ask = { model: "small", messages: [{ role: "user" as const, content: "Why?" }] };

const PARTS: readonly TextPart[] = [
  { kind: "tokens", tokens: [token("layers", -0.5)] },
  { kind: "reasoning", text: "layers" },
  { kind: "tokens", tokens: [token("They", -1), token(" slide", -2)] },
  { kind: "content", text: "They slide " },
  { kind: "content", text: "🐚" },
  { kind: "tokens", tokens: [token("END", -3)] },
];

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/** Far more than any test reads. */
const endless = {
  parts: Array.from({ length: 100_000 }, (): TextPart => ({ kind: "content", text: "on and on " })),
  before: () => new Promise<void>((resolve) => setTimeout(resolve, 1)),
};

describe("a stream", () => {
  it("begins with the role, goes on with thinking and content, and ends with the reason", async () => {
    const { client } = await serve(scripted(() => ({ parts: PARTS, finishReason: "length" })));
    const chunks = await all(await client.chat.completions.create({ ...ask, stream: true }));
    expect(chunks.map(({ choices }) => [choices[0]?.delta, choices[0]?.finish_reason])).toEqual([
      [{ role: "assistant", content: "", refusal: null }, null],
      [{ reasoning_content: "layers" }, null],
      [{ content: "They slide " }, null],
      [{ content: "🐚" }, null],
      [{}, "length"],
    ]);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    for (const chunk of chunks) {
      expect(chunk).toMatchObject({ object: "chat.completion.chunk", model: "small", system_fingerprint: FINGERPRINT });
      expect(chunk).not.toHaveProperty("usage");
    }
  });

  it("is server-sent events that end with [DONE]", async () => {
    const { origin } = await serve(scripted(() => says("x")));
    const response = await fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify({ ...ask, stream: true }),
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = (await response.text()).split("\n\n");
    expect(events.slice(-2)).toEqual(["data: [DONE]", ""]);
    for (const event of events.slice(0, -2)) expect(JSON.parse(event.replace(/^data: /, ""))).toBeTypeOf("object");
  });

  it("brings each token's log-probability once, with the text it became", async () => {
    const { client } = await serve(scripted(() => ({ parts: PARTS })));
    const chunks = await all(await client.chat.completions.create({ ...ask, stream: true, logprobs: true }));
    expect(chunks.map(({ choices }) => choices[0]?.logprobs?.content?.map(({ token }) => token))).toEqual([
      undefined,
      ["layers"],
      ["They", " slide"],
      undefined,
      ["END"],
    ]);
  });

  it("counts tokens in one more chunk where that is asked for", async () => {
    const { client } = await serve(scripted(() => says("x")));
    const stream_options = { include_usage: true };
    const chunks = await all(await client.chat.completions.create({ ...ask, n: 2, stream: true, stream_options }));
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it("carries n choices side by side, each with its role and its end", async () => {
    const { client } = await serve(scripted(({ sampling }) => says(`seed ${sampling?.seed}`)));
    const chunks = await all(await client.chat.completions.create({ ...ask, n: 3, seed: 1, stream: true }));
    for (const index of [0, 1, 2]) {
      const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(own.map(({ delta }) => delta.content)).toEqual(["", `seed ${index + 1}`, undefined]);
      expect(own.at(-1)?.finish_reason).toBe("stop");
    }
  });

  it("is put together by the client's own helper, tool calls included", async () => {
    const call = { id: "call_1", name: "look_up", arguments: { word: "nacre" } };
    const { client } = await serve(scripted(() => ({ parts: [{ kind: "toolCall", index: 0, call }] })));
    const tools = [{ type: "function", function: { name: "look_up", parameters: {} } }] as const;
    const whole = await client.chat.completions.stream({ ...ask, tools: [...tools] }).finalChatCompletion();
    expect(whole.choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { tool_calls: [{ id: "call_1", function: { name: "look_up", arguments: '{"word":"nacre"}' } }] },
    });
  });
});

describe("a stream that breaks off", () => {
  it("tells of a failure on the way as an error event, and never says [DONE]", async () => {
    let parts = 0;
    const before = async (): Promise<void> => {
      if (++parts === 3) throw new Error("the engine died");
    };
    const fake = scripted(() => ({ parts: PARTS, before }));
    const { client, errors } = await serve(fake);
    const seen: string[] = [];
    const read = async (): Promise<void> => {
      const stream = await client.chat.completions.create({ ...ask, stream: true });
      for await (const { choices } of stream) seen.push(JSON.stringify(choices[0]?.delta));
    };
    const failed = (await read().catch((error: unknown) => error)) as APIError;
    expect(failed).toBeInstanceOf(APIError);
    expect(failed.error).toMatchObject({ type: "server_error", message: expect.stringMatching(/its log says why/) });
    expect(seen).toHaveLength(2);
    expect(errors.map(String)).toEqual(["Error: the engine died"]);
  });

  it("ends every choice where one fails", async () => {
    const fake = scripted(({ sampling }) => ({
      parts: PARTS,
      before: async (signal) => {
        if (sampling?.seed !== 1) return whenAborted(signal);
        throw new Error("the engine died");
      },
    }));
    const { client } = await serve(fake);
    const failed = client.chat.completions.create({ ...ask, n: 3, seed: 0, stream: true });
    await expect(failed).rejects.toMatchObject({ status: 500 });
    expect(fake.left).toHaveLength(3);
  });

  it("is cancelled at once when the client leaves, in every choice", async () => {
    const fake = scripted(() => endless);
    const { client, errors } = await serve(fake);
    const stream = await client.chat.completions.create({ ...ask, n: 2, stream: true });
    for await (const { choices } of stream) if (choices[0]?.delta.content !== "") break;
    const before = Date.now();
    await until(() => fake.left.length === 2);
    expect(Date.now() - before).toBeLessThan(200);
    expect(errors).toEqual([]);
  });

  it("is cancelled also before its first part, and so is a reply in one piece", async () => {
    const fake = scripted(() => ({ parts: PARTS, before: whenAborted }));
    const { client, errors } = await serve(fake);
    for (const [i, stream] of [true, false].entries()) {
      const controller = new AbortController();
      const call = client.chat.completions.create({ ...ask, stream }, { signal: controller.signal });
      const failed = expect(call).rejects.toThrow(OpenAI.APIUserAbortError);
      await until(() => fake.asked.length === i + 1);
      controller.abort();
      await failed;
      await until(() => fake.left.length === i + 1);
    }
    expect(errors).toEqual([]);
  });

  it("writes nothing to a client that has gone", async () => {
    const response = { destroyed: true, writeHead: () => undefined, write: () => false } as unknown as ServerResponse;
    await expect(new EventStream(response).send({})).rejects.toThrow("the client has gone");
  });

  it("goes no faster than its reader", async () => {
    let made = 0;
    const text = "x".repeat(64 * 1024);
    const parts = Array.from({ length: 2000 }, (): TextPart => ({ kind: "content", text }));
    const fake = scripted(() => ({
      parts,
      before: async () => {
        made++;
      },
    }));
    const { origin } = await serve(fake);
    const socket = connect(Number(new URL(origin).port), "127.0.0.1");
    const body = JSON.stringify({ ...ask, stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.pause();
    await until(() => made > 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const stalled = made;
    expect(stalled).toBeLessThan(500);
    socket.resume();
    await until(() => made > stalled + 100);
    socket.destroy();
    await until(() => fake.left.length === 1);
  });
});
