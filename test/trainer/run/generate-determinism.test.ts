/** @file The same seed gives the same bits, whatever else happens and however the work is cut. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Generation, openPolicy, type Policy } from "../../../src/trainer/run/index.js";
import {
  type GenerationFolder,
  generateOne,
  generationFolder,
  greatestGap,
  request,
  SAMPLED,
  scoredTokens,
  someIds,
  startGeneration,
  type Tuning,
  wideModel,
} from "../../support/generation.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

// Each choice of a token has its own rule, so that rows of one batch differ in it.
const REQUESTS = [
  request(someIds(1), 11),
  { ...request(someIds(16, 1), 12), sampling: { topK: 20 } },
  { ...request(someIds(64, 2), 13), sampling: { topP: 1, minP: 0.02 } },
  { ...request(someIds(67, 3), 14), sampling: { repetitionPenalty: 1.2 } },
  { ...request(someIds(130, 4), 15), sampling: { temperature: 1.3 } },
];
const OTHERS = [5, 63, 2, 90, 128, 33, 17, 150].map((length, i) => request(someIds(length, 20 + i), 100 + i));

describe.each(["mistral", "smollm3", "gemma3_text"] as const)("%s", (name) => {
  let folder: GenerationFolder;
  let policy: Policy;
  let alone: Generation[];
  const open = (threads = 1) => ({ model: folder.model, trainable: GOLDEN_LORA, seed: 1, threads });
  beforeAll(async () => {
    folder = generationFolder(name);
    policy = await openPolicy(open());
    await policy.loadAdapter(folder.adapter);
    alone = [];
    for (const one of REQUESTS) alone.push(await generateOne(policy, one, SAMPLED));
  });
  afterAll(async () => {
    await policy?.close();
    folder?.remove();
  });

  it("gives the same bits when asked again", async () => {
    for (const [i, one] of REQUESTS.entries()) expect(await generateOne(policy, one, SAMPLED)).toEqual(alone[i]);
  });

  it("draws other tokens for another seed", async () => {
    for (const [i, one] of REQUESTS.entries()) {
      expect((await generateOne(policy, { ...one, seed: 99 }, SAMPLED)).ids).not.toEqual(alone[i]?.ids);
    }
  });

  it("gives the same bits in a ragged batch, before, behind and between others", async () => {
    expect(await policy.generate(REQUESTS, SAMPLED)).toEqual(alone);
    for (const place of [0, 3, 8]) {
      const batch = OTHERS.toSpliced(place, 0, ...REQUESTS);
      const found = await policy.generate(batch, SAMPLED);
      expect(found.slice(place, place + REQUESTS.length)).toEqual(alone);
    }
  });

  it("gives the same bits behind a prompt that begins alike", async () => {
    const [last, whole] = [REQUESTS.at(-1), alone.at(-1)];
    const ids = [...(last?.ids ?? [])];
    for (const shared of [3, 64, 100, 129]) {
      await generateOne(policy, request([...ids.slice(0, shared), ...someIds(30, 50)]), SAMPLED);
      expect(await generateOne(policy, last as (typeof REQUESTS)[number], SAMPLED)).toEqual(whole);
    }
  });

  it("does not take what it knows of a page for one that reads alike behind another beginning", async () => {
    const known = REQUESTS.at(-1)?.ids as Int32Array;
    const other = request([...someIds(64, 60), ...known.subarray(64)], 3);
    const { ids, logps } = await generateOne(policy, other, SAMPLED);
    expect(greatestGap(await scoredTokens(policy, other.ids, ids), logps)).toBeLessThan(1e-4);
  });

  it("gives the same bits when it joins calls that are under way, and is done before them", async () => {
    const long = { ...SAMPLED, maxNewTokens: 200 };
    const first = OTHERS.slice(0, 1);
    const [expected] = await policy.generate(first, long);
    const running = await startGeneration(policy, first, long);
    let over = false;
    const result = running.result.finally(() => {
      over = true;
    });
    const found = await Promise.all(REQUESTS.map((one) => generateOne(policy, one, { ...SAMPLED, maxNewTokens: 12 })));
    expect(over).toBe(false);
    expect(await result).toEqual([expected]);
    for (const [i, { ids, logps }] of found.entries()) {
      expect([ids, logps]).toEqual([alone[i]?.ids.slice(0, 12), alone[i]?.logps.slice(0, 12)]);
    }
  });

  const tunings: readonly (readonly [string, number, Tuning])[] = [
    ["runs of 7 tokens, nothing kept", 1, { maxChunk: 7, prefixCache: false }],
    ["a run for each token", 1, { maxChunk: 1 }],
    ["runs of up to 32 tokens, prompts kept", 1, { maxChunk: 32, prefixCache: true }],
    ["two threads", 2, {}],
  ];
  it.each(name === "mistral" ? tunings : tunings.slice(0, 1))(
    "gives the same bits with %s",
    async (_, threads, tuning) => {
      const other = await openPolicy({ ...open(threads), generation: tuning });
      try {
        await other.loadAdapter(folder.adapter);
        expect(await other.generate([...OTHERS, ...REQUESTS], SAMPLED).then((all) => all.slice(8))).toEqual(alone);
        expect(await generateOne(other, REQUESTS[3] as (typeof REQUESTS)[number], SAMPLED)).toEqual(alone[3]);
      } finally {
        await other.close();
      }
    },
  );
});

describe.each([
  ["float32", "none"],
  ["int8", "none"],
  ["float32", "full"],
] as const)("a model of wide heads, sampled in %s, where what is trained is %s", (rolloutWeights, kind) => {
  let folder: Awaited<ReturnType<typeof wideModel>>;
  let policy: Policy;
  beforeAll(async () => {
    folder = await wideModel();
    const { model } = folder;
    policy = await openPolicy({
      ...{ model, trainable: { kind }, seed: 1, threads: 1, rolloutWeights },
      cacheFolder: join(model, "cache"),
    });
  });
  afterAll(async () => {
    await policy?.close();
    folder?.remove();
  });

  // Rows share the space that the longest of them needs.
  it("gives the same bits whatever space longer rows take", async () => {
    const requests = [3, 127, 129, 250, 270, 400, 600].map((length, i) => request(someIds(length, i, 500), i));
    const options = { ...SAMPLED, maxNewTokens: 24 };
    const alone: Generation[] = [];
    for (const one of requests) alone.push(await generateOne(policy, one, options));
    expect(await policy.generate(requests, options)).toEqual(alone);
    expect(await policy.generate(requests.toReversed(), options)).toEqual(alone.toReversed());
  });
});
