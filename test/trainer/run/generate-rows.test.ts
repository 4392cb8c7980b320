/** @file How requests end, what one of them may ask for itself, many of them at once, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type GenerateOptions,
  type Generation,
  openPolicy,
  type Policy,
  type TokenChunk,
} from "../../../src/trainer/run/index.js";
import {
  type GenerationFolder,
  GREEDY,
  generateOne,
  generationFolder,
  joined,
  request,
  SAMPLED,
  someIds,
} from "../../support/generation.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const CONTEXT = 256;
const PROMPTS = [3, 20, 64, 40].map((length, i) => request(someIds(length, i), i));

describe("a request", () => {
  let folder: GenerationFolder;
  let policy: Policy;
  /** Replies to PROMPTS that nothing stops. */
  let whole: Generation[];
  beforeAll(async () => {
    folder = generationFolder("mistral");
    policy = await openPolicy({ model: folder.model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
    whole = await policy.generate(PROMPTS, SAMPLED);
  });
  afterAll(async () => {
    await policy?.close();
    folder?.remove();
  });
  const tokenAt = (row: number, index: number): number => (whole[row] as Generation).ids[index] as number;
  /** What is left of a reply that ends with the first of these tokens. */
  const stopped = ({ ids, logps }: Generation, stopTokenIds: readonly number[]): Generation => {
    const end = ids.findIndex((id) => stopTokenIds.includes(id));
    if (end < 0) return { ids, logps, finish: "length" };
    return { ids: ids.slice(0, end), logps: logps.slice(0, end + 1), finish: "stop" };
  };

  it("ends at its length, with a log-probability for each token", () => {
    for (const { ids, logps, finish } of whole) {
      expect([ids.length, logps.length, finish]).toEqual([SAMPLED.maxNewTokens, SAMPLED.maxNewTokens, "length"]);
    }
  });

  it("ends at the first stop token, which is scored but not among the tokens, while others go on", async () => {
    for (const stopTokenIds of [[tokenAt(0, 0)], [tokenAt(1, 20)], [tokenAt(2, 39)], [tokenAt(0, 9), tokenAt(3, 17)]]) {
      const found = await policy.generate(PROMPTS, { ...SAMPLED, stopTokenIds });
      expect(found).toEqual(whole.map((reply) => stopped(reply, stopTokenIds)));
      expect(found.some(({ finish }) => finish === "stop")).toBe(true);
    }
  });

  it("may end with its first token and give none", async () => {
    const { ids, logps, finish } = await generateOne(policy, PROMPTS[0] as (typeof PROMPTS)[0], {
      ...SAMPLED,
      stopTokenIds: [tokenAt(0, 0)],
    });
    expect([ids.length, logps.length, finish]).toEqual([0, 1, "stop"]);
  });

  it("ends where its listener says so; the others go on", async () => {
    const options: GenerateOptions = { ...SAMPLED, maxNewTokens: 150 };
    const unbroken = await policy.generate(PROMPTS, options);
    const chunks: TokenChunk[] = [];
    let ended = 0;
    const found = await policy.generate(PROMPTS, {
      ...options,
      onTokens: (chunk) => {
        chunks.push(chunk);
        if (chunk.request !== 1 || joined(chunks, 1).ids.length < 10) return false;
        ended += 1;
        return true;
      },
    });
    const { ids, logps } = joined(chunks, 1);
    expect(found[1]).toEqual({ ids, logps, finish: "stop" });
    expect(ended, "times that it was told to end").toBe(1);
    expect(ids.length).toBeGreaterThanOrEqual(10);
    expect(ids.length).toBeLessThan(100);
    expect(ids).toEqual(unbroken[1]?.ids.slice(0, ids.length));
    for (const row of [0, 2, 3]) expect(found[row]).toEqual(unbroken[row]);
  });

  it("has its own length, stop tokens, temperature and truncation", async () => {
    const [a, b, c, d] = PROMPTS as [
      (typeof PROMPTS)[0],
      (typeof PROMPTS)[0],
      (typeof PROMPTS)[0],
      (typeof PROMPTS)[0],
    ];
    const stopTokenIds = [tokenAt(1, 20)];
    const found = await policy.generate(
      [
        { ...a, sampling: { maxNewTokens: 5 } },
        { ...b, sampling: { stopTokenIds } },
        { ...c, sampling: { temperature: 0 } },
        { ...d, sampling: { maxNewTokens: 60 } },
      ],
      SAMPLED,
    );
    expect(found[0]?.ids).toEqual(whole[0]?.ids.slice(0, 5));
    expect(found[1]).toEqual(stopped(whole[1] as Generation, stopTokenIds));
    expect(found[2]).toEqual(await generateOne(policy, c, { ...GREEDY, maxNewTokens: 40 }));
    expect(found[2]?.ids).not.toEqual(whole[2]?.ids);
    expect(found[3]?.ids.length).toBe(60);
    expect(found[3]?.ids.slice(0, 40)).toEqual(whole[3]?.ids);
  });

  it.each([{ topK: 1 }, { minP: 1 }, { topP: 1e-6 }, { temperature: 1e-3 }])("is greedy with %j", async (rule) => {
    const { repetition } = folder.golden;
    const one = request(folder.golden.base[3]?.prompt ?? repetition.prompt, 5);
    const found = await generateOne(policy, one, { ...SAMPLED, adapter: "off", ...rule });
    expect([...found.ids]).toEqual(folder.golden.base[3]?.tokens.slice(0, 40));
  });

  it("keeps to the k most likely tokens", async () => {
    const k = 2;
    const options = { ...SAMPLED, topP: 1, temperature: 3, maxNewTokens: 1 };
    const prompt = someIds(30, 7);
    const draws = await policy.generate(
      Array.from({ length: 60 }, (_, seed) => request(prompt, seed)),
      { ...options, topK: k },
    );
    const free = await policy.generate(
      Array.from({ length: 60 }, (_, seed) => request(prompt, seed)),
      options,
    );
    expect(new Set(draws.map(({ ids }) => ids[0])).size).toBe(k);
    expect(new Set(free.map(({ ids }) => ids[0])).size).toBeGreaterThan(10);
  });

  it("is one of 130 and gets what it gets alone", async () => {
    const requests = Array.from({ length: 130 }, (_, i) => request(someIds(1 + (i % 40), i), i));
    const options = { ...SAMPLED, maxNewTokens: 20, stopTokenIds: [7, 8, 9] };
    const seen: (readonly [number, number])[] = [];
    const found = await policy.generate(requests, { ...options, onProgress: (...step) => seen.push(step) });
    expect(found.length).toBe(130);
    expect(seen.at(-1)).toEqual([130, 130]);
    expect(seen.map(([finished]) => finished)).toEqual(seen.map(([finished]) => finished).toSorted((a, b) => a - b));
    for (const i of [0, 1, 64, 127, 128, 129]) {
      expect(found[i]).toEqual(await generateOne(policy, requests[i] as (typeof requests)[0], options));
    }
  });

  it("is one of n samples of a prompt: other tokens for each seed, the same as one by one", async () => {
    const samples = Array.from({ length: 8 }, (_, seed) => request(someIds(70, 5), seed));
    const found = await policy.generate(samples, SAMPLED);
    expect(new Set(found.map(({ ids }) => ids.join())).size).toBe(8);
    for (const [i, one] of samples.entries()) expect(await generateOne(policy, one, SAMPLED)).toEqual(found[i]);
  });

  it("may fill the context to its last position", async () => {
    const found = await generateOne(policy, request(someIds(CONTEXT - 30)), { ...SAMPLED, maxNewTokens: 30 });
    expect(found.ids.length).toBe(30);
    expect(policy.info.contextLength).toBe(CONTEXT);
  });

  it("is refused with an empty prompt or one too long, all problems at once, and the next call is answered", async () => {
    const requests = [request([]), request(someIds(3)), request(someIds(240))];
    const refusal = policy.generate(requests, SAMPLED).catch(({ message }: Error) => message);
    expect(await refusal).toMatch(/request 0.*empty prompt.*request 2.*240 prompt tokens and 40 new ones.*256/s);
    expect(await generateOne(policy, PROMPTS[0] as (typeof PROMPTS)[0], SAMPLED)).toEqual(whole[0]);
  });

  it("is measured with its own length", async () => {
    const long = { ...request(someIds(240)), sampling: { maxNewTokens: 10 } };
    expect((await generateOne(policy, long, SAMPLED)).ids.length).toBe(10);
    const longer = { ...request(someIds(3)), sampling: { maxNewTokens: 300 } };
    await expect(policy.generate([longer], SAMPLED)).rejects.toThrow(/300 new ones/);
  });

  it("is refused with an adapter that nobody named", async () => {
    await expect(policy.generate(PROMPTS, { ...SAMPLED, adapter: "elsewhere" })).rejects.toThrow(/adapter.*elsewhere/s);
  });

  it("may be none at all", async () => {
    expect(await policy.generate([], SAMPLED)).toEqual([]);
  });
});
