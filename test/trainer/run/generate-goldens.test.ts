/** @file Long greedy replies of every family against transformers and PEFT, and sampling against scoring. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPolicy, type Policy } from "../../../src/trainer/run/index.js";
import { FAMILY_NAMES } from "../../support/family-golden.js";
import {
  expectReply,
  type GenerationFolder,
  type GoldenReply,
  GREEDY,
  generateOne,
  generationFolder,
  greatestGap,
  request,
  SAMPLED,
  scoredTokens,
  someIds,
} from "../../support/generation.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const ADAPTERS = [
  ["off", "base"],
  ["on", "lora"],
] as const;

// Prompts of 1, 15, 16, 17, 63, 64, 65 and 130 tokens, 66 new ones each.
describe.each(FAMILY_NAMES)("%s", (name) => {
  let folder: GenerationFolder;
  let policy: Policy;
  const open = () => ({ model: folder.model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
  beforeAll(async () => {
    folder = generationFolder(name);
    policy = await openPolicy(open());
    await policy.loadAdapter(folder.adapter);
  });
  afterAll(async () => {
    await policy?.close();
    folder?.remove();
  });

  it.each(ADAPTERS)("replies as transformers does, each prompt alone, adapter %s", async (adapter, golden) => {
    for (const reply of folder.golden[golden]) {
      expectReply(await generateOne(policy, request(reply.prompt), { ...GREEDY, adapter }), reply);
    }
  });

  it.each(ADAPTERS)("replies as transformers does, all prompts in one call, adapter %s", async (adapter, golden) => {
    const replies = folder.golden[golden];
    const requests = replies.map(({ prompt }) => request(prompt));
    const found = await policy.generate(requests, { ...GREEDY, adapter });
    for (const [i, reply] of replies.entries()) expectReply(found[i], reply);
  });

  it("goes on from a reply, and from a piece of one, as if it had never stopped", async () => {
    for (const i of [3, 5, 7]) {
      const reply = folder.golden.lora[i] as GoldenReply;
      await generateOne(policy, request(reply.prompt), GREEDY);
      for (const kept of [65, 31]) {
        const rest = {
          prompt: [...reply.prompt, ...reply.tokens.slice(0, kept)],
          tokens: reply.tokens.slice(kept),
          logps: reply.logps.slice(kept),
        };
        expectReply(await generateOne(policy, request(rest.prompt), { ...GREEDY, maxNewTokens: 66 - kept }), rest);
      }
    }
  });

  // The other families are held to the same bits in generate-determinism.test.ts.
  if (["llama", "qwen2", "qwen3"].includes(name)) {
    it("replies as transformers does in runs of 7 tokens with nothing kept", async () => {
      const other = await openPolicy({ ...open(), generation: { maxChunk: 7, prefixCache: false } });
      try {
        const requests = folder.golden.base.map(({ prompt }) => request(prompt));
        const found = await other.generate(requests, { ...GREEDY, adapter: "off" });
        for (const [i, reply] of folder.golden.base.entries()) expectReply(found[i], reply);
      } finally {
        await other.close();
      }
    });
  }

  it("punishes repetition as transformers does, and reports log-probabilities without it", async () => {
    const { penalty, ...reply } = folder.golden.repetition;
    const options = { ...GREEDY, adapter: "off", repetitionPenalty: penalty };
    expectReply(await generateOne(policy, request(reply.prompt), options), reply);
  });

  it("samples tokens with the log-probabilities that scoring finds, token by token", async () => {
    for (const [adapter, weights] of [
      ["on", "current"],
      ["off", "base"],
    ] as const) {
      const requests = [1, 17, 130].map((length, seed) => request(someIds(length, seed), seed));
      const found = await policy.generate(requests, { ...SAMPLED, adapter });
      for (const [i, { ids, logps }] of found.entries()) {
        const scored = await scoredTokens(policy, requests[i]?.ids as Int32Array, ids, weights);
        expect(greatestGap(scored, logps), `adapter ${adapter}, request ${i}`).toBeLessThan(1e-4);
        const [whole, sampled] = [scored, [...logps]].map((values) => values.reduce((a, b) => a + b, 0));
        expect(Math.abs((whole as number) - (sampled as number))).toBeLessThan(1e-4);
      }
    }
  });
});
