/** @file Sampling from quantized weights: close to the checkpoint's own, as close as rounding allows, and made once. */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Generation, openPolicy, type Policy, type RolloutWeights } from "../../../src/trainer/run/index.js";
import {
  BLOCKS_MODEL,
  blocksGap,
  type GenerationFolder,
  generateOne,
  generationFolder,
  request,
  SAMPLED,
  scoredTokens,
  someIds,
} from "../../support/generation.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const PLAIN = { ...SAMPLED, temperature: 1, topP: 1, maxNewTokens: 60 };
const REQUESTS = [1, 8, 8, 33, 64, 70, 100, 130].map((length, seed) => request(someIds(length, seed), seed));
const QUANTIZED = ["int8", "int4"] as const;

let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "rollout-"));
});
afterAll(() => rm(cacheFolder, { recursive: true, force: true }));

const open = (model: string, rolloutWeights: RolloutWeights): Promise<Policy> =>
  openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1, rolloutWeights, cacheFolder });

/** Mean |log-probability while sampling − when scored|, over all tokens of the replies. */
async function meanGap(policy: Policy, replies: readonly Generation[]): Promise<number> {
  const gaps: number[] = [];
  for (const [i, { ids, logps }] of replies.entries()) {
    const scored = await scoredTokens(policy, REQUESTS[i]?.ids as Int32Array, ids);
    for (const [j, logp] of scored.entries()) gaps.push(Math.abs(logp - (logps[j] as number)));
  }
  return gaps.reduce((a, b) => a + b, 0) / gaps.length;
}

describe("a model whose sizes are multiples of 32", () => {
  it.each(QUANTIZED)("is off by about as much as PyTorch with %s weights, on its own samples", async (weights) => {
    const policy = await open(BLOCKS_MODEL, weights);
    try {
      expect(policy.info.rolloutWeights).toBe(weights);
      const replies = await policy.generate(REQUESTS, PLAIN);
      const gap = await meanGap(policy, replies);
      const expected = blocksGap()[weights];
      // Activations are rounded to 8 bits too, which PyTorch's figure leaves out.
      expect(gap).toBeLessThan(2.5 * expected);
      expect(gap).toBeGreaterThan(0.25 * expected);
    } finally {
      await policy.close();
    }
  });

  it("gives the same bits for a seed, alone and in a batch", async () => {
    const policy = await open(BLOCKS_MODEL, "int8");
    try {
      const together = await policy.generate(REQUESTS, SAMPLED);
      for (const i of [0, 5, 7]) {
        expect(await generateOne(policy, REQUESTS[i] as (typeof REQUESTS)[0], SAMPLED)).toEqual(together[i]);
      }
    } finally {
      await policy.close();
    }
  });

  it("scores with the checkpoint's own weights all the same", async () => {
    const [plain, quantized] = await Promise.all([open(BLOCKS_MODEL, "float32"), open(BLOCKS_MODEL, "int4")]);
    try {
      const prompt = Int32Array.from(someIds(20));
      const reply = Int32Array.from(someIds(12, 3));
      expect(await scoredTokens(quantized, prompt, reply)).toEqual(await scoredTokens(plain, prompt, reply));
      const [a, b] = [await plain.generate(REQUESTS, PLAIN), await quantized.generate(REQUESTS, PLAIN)];
      expect(b[3]?.logps).not.toEqual(a[3]?.logps);
    } finally {
      await Promise.all([plain.close(), quantized.close()]);
    }
  });

  it("is quantized once: the second time the file is found", async () => {
    const written = async () => {
      const names = (await readdir(cacheFolder, { recursive: true })).filter((name) => name.endsWith(".safetensors"));
      return Promise.all(
        names.sort().map(async (name) => {
          const { ino, mtimeMs, size } = await stat(join(cacheFolder, name));
          return { name, ino, mtimeMs, size };
        }),
      );
    };
    const sample = async (): Promise<Generation> => {
      const policy = await open(BLOCKS_MODEL, "int8");
      return generateOne(policy, REQUESTS[4] as (typeof REQUESTS)[0], SAMPLED).finally(() => policy.close());
    };
    const first = await sample();
    const files = await written();
    expect(files.length).toBeGreaterThan(0);
    expect(await sample()).toEqual(first);
    expect(await written()).toEqual(files);
  });
});

describe("a model whose sizes are not multiples of 32", () => {
  let folder: GenerationFolder;
  beforeAll(() => {
    folder = generationFolder("gemma3_text");
  });
  afterAll(() => folder?.remove());

  it("is sampled all the same, as close to its own weights, LoRA on top", async () => {
    const gaps: number[] = [];
    for (const weights of QUANTIZED) {
      const policy = await open(folder.model, weights);
      try {
        await policy.loadAdapter(folder.adapter);
        const replies = await policy.generate(REQUESTS, PLAIN);
        expect(replies.every(({ ids }) => ids.length === PLAIN.maxNewTokens)).toBe(true);
        gaps.push(await meanGap(policy, replies));
      } finally {
        await policy.close();
      }
    }
    const [int8, int4] = gaps as [number, number];
    expect(int8).toBeLessThan(0.1);
    expect(int8).toBeLessThan(int4);
    expect(int4).toBeLessThan(1);
  });
});
