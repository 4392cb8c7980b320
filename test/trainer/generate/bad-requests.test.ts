/** @file Requests that cannot be answered: each problem named, with what was expected, what was found and what to do. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  openTextModel,
  type TextModel,
  type TextRequest,
  TextRequestError,
} from "../../../src/trainer/generate/index.js";
import { scriptedPolicy } from "../../support/scripted-policy.js";

const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));
const policy = scriptedPolicy({ reply: () => ({ ids: [20] }), contextLength: 40 });
const user = (content: string) => ({ role: "user", content }) as const;

let dir: string;
let model: TextModel;
/** A copy of nano with these files changed; null removes one. */
async function variant(files: Readonly<Record<string, unknown>>): Promise<TextModel> {
  const at = await mkdtemp(join(dir, "model-"));
  for (const name of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"]) {
    const content = name in files ? files[name] : await readFile(join(NANO, name), "utf8");
    const text = typeof content === "string" ? content : JSON.stringify(content);
    if (content !== null) await writeFile(join(at, name), text);
  }
  return openTextModel({ model: at, policy });
}
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "preflexor-requests-"));
  model = await openTextModel({ model: NANO, policy, adapters: { trained: "unused" } });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function problemsOf(request: unknown, of = model): readonly { field: string; message: string }[] {
  try {
    of.prepare(request as TextRequest);
  } catch (error) {
    if (error instanceof TextRequestError) return error.problems;
    throw error;
  }
  return [];
}

describe("a request is refused", () => {
  it.each<[string, unknown, string, RegExp]>([
    [
      "with a field of sampling that is not known",
      { prompt: "a", sampling: { top_p: 0.9 } },
      "sampling.top_p",
      /no such field; did you mean sampling\.topP\?/,
    ],
    [
      "with a field that nothing is like",
      { prompt: "a", sampling: { beams: 4 } },
      "sampling.beams",
      /known are maxNewTokens, temperature/,
    ],
    [
      "with a temperature below 0",
      { prompt: "a", sampling: { temperature: -1 } },
      "sampling.temperature",
      /0 \(greedy\) or more, found -1/,
    ],
    [
      "with a temperature that is no number",
      { prompt: "a", sampling: { temperature: Number.NaN } },
      "sampling.temperature",
      /found NaN/,
    ],
    ["with topP 0", { prompt: "a", sampling: { topP: 0 } }, "sampling.topP", /above 0 and at most 1.*found 0/],
    [
      "with half a topK",
      { prompt: "a", sampling: { topK: 2.5 } },
      "sampling.topK",
      /whole number, 0 or more, found 2\.5/,
    ],
    ["with minP 1", { prompt: "a", sampling: { minP: 1 } }, "sampling.minP", /below 1, found 1/],
    [
      "with no penalty at all",
      { prompt: "a", sampling: { repetitionPenalty: 0 } },
      "sampling.repetitionPenalty",
      /above 0/,
    ],
    [
      "with a seed below 0",
      { prompt: "a", sampling: { seed: -3 } },
      "sampling.seed",
      /whole number, 0 or more, found -3/,
    ],
    [
      "with an empty stop string",
      { prompt: "a", sampling: { stop: ["x", ""] } },
      "sampling.stop",
      /none of them empty, found \["x",""\]/,
    ],
    ["with a stop string alone", { prompt: "a", sampling: { stop: "x" } }, "sampling.stop", /a list of/],
    ["for no tokens", { prompt: "a", sampling: { maxNewTokens: 0 } }, "sampling.maxNewTokens", /1 or more, found 0/],
    ["with sampling that is no object", { prompt: "a", sampling: 3 }, "sampling", /an object, found 3/],
    [
      "with an adapter that is not there",
      { prompt: "a", adapter: "other" },
      "adapter",
      /one of on, off, trained, found "other"/,
    ],
    ["with a field of its own that is not known", { prompt: "a", promt: "b" }, "promt", /did you mean prompt\?/],
    ["with neither prompt nor messages", {}, "messages", /prompt or messages, found neither/],
    ["with both", { prompt: "a", messages: [user("a")] }, "messages", /found both/],
    ["with a prompt that is no text", { prompt: 7 }, "prompt", /a string, found 7/],
    ["without a message", { messages: [] }, "messages", /at least one message, found none/],
    ["with messages in words", { messages: "hello" }, "messages", /a list of \{role, content\}, found "hello"/],
    [
      "with a role that does not exist",
      { messages: [user("a"), { role: "bot", content: "" }] },
      "messages[1].role",
      /system, user, assistant, tool, found "bot"/,
    ],
    [
      "with a content that is no text",
      { messages: [{ role: "user", content: [{ type: "image" }] }] },
      "messages[0].content",
      /a string, found \[\{"type":"image"\}\]/,
    ],
    [
      "with a call by the user",
      { messages: [{ ...user("a"), toolCalls: [] }] },
      "messages[0].toolCalls",
      /only the assistant calls tools/,
    ],
    [
      "with two beginnings of the reply",
      { messages: [user("a"), { role: "assistant", content: "b" }], prefill: "c" },
      "prefill",
      /continued already/,
    ],
    [
      "with a tool without a name",
      { messages: [user("a")], tools: [{ description: "x" }] },
      "tools[0]",
      /\{name, description, parameters\}/,
    ],
    [
      "with tools that the template does not take",
      { messages: [user("a")], tools: [{ name: "f" }] },
      "tools",
      /takes no tools; leave them out/,
    ],
    ["with an empty prompt", { prompt: "" }, "prompt", /at least one token, found none/],
    [
      "with a prompt as long as the context",
      { prompt: "a".repeat(400) },
      "prompt",
      /at most 39 tokens, as the model's context has 40 positions, found \d+; shorten/,
    ],
    [
      "for more tokens than are left",
      { messages: [user("a")], sampling: { maxNewTokens: 40 } },
      "sampling.maxNewTokens",
      /at most 36, as 4 of the context's 40 positions are the prompt's, found 40; ask for fewer/,
    ],
    [
      "with a role that the template refuses",
      { messages: [user("a"), { role: "system", content: "b" }, user("c")] },
      "messages[1]",
      /\(role system\) cannot be rendered: .*user and assistant, found system/,
    ],
  ])("%s", (_, request, field, message) => {
    const problems = problemsOf(request);
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(problems[0]!.message).toMatch(message);
  });

  it("with all its problems, and those of the other requests, at once", async () => {
    const requests = [
      { prompt: "a", sampling: { topP: 2, seed: 0.5, temprature: 1 } },
      { prompt: "fine" },
      { messages: [] },
    ] as unknown as TextRequest[];
    const refused = await model.generate(requests).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(TextRequestError);
    const found = (refused as TextRequestError).problems.map(({ request, field }) => `${request} ${field}`);
    expect(found.sort()).toEqual(["0 sampling.seed", "0 sampling.temprature", "0 sampling.topP", "2 messages"]);
    expect((refused as Error).message).toMatch(/^4 problems:\n {2}request 0: sampling\./);
    expect(policy.calls).toEqual([]);
  });
});

describe("a model", () => {
  it("without a chat template takes raw prompts, and says so of conversations", async () => {
    const { chat_template: _, ...config } = JSON.parse(await readFile(join(NANO, "tokenizer_config.json"), "utf8"));
    const bare = await variant({ "chat_template.jinja": null, "tokenizer_config.json": config });
    expect(problemsOf({ messages: [user("a")] }, bare)[0]).toMatchObject({
      field: "messages",
      message: expect.stringMatching(/no chat template; take an instruct model, or give a prompt as raw text/),
    });
    expect(bare.prepare({ prompt: "a" }).ids.length).toBe(1);
  });
  it("whose template fails names the message and what jinja says", async () => {
    const broken = await variant({
      "chat_template.jinja": "{% for m in messages %}{{ m.content | sparkle }}{% endfor %}",
    });
    expect(problemsOf({ messages: [user("a")] }, broken)[0]).toMatchObject({
      field: "messages[0]",
      message: expect.stringMatching(/the chat template failed: /),
    });
  });
  it("says what it samples with, and the caller may say otherwise", async () => {
    const own = await variant({
      "generation_config.json": {
        eos_token_id: [3, 0],
        temperature: 0.6,
        top_k: 20,
        top_p: 0.95,
        max_new_tokens: 9,
        do_sample: true,
      },
    });
    expect(own.stopTokenIds).toEqual([3, 0]);
    expect(own.prepare({ prompt: "a" }).sampling).toEqual({
      maxNewTokens: 9,
      temperature: 0.6,
      topK: 20,
      topP: 0.95,
      stopTokenIds: [3, 0],
    });
    expect(own.prepare({ prompt: "a", sampling: { topK: 0, maxNewTokens: 20 } }).sampling).toMatchObject({
      topK: 0,
      maxNewTokens: 20,
    });
    expect(own.prepare({ prompt: "a".repeat(34) }).sampling.maxNewTokens).toBeLessThan(9);
    const greedy = await variant({ "generation_config.json": { do_sample: false } });
    expect(greedy.defaults).toEqual({ temperature: 0 });
  });
  it("with a generation_config.json that cannot be is refused, every key named", async () => {
    const bad = variant({ "generation_config.json": { top_p: 3, temperature: "hot", top_k: null } });
    await expect(bad).rejects.toThrow(
      /temperature: expected a number.*found "hot"; top_p: expected .*found 3\. Correct the file/,
    );
    await expect(variant({ "generation_config.json": "{" })).rejects.toThrow(/generation_config\.json is not JSON/);
  });
});
