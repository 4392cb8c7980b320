/** @file Tokens arrive while a call is under way, and a call that is cancelled leaves nothing behind. */
import { getEventListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Generation,
  openPolicy,
  type Policy,
  type StepOptions,
  type TokenChunk,
} from "../../../src/trainer/run/index.js";
import {
  expectReply,
  type GenerationFolder,
  type GoldenReply,
  GREEDY,
  generateOne,
  generationFolder,
  greatestGap,
  joined,
  request,
  SAMPLED,
  scoredTokens,
  someIds,
  startGeneration,
} from "../../support/generation.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const LONG = { ...SAMPLED, maxNewTokens: 200 };
const MANY = Array.from({ length: 24 }, (_, i) => request(someIds(1 + i, i), i));
const SHORT = request(someIds(9), 77);
const STEP: StepOptions = {
  loss: "sft",
  learningRate: 1e-2,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 1,
  nllOver: "chosen",
  maxTokens: 4096,
};

let folder: GenerationFolder;
let policy: Policy;
let expected: Generation;
beforeAll(async () => {
  folder = generationFolder("qwen3");
  policy = await openPolicy({ model: folder.model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
  expected = await generateOne(policy, SHORT, SAMPLED);
});
afterAll(async () => {
  await policy?.close();
  folder?.remove();
});

describe("streaming", () => {
  it("gives chunks that make up each reply, stop token scored as there", async () => {
    const chunks: TokenChunk[] = [];
    const found = await policy.generate(MANY, {
      ...LONG,
      maxNewTokens: 50,
      stopTokenIds: [10, 20],
      onTokens: (chunk) => void chunks.push(chunk),
    });
    expect(new Set(found.map(({ finish }) => finish))).toEqual(new Set(["stop", "length"]));
    for (const [i, { ids, logps }] of found.entries())
      expect(joined(chunks, i), `request ${i}`).toEqual({ ids, logps });
    for (const { ids, logps } of chunks) expect(ids.length + logps.length).toBeGreaterThan(0);
  });

  it("gives many chunks of one long reply, the first ones before the call is over", async () => {
    const { result, chunks } = await startGeneration(policy, [SHORT], LONG);
    const early = joined(chunks).ids.length;
    expect(early).toBeLessThan(LONG.maxNewTokens);
    const [reply] = await result;
    expect(chunks.length).toBeGreaterThan(4);
    expect(joined(chunks)).toEqual({ ids: reply?.ids, logps: reply?.logps });
  });

  it("changes nothing about the reply", async () => {
    const { result } = await startGeneration(policy, [SHORT], SAMPLED);
    expect(await result).toEqual([expected]);
  });

  it("names each request by its index in its own call, also where two calls meet", async () => {
    const [first, second] = await Promise.all([
      startGeneration(policy, MANY.slice(0, 3), LONG),
      startGeneration(policy, MANY.slice(3, 8), LONG),
    ]);
    for (const { result, chunks } of [first, second]) {
      const replies = await result;
      for (const [i, { ids, logps }] of replies.entries()) expect(joined(chunks, i)).toEqual({ ids, logps });
    }
  });

  it("rejects a call whose listener throws, with what it threw, and answers the next one", async () => {
    const broken = new Error("the listener broke");
    const call = policy.generate([SHORT], {
      ...LONG,
      onTokens: () => {
        throw broken;
      },
    });
    await expect(call).rejects.toBe(broken);
    expect(await generateOne(policy, SHORT, SAMPLED)).toEqual(expected);
  });
});

describe("cancelling", () => {
  it("rejects with the signal's reason after far fewer tokens than asked for, and answers the next call", async () => {
    const abort = new AbortController();
    const { result, chunks } = await startGeneration(policy, MANY, { ...LONG, signal: abort.signal });
    abort.abort(new Error("enough"));
    const next = generateOne(policy, SHORT, SAMPLED);
    await expect(result).rejects.toThrow("enough");
    const arrived = chunks.length;
    expect(await next).toEqual(expected);
    expect(chunks.reduce((sum, { ids }) => sum + ids.length, 0)).toBeLessThan((MANY.length * LONG.maxNewTokens) / 2);
    expect(chunks.length, "chunks after the rejection").toBe(arrived);
    expect(getEventListeners(abort.signal, "abort").length).toBe(0);
  });

  it("leaves other calls of the same batch as they were", async () => {
    const others = MANY.slice(0, 4);
    const undisturbed = await policy.generate(others, LONG);
    const running = await startGeneration(policy, others, LONG);
    const abort = new AbortController();
    const doomed = await startGeneration(policy, MANY.slice(4), { ...LONG, signal: abort.signal });
    abort.abort();
    await expect(doomed.result).rejects.toMatchObject({ name: "AbortError" });
    expect(await running.result).toEqual(undisturbed);
  });

  it("works before the call began, and while it waits behind another", async () => {
    await expect(generateOne(policy, SHORT, { ...LONG, signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    const abort = new AbortController();
    const running = policy.generate(MANY, SAMPLED);
    const scoring = policy.scorePairs([]);
    const waiting = generateOne(policy, SHORT, { ...LONG, signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    expect((await running).length).toBe(MANY.length);
    await scoring;
  });

  it("twenty times over leaves the same answers and the same listeners", async () => {
    for (let i = 0; i < 20; i += 1) {
      const abort = new AbortController();
      const { result } = await startGeneration(policy, MANY.slice(0, 6), { ...LONG, signal: abort.signal });
      abort.abort();
      await expect(result).rejects.toMatchObject({ name: "AbortError" });
    }
    expect(await generateOne(policy, SHORT, SAMPLED)).toEqual(expected);
  });

  it("is over when the call is: an abort afterwards does nothing", async () => {
    const abort = new AbortController();
    expect(await generateOne(policy, SHORT, { ...SAMPLED, signal: abort.signal })).toEqual(expected);
    expect(getEventListeners(abort.signal, "abort").length).toBe(0);
    abort.abort();
    expect(await generateOne(policy, SHORT, SAMPLED)).toEqual(expected);
  });
});

describe("calls of other kinds", () => {
  // Longer than what is kept of a prompt in one piece: what was kept under other weights would show.
  const golden = () => folder.golden.lora.at(-1) as GoldenReply;
  const ask = () => policy.generate([request(golden().prompt)], GREEDY);

  it("wait for a generation that was asked for first, and hold back one that was asked for later", async () => {
    const untouched = await ask();
    const before = ask();
    const load = policy.loadAdapter(folder.adapter);
    const after = ask();
    expect(await before).toEqual(untouched);
    await load;
    expectReply((await after)[0], golden());
    expect(untouched[0]?.logps).not.toEqual((await after)[0]?.logps);
    expect(await generateOne(policy, SHORT, { ...SAMPLED, adapter: "off" })).toEqual(expected);
  });

  it("that train are seen by the next generation, whatever is kept of its prompt", async () => {
    const [before] = await ask();
    const ids = Int32Array.from([...golden().prompt, 5, 6, 7]);
    const text = { ids, labels: new Uint8Array(ids.length).fill(1) };
    await policy.trainStep({ pairs: [], texts: [text] }, STEP);
    const { ids: reply, logps } = (await ask())[0] as Generation;
    const scored = await scoredTokens(policy, Int32Array.from(golden().prompt), reply);
    expect(greatestGap(scored, logps)).toBeLessThan(1e-4);
    expect(logps).not.toEqual(before?.logps);
  });
});
