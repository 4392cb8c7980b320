/** @file Packing and prefix sharing: laid out as the programs expect, and exact. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRng } from "../../../src/agents/rng.js";
import { LABEL_CHUNK } from "../../../src/trainer/losses/index.js";
import { collate } from "../../../src/trainer/run/collate.js";
import { openPolicy, type Policy } from "../../../src/trainer/run/index.js";
import type { TokenizedPair } from "../../../src/trainer/text/types.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const rng = createRng(5);
const draw = (length: number): Int32Array => Int32Array.from({ length }, () => 3 + rng.int(80));
const reply = (length: number) => ({ ids: draw(length), labels: new Uint8Array(length).fill(1) });
const pairs: TokenizedPair[] = [
  [4, 3, 5],
  [1, 2, 2],
  [9, 30, 1],
  [2, 1, 40],
].map(([p, c, r]) => ({ prompt: draw(p as number), chosen: reply(c as number), rejected: reply(r as number) }));

const weights = { text: 1, pairNll: 1, nllOver: "prompt+chosen", pair: 1, logps: "mean" } as const;
const padded = (...values: number[]): number[] => [...values, ...Array<number>(LABEL_CHUNK - values.length).fill(0)];

describe("collate", () => {
  it("starts both replies at the position behind the prompt, on branches of their own", () => {
    const pair = {
      prompt: Int32Array.from([7, 8]),
      chosen: { ids: Int32Array.from([1, 2]), labels: Uint8Array.from([1, 1]) },
      rejected: { ids: Int32Array.from([3]), labels: Uint8Array.from([1]) },
    };
    const [batch] = collate([pair], [], weights, 100);
    expect([...(batch?.ids ?? [])]).toEqual([7, 8, 1, 2, 3]);
    expect([...(batch?.positions ?? [])]).toEqual([0, 1, 2, 3, 2]);
    expect([...(batch?.branches ?? [])]).toEqual([0, 0, 1, 1, 2]);
    // prompt: 7→8; chosen: 8→1, 1→2; rejected: 8→3, from the same row of the prompt
    expect([...(batch?.labelRows ?? [])]).toEqual(padded(0, 1, 2, 1));
    expect([...(batch?.targets ?? [])]).toEqual(padded(8, 1, 2, 3));
    expect([...(batch?.chosenWeights ?? [])]).toEqual(padded(0, 0.5, 0.5, 0));
    expect([...(batch?.rejectedWeights ?? [])]).toEqual(padded(0, 0, 0, 1));
    expect([...(batch?.nllWeights ?? [])]).toEqual(padded(1, 1, 1, 0));
  });

  it("keeps every label whatever the size of a micro-batch, in whole chunks", () => {
    const texts = [reply(50), reply(2), reply(60)];
    const total = (maxTokens: number, of: "nllWeights" | "chosenWeights" | "rejectedWeights"): number =>
      collate(pairs, texts, weights, maxTokens).reduce((sum, batch) => sum + batch[of].reduce((a, b) => a + b, 0), 0);
    const nll = [...pairs.map(({ prompt, chosen }) => prompt.length + chosen.ids.length), 50, 2, 60];
    const labels = nll.reduce((sum, tokens) => sum + tokens - 1, 0);
    for (const maxTokens of [1, 10_000]) {
      expect(total(maxTokens, "nllWeights")).toBe(labels);
      expect(total(maxTokens, "chosenWeights")).toBeCloseTo(pairs.length, 5); // means
      expect(total(maxTokens, "rejectedWeights")).toBeCloseTo(pairs.length, 5);
      for (const batch of collate(pairs, texts, weights, maxTokens)) {
        expect(batch.targets.length % LABEL_CHUNK).toBe(0);
        expect(batch.targets.length).toBeGreaterThan(0);
      }
    }
  });

  it("adds a reply's labels up where the loss asks for sums", () => {
    const [pair] = pairs as [TokenizedPair];
    const [batch] = collate([pair], [], { ...weights, pairNll: 0, logps: "sum" }, 100);
    expect([...(batch?.chosenWeights ?? [])]).toEqual(padded(1, 1, 1));
    expect([...(batch?.rejectedWeights ?? [])]).toEqual(padded(0, 0, 0, 1, 1, 1, 1, 1));
    expect([...(batch?.nllWeights ?? [])]).toEqual(padded());
  });

  it("has one chunk of labels that weigh nothing where nothing is labelled", () => {
    const [batch] = collate([], [{ ids: draw(5), labels: new Uint8Array(5) }], weights, 100);
    expect(batch?.targets.length).toBe(LABEL_CHUNK);
    expect([...(batch?.nllWeights ?? [])]).toEqual(padded());
  });

  it("gives a masked reply token no weight in the comparison", () => {
    const [pair] = pairs as [TokenizedPair];
    const masked = { ...pair, chosen: { ...pair.chosen, labels: Uint8Array.from([0, 0, 1]) } };
    const [batch] = collate([masked], [], { ...weights, nllOver: "chosen" }, 100);
    expect([...(batch?.chosenWeights ?? [])].filter((w) => w > 0)).toEqual([1]);
  });
});

describe("prefix sharing and packing", () => {
  let policy: Policy;
  beforeAll(async () => {
    const { model, adapter } = goldenFolder("gqa-untied");
    policy = await openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
    await policy.loadAdapter(adapter);
  });
  afterAll(() => policy.close());

  it("score as rows of their own do", async () => {
    const together = await policy.scorePairs(pairs);
    for (const [i, pair] of pairs.entries()) {
      // Each reply alone behind its prompt: the other branch is a single token that nothing reads.
      const other = reply(1);
      const [chosen] = await policy.scorePairs([{ ...pair, rejected: other }]);
      const [rejected] = await policy.scorePairs([{ ...pair, chosen: other }]);
      expect(Math.abs((together[i]?.chosen.sum ?? 0) - (chosen?.chosen.sum ?? 1))).toBeLessThan(1e-4);
      expect(Math.abs((together[i]?.rejected.sum ?? 0) - (rejected?.rejected.sum ?? 1))).toBeLessThan(1e-4);
    }
  });

  it("run a micro-batch without labels: a text that weighs nothing beside the pairs", async () => {
    const options = { loss: "orpo", learningRate: 0, beta: 0.1, maxGradNorm: 1, weightDecay: 0 } as const;
    const step = { ...options, textWeight: 0, nllOver: "chosen", maxTokens: 1 } as const;
    const alone = await policy.trainStep({ pairs, texts: [] }, step);
    const beside = await policy.trainStep({ pairs, texts: [reply(120)] }, step);
    expect(beside["loss"]).toBeCloseTo(alone["loss"] as number, 5);
    expect(beside["grad_norm"]).toBeCloseTo(alone["grad_norm"] as number, 5);
  });

  it("train as plain rows do: the NLL of a text equals that of a pair's prompt and chosen reply", async () => {
    const [pair] = pairs as [TokenizedPair];
    const ids = Int32Array.from([...pair.prompt, ...pair.chosen.ids]);
    const text = { ids, labels: new Uint8Array(ids.length).fill(1) };
    const options = {
      learningRate: 0,
      beta: 0,
      maxGradNorm: 1,
      weightDecay: 0,
      textWeight: 1,
      nllOver: "prompt+chosen",
      maxTokens: 999,
    } as const;
    const plain = await policy.trainStep({ pairs: [], texts: [text] }, { ...options, loss: "sft" });
    const shared = await policy.trainStep({ pairs: [pair], texts: [] }, { ...options, loss: "orpo" });
    expect(shared["nll_loss"]).toBeCloseTo(plain["nll_loss"] as number, 5);
    expect(shared["grad_norm"]).toBeCloseTo(plain["grad_norm"] as number, 4);
  });
});
