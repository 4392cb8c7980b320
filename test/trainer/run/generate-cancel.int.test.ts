/** @file Cancelling on a real checkpoint: SmolLM2-135M-Instruct as scripts/get-smollm2.py writes it. Skipped where it is absent. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPolicy, type Policy } from "../../../src/trainer/run/index.js";
import { generateOne, request, SAMPLED, someIds, startGeneration } from "../../support/generation.js";

const MODEL = fileURLToPath(new URL("../../../.cache/smollm2-135m-instruct/", import.meta.url));
const present = existsSync(MODEL);
const ROWS = 4;
const ASKED = 400;

describe.skipIf(!present)(`SmolLM2-135M-Instruct${present ? "" : " (absent: run scripts/get-smollm2.py)"}`, () => {
  let policy: Policy;
  beforeAll(async () => {
    policy = await openPolicy({ model: MODEL, trainable: { kind: "none" }, seed: 1 });
  });
  afterAll(() => policy?.close());

  it("stops a few tokens after an abort and answers the next call", async () => {
    const prompt = someIds(40, 1, 40_000);
    const short = { ...SAMPLED, maxNewTokens: 4 };
    const before = await generateOne(policy, request(prompt, 9), short);
    const abort = new AbortController();
    const requests = Array.from({ length: ROWS }, (_, seed) => request(prompt, seed));
    const running = await startGeneration(policy, requests, { ...SAMPLED, maxNewTokens: ASKED, signal: abort.signal });
    abort.abort();
    await expect(running.result).rejects.toMatchObject({ name: "AbortError" });
    const delivered = running.chunks.reduce((sum, { ids }) => sum + ids.length, 0);
    // The first run of 16 tokens a row, and one more that was under way.
    expect(delivered).toBeLessThanOrEqual(2 * 16 * ROWS);
    expect(await generateOne(policy, request(prompt, 9), short)).toEqual(before);
  });

  it("stops while it reads a long prompt, before the first token", async () => {
    const abort = new AbortController();
    const chunks: unknown[] = [];
    const reading = policy.generate([request(someIds(4000, 2, 40_000))], {
      ...SAMPLED,
      signal: abort.signal,
      onTokens: (chunk) => void chunks.push(chunk),
    });
    setTimeout(() => abort.abort(), 50);
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
    expect(chunks).toEqual([]);
  });
});
