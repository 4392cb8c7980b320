/** @file Agents and bad models: time limits, prose, refusals, loops, rate limits, budgets and a cache, with scripted models. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "@langchain/core/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { type AgentCallsOptions, type CallEvent, createAgentCalls } from "../../src/agents/calls/index.js";
import { createExtractiveTeacher } from "../../src/agents/models/extractive-teacher.js";
import { createStructuredAgent, type StructuredAgentOptions } from "../../src/agents/structured-agent.js";
import { createTaskGenerator } from "../../src/agents/task-generator.js";
import { smallStore } from "./scripted-student.js";

const schema = z
  .object({ thinking: z.string().trim().min(1), answer: z.string().trim().min(1) })
  .meta({ title: "submit-answer" });
const value = { thinking: "Tablets slide.", answer: "They slide." };
const submit = [{ name: "submit-answer", args: value }];
const retrieve = (query: string) => [{ name: "retrieve-context", args: { query } }];
const says = (text: string, fields: object = {}) => new AIMessage({ content: text, ...fields });
const failing = (status: number, fields: object = {}) =>
  Object.assign(new Error(`status ${status}`), { status, ...fields });

interface Setup extends Partial<Omit<StructuredAgentOptions<typeof value>, "calls" | "model">> {
  readonly calls?: AgentCallsOptions;
}

async function agentOf(model: ReturnType<typeof fakeModel>, { calls: limits = {}, ...others }: Setup = {}) {
  const calls = createAgentCalls(limits);
  const agent = await createStructuredAgent({ model, system: "Job: write-answer", schema, ...others, calls });
  return { calls, run: (signal?: AbortSignal) => agent.run("Why is nacre tough?", signal) };
}

afterEach(() => void vi.useRealTimers());

describe("a hand-in", () => {
  test.each([
    ["a JSON object", JSON.stringify(value)],
    ["a fenced JSON object after some words", `Here you are:\n\`\`\`json\n${JSON.stringify(value)}\n\`\`\`\nDone.`],
    ["a call that is written as text", JSON.stringify({ name: "submit-answer", arguments: value })],
    ["labelled fields", "Thinking: Tablets slide.\nAnswer: They slide."],
    ["titled fields", "**Thinking:**\nTablets slide.\n\n**Answer**\nThey slide."],
    ["headings", "# Thinking\n\nTablets slide.\n\n# Answer\n\nThey slide."],
  ])("may be %s instead of a call", async (_, text) => {
    const model = fakeModel().respond(says(text));
    const { run, calls } = await agentOf(model);
    expect((await run()).value).toEqual(value);
    expect(calls.stats()).toMatchObject({ calls: 1, corrections: 0 });
  });

  test("in prose gets one correction, which names the tool and its fields and follows what was said", async () => {
    const model = fakeModel().respond(says("Nacre is tough, you know.")).respondWithTools(submit);
    const { run, calls } = await agentOf(model);
    expect((await run()).value).toEqual(value);
    expect(model.calls[1]?.messages.map((message) => message.getType())).toEqual(["system", "human", "ai", "human"]);
    expect(model.calls[1]?.messages.at(-1)?.text).toMatch(
      /^Expected a call of submit-answer with thinking, answer, found a plain reply \("Nacre is tough, you know\."\)/,
    );
    expect(calls.stats()).toMatchObject({ calls: 2, corrections: 1 });
  });

  test("that does not fit gets one correction, as the result of its call", async () => {
    const model = fakeModel()
      .respondWithTools([{ name: "submit-answer", args: { thinking: " ", answer: 7 } }])
      .respondWithTools(submit);
    expect((await (await agentOf(model)).run()).value).toEqual(value);
    const said = model.calls[1]?.messages.at(-1);
    expect(said?.getType()).toBe("tool");
    expect(said?.text).toMatch(/thinking: .*; answer: .*expected string/);
  });

  test.each([
    ["prose twice", [says("Nacre is tough."), says("Very tough.")], /found twice what does not fit.*"Very tough\."/],
    ["no words at all", [says(""), says(" ")], /\(empty\)/],
    ["fields that are named twice", [says("Answer: a\nAnswer: b"), says("Answer: a")], /plain reply/],
    ["JSON of another shape", [says('{"answer": 1}'), says('[{"answer": "x"}]')], /plain reply/],
  ])("that is %s fails with reason schema and names tool and model", async (_, replies, text) => {
    const model = replies.reduce((scripted, reply) => scripted.respond(reply), fakeModel());
    const { run, calls } = await agentOf(model);
    const failure = await run().catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "AgentFailure", reason: "schema", message: expect.stringMatching(text) });
    expect(failure).toMatchObject({ message: expect.stringMatching(/fake-model-builder.*submit-answer/) });
    expect(calls.stats()).toMatchObject({ calls: 2, failures: { schema: 1 } });
  });

  test("that is given twice in one reply fails with reason schema", async () => {
    const { run } = await agentOf(fakeModel().respondWithTools([...submit, ...submit]));
    await expect(run()).rejects.toMatchObject({ reason: "schema" });
  });

  test("is corrected once a run, also where a retrieval stands between", async () => {
    const model = fakeModel().respond(says("Hm.")).respondWithTools(retrieve("nacre")).respond(says("Hm, hm."));
    const { run } = await agentOf(model, { store: await smallStore() });
    await expect(run()).rejects.toMatchObject({ reason: "schema" });
    expect(model.callCount).toBe(3);
  });
});

describe("a refusal", () => {
  test.each([
    says("I'm sorry, but I can't help with that."),
    says("I can’t assist with this request."),
    says("As an AI language model, I cannot provide such content."),
    says("Nothing to say.", { additional_kwargs: { refusal: "policy" } }),
    says("", { response_metadata: { finish_reason: "content_filter" } }),
    says("", { response_metadata: { stop_reason: "refusal" } }),
  ])("ends the run at once: %s", async (reply) => {
    const model = fakeModel().respond(reply);
    const { run, calls } = await agentOf(model);
    await expect(run()).rejects.toMatchObject({ reason: "refusal", message: expect.stringContaining("refuses") });
    expect(calls.stats()).toMatchObject({ calls: 1, retries: 0, failures: { refusal: 1 } });
  });

  test.each([
    "I cannot find the toughness of nacre in the passages.",
    "I can help with that: nacre is tough because its tablets slide.",
    "Cracks cannot help but follow the interface.",
  ])("is not seen in: %s", async (text) => {
    const { run } = await agentOf(fakeModel().respond(says(text)).respondWithTools(submit));
    expect((await run()).value).toEqual(value);
  });
});

describe("a loop", () => {
  test("of one call ends at its third time, with reason loop and what was asked", async () => {
    const model = fakeModel();
    for (let i = 0; i < 8; i++) model.respondWithTools(retrieve("nacre"));
    const { run, calls } = await agentOf(model, { store: await smallStore() });
    await expect(run()).rejects.toMatchObject({
      reason: "loop",
      message: expect.stringContaining('{"query":"nacre"}'),
    });
    expect(model.callCount).toBe(3);
    expect(calls.stats().failures.loop).toBe(1);
  });

  test.each([
    ["turns", { maxModelCalls: 4 }, 4],
    ["retrievals", { maxToolCalls: 2 }, 3],
  ])("of ever new calls ends at the limit of %s", async (_, limits, turns) => {
    const model = fakeModel();
    for (let i = 0; i < 12; i++) model.respondWithTools(retrieve(`nacre ${i}`));
    const { run } = await agentOf(model, { calls: limits, store: await smallStore() });
    await expect(run()).rejects.toMatchObject({ reason: "loop", message: expect.stringMatching(/limit/) });
    expect(model.callCount).toBe(turns);
  });
});

describe("time", () => {
  const silent = () => {
    const model = fakeModel().respondWithTools(submit);
    vi.spyOn(model, "bindTools").mockImplementation(() => {
      const deaf = fakeModel();
      vi.spyOn(deaf, "_generate").mockImplementation(() => new Promise(() => {}));
      return deaf as unknown as ReturnType<typeof model.bindTools>;
    });
    return model;
  };

  test("a model that never replies, deaf to its signal, is a timeout after every attempt", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const events: CallEvent[] = [];
    const limits = { timeoutMs: 1000, retries: 1, onEvent: (event: CallEvent) => events.push(event) };
    const { run, calls } = await agentOf(silent(), { calls: limits });
    const failed = expect(run()).rejects.toMatchObject({
      reason: "timeout",
      message: expect.stringContaining("1000 ms"),
    });
    await vi.advanceTimersByTimeAsync(5000);
    await failed;
    expect(calls.stats()).toMatchObject({ calls: 2, retries: 1, timeouts: 2, failures: { timeout: 1 } });
    expect(events.map(({ kind }) => kind)).toEqual(["failed-attempt", "failed-attempt", "failure"]);
  });

  test("an abort ends a silent model with the caller's reason and is no failure", async () => {
    const stop = new AbortController();
    const { run, calls } = await agentOf(silent());
    const failed = expect(run(stop.signal)).rejects.toThrow("stopped by the user");
    setTimeout(() => stop.abort(new Error("stopped by the user")), 20);
    await failed;
    expect(Object.values(calls.stats().failures)).toEqual(Array(8).fill(0));
  });

  test("a rate limit is waited out as long as the server asks", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const model = fakeModel()
      .respond(failing(429, { headers: { "retry-after": "30" } }))
      .respondWithTools(submit);
    const events: CallEvent[] = [];
    const { run, calls } = await agentOf(model, { calls: { onEvent: (event) => events.push(event) } });
    const done = run();
    await vi.advanceTimersByTimeAsync(29_990);
    expect(model.callCount).toBe(1);
    await vi.advanceTimersByTimeAsync(20);
    expect((await done).value).toEqual(value);
    expect(events[0]).toMatchObject({ kind: "failed-attempt", reason: "rate-limit", retryInMs: 30_000 });
    expect(calls.stats()).toMatchObject({ calls: 2, retries: 1 });
  });

  test("a rate limit that stays is a failure with its reason, after all attempts", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { run, calls } = await agentOf(fakeModel().alwaysThrow(failing(429)), { calls: { retries: 2 } });
    const failed = expect(run()).rejects.toMatchObject({ reason: "rate-limit", message: "status 429" });
    await vi.advanceTimersByTimeAsync(60_000);
    await failed;
    expect(calls.stats()).toMatchObject({ calls: 3, retries: 2, failures: { "rate-limit": 1 } });
  });
});

describe("budgets and counts", () => {
  const used = (input: number, output: number) => ({
    usage_metadata: { input_tokens: input, output_tokens: output, total_tokens: input + output },
  });

  test("tokens are what the model says; where it says nothing they are estimated and said to be", async () => {
    const told = await agentOf(fakeModel().respond(says(JSON.stringify(value), used(100, 20))));
    await told.run();
    expect(told.calls.stats()).toMatchObject({ inputTokens: 100, outputTokens: 20, estimatedTokens: 0 });
    const text = JSON.stringify(value).padEnd(400);
    const silent = await agentOf(fakeModel().respond(says(text)));
    await silent.run();
    const { inputTokens, outputTokens, estimatedTokens } = silent.calls.stats();
    expect(outputTokens).toBe(100);
    expect(inputTokens).toBeGreaterThan(10);
    expect(estimatedTokens).toBe(inputTokens + outputTokens);
  });

  test("a spent budget of the run ends all agents that share it, and nothing more is asked", async () => {
    const model = fakeModel()
      .respond(says(JSON.stringify(value), used(90, 10)))
      .respondWithTools(submit);
    const calls = createAgentCalls({ tokenBudget: 100 });
    const options = { model, system: "s", schema, calls };
    const [one, other] = [await createStructuredAgent(options), await createStructuredAgent(options)];
    await one.run("first");
    await expect(other.run("second")).rejects.toMatchObject({
      reason: "budget",
      endsAll: true,
      message: "the run has spent 100 of 100 tokens: raise the budget and resume",
    });
    expect(model.callCount).toBe(1);
  });

  test("what was spent before a resume counts, and so do failed attempts towards a budget of calls", async () => {
    const resumed = await agentOf(fakeModel().respondWithTools(submit), {
      calls: { tokenBudget: 50, spentTokens: 50 },
    });
    await expect(resumed.run()).rejects.toMatchObject({ reason: "budget", endsAll: true });
    const model = fakeModel().respond(failing(400)).respondWithTools(submit);
    const { run } = await agentOf(model, { calls: { callBudget: 1 } });
    await expect(run()).rejects.toMatchObject({ reason: "other" });
    await expect(run()).rejects.toMatchObject({
      reason: "budget",
      message: expect.stringContaining("1 of 1 model calls"),
    });
  });

  test("a spent budget of one agent run ends that run alone", async () => {
    const model = fakeModel()
      .respond(says("", { tool_calls: [{ id: "1", ...retrieve("nacre")[0] }], ...used(60, 0) }))
      .respondWithTools(submit);
    const { run } = await agentOf(model, { calls: { agentTokenBudget: 50 }, store: await smallStore() });
    await expect(run()).rejects.toMatchObject({ reason: "budget", endsAll: false });
    expect((await run()).value).toEqual(value);
  });

  test("agents that share the object share its slots", async () => {
    let running = 0;
    let most = 0;
    const model = fakeModel();
    const generate = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      const message = says(JSON.stringify(value));
      return { generations: [{ text: message.text, message }] };
    };
    vi.spyOn(model, "bindTools").mockImplementation(() => {
      const slow = fakeModel();
      vi.spyOn(slow, "_generate").mockImplementation(generate);
      return slow as unknown as ReturnType<typeof model.bindTools>;
    });
    const options = { model, system: "s", schema, calls: createAgentCalls({ concurrency: 2 }) };
    const agents = await Promise.all([createStructuredAgent(options), createStructuredAgent(options)]);
    await Promise.all(agents.flatMap((agent) => [1, 2, 3].map((i) => agent.run(`question ${i}`))));
    expect(most).toBe(2);
  });

  test("bad limits are refused, all at once", () => {
    expect(() => createAgentCalls({ concurrency: 0, timeoutMs: 2 ** 40, tokenBudgte: 3 } as AgentCallsOptions)).toThrow(
      /limits of model calls: (?=[\s\S]*concurrency)(?=[\s\S]*timeoutMs)(?=[\s\S]*tokenBudgte)/,
    );
  });
});

describe("the cache", () => {
  const folders: string[] = [];
  const folder = async () => {
    folders.push(await mkdtemp(join(tmpdir(), "agent-cache-")));
    return folders.at(-1) as string;
  };
  afterEach(() => Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true }))));
  const two = () => fakeModel().respondWithTools(retrieve("nacre")).respondWithTools(submit);

  test("gives a resumed run the same result and asks the model nothing", async () => {
    const calls = { cacheFolder: await folder() };
    const store = await smallStore();
    const first = await agentOf(two(), { calls, store });
    const result = await first.run();
    expect(result.passages).not.toEqual([]);
    const model = fakeModel();
    const resumed = await agentOf(model, { calls, store });
    expect(await resumed.run()).toEqual(result);
    expect(model.callCount).toBe(0);
    expect(resumed.calls.stats()).toMatchObject({ calls: 0, cacheHits: 2, inputTokens: 0, outputTokens: 0 });
  });

  test("replays corrections and refusals too", async () => {
    const calls = { cacheFolder: await folder() };
    await (await agentOf(fakeModel().respond(says("Hm.")).respondWithTools(submit), { calls })).run();
    expect((await (await agentOf(fakeModel(), { calls })).run()).value).toEqual(value);
    const refused = { cacheFolder: await folder() };
    const refusing = fakeModel().respond(says("I can't help with that."));
    await expect((await agentOf(refusing, { calls: refused })).run()).rejects.toMatchObject({ reason: "refusal" });
    await expect((await agentOf(fakeModel(), { calls: refused })).run()).rejects.toMatchObject({ reason: "refusal" });
  });

  test("tells apart what differs in prompt, tools or schema", async () => {
    const calls = { cacheFolder: await folder() };
    await (await agentOf(fakeModel().respondWithTools(submit), { calls })).run();
    const others: Setup[] = [
      { system: "Job: another" },
      { store: await smallStore() },
      { schema: schema.extend({ note: z.string().optional() }).meta({ title: "submit-answer" }) },
    ];
    for (const other of others) {
      const { run, calls: counts } = await agentOf(fakeModel().respondWithTools(submit), { ...other, calls });
      await run();
      expect(counts.stats()).toMatchObject({ calls: 1, cacheHits: 0 });
    }
  });

  test("with a damaged entry asks for that one alone, and counts it", async () => {
    const cacheFolder = await folder();
    const store = await smallStore();
    const result = await (await agentOf(two(), { calls: { cacheFolder }, store })).run();
    const files = (await readdir(cacheFolder, { recursive: true })).filter((name) => name.endsWith(".json"));
    expect(files).toHaveLength(2);
    for (const name of files) await writeFile(join(cacheFolder, name), '{"format":"preflexor-call","vers');
    const { run, calls } = await agentOf(two(), { calls: { cacheFolder }, store });
    expect(await run()).toEqual(result);
    expect(calls.stats()).toMatchObject({ calls: 2, cacheHits: 0, damagedEntries: 2 });
  });

  test("keeps nothing of a program", async () => {
    const cacheFolder = await folder();
    const store = await smallStore();
    const calls = createAgentCalls({ cacheFolder });
    const generator = await createTaskGenerator({ model: createExtractiveTeacher(), store, calls });
    await generator.generate({ passages: await store.list(), variation: 1 });
    expect(await readdir(cacheFolder)).toEqual([]);
    expect(calls.stats()).toMatchObject({ calls: 1, cacheHits: 0 });
  });
});
