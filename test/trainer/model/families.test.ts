/** @file Every model family against transformers and PEFT, on tiny random checkpoints with windows that bite. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseModelConfig } from "../../../src/trainer/checkpoint/index.js";
import { openPolicy, type Policy } from "../../../src/trainer/run/index.js";
import { FAMILY_NAMES, familyFolder, plainRow, runRow, sharedRow, type TestRow } from "../../support/family-golden.js";
import { GOLDEN_LORA, relativeError } from "../../support/program-runner.js";

const FULL = { kind: "full" } as const;
const greatest = (found: readonly number[], expected: Float32Array): number =>
  found.length === expected.length
    ? Math.max(...found.map((x, i) => Math.abs(x - (expected[i] as number))))
    : Number.POSITIVE_INFINITY;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe.each(FAMILY_NAMES)("%s", (name) => {
  const { model, adapter, golden, spellings, tensor } = familyFolder(name);

  /** Holds each trained tensor's gradient against the golden one. */
  async function expectGradients(
    { layout, gradient }: Pick<Awaited<ReturnType<typeof runRow>>, "layout" | "gradient">,
    nameOf: (tensor: string) => string,
  ): Promise<void> {
    for (const { name: tensorName, offset, size } of layout.entries) {
      const expected = await tensor(nameOf(tensorName));
      expect(relativeError(gradient.slice(offset, offset + size), expected), tensorName).toBeLessThan(1e-3);
    }
  }

  it("is read the same from the spellings of transformers 4 and 5", () => {
    const [newer, older] = spellings.map((json) => ({ ...parseModelConfig(json), source: undefined }));
    expect(older).toEqual(newer);
  });

  it("gives transformers' logits and full gradients", async () => {
    const found = await runRow(model, FULL, plainRow(golden.ids));
    expect(greatest(found.logits, await tensor("base.logits"))).toBeLessThan(1e-4);
    await expectGradients(found, (tensorName) => `base.grad.${tensorName}`);
  });

  it("gives PEFT's logits and LoRA gradients", async () => {
    const found = await runRow(model, GOLDEN_LORA, plainRow(golden.ids), adapter);
    expect(greatest(found.logits, await tensor("lora.logits"))).toBeLessThan(1e-4);
    await expectGradients(found, (tensorName) => `lora.grad.base_model.model.${tensorName}`);
  });

  it("scores a pair behind a shared prompt as PEFT does in two plain rows, gradients too", async () => {
    const found = await runRow(model, GOLDEN_LORA, sharedRow(golden.pair), adapter);
    const C = golden.pair.chosen.length;
    expect(Math.abs(sum(found.logps.slice(0, C)) / C - golden.pair_logps.chosen)).toBeLessThan(1e-5);
    const rejected = found.logps.slice(C);
    expect(Math.abs(sum(rejected) / rejected.length - golden.pair_logps.rejected)).toBeLessThan(1e-5);
    await expectGradients(found, (tensorName) => `pair.grad.base_model.model.${tensorName}`);
  });

  describe("in the engine", () => {
    let policy: Policy;
    beforeAll(async () => {
      policy = await openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
      await policy.loadAdapter(adapter);
    });
    afterAll(() => policy?.close());

    it("picks transformers' greedy tokens, adapter on and off, alone and in a ragged batch", async () => {
      const request = (ids: readonly number[]) => ({ ids: Int32Array.from(ids), seed: 1 });
      const options = { maxNewTokens: 20, temperature: 0, topP: 1, stopTokenIds: [] };
      const others = [request([3, 4, 5, 6, 7, 8, 9, 10, 11]), request([12])];
      for (const batch of [[], others]) {
        const [on] = await policy.generate([request(golden.lora_greedy.prompt), ...batch], options);
        expect([...(on?.ids ?? [])]).toEqual(golden.lora_greedy.tokens);
        const [off] = await policy.generate([request(golden.greedy.prompt), ...batch], { ...options, adapter: "off" });
        expect([...(off?.ids ?? [])]).toEqual(golden.greedy.tokens);
      }
    });

    it("scores a pair with PEFT's log-probabilities", async () => {
      const { prompt, chosen, rejected } = golden.pair;
      const reply = (ids: readonly number[]) => ({
        ids: Int32Array.from(ids),
        labels: new Uint8Array(ids.length).fill(1),
      });
      const pair = { prompt: Int32Array.from(prompt), chosen: reply(chosen), rejected: reply(rejected) };
      const [score] = await policy.scorePairs([pair]);
      for (const side of ["chosen", "rejected"] as const) {
        const { sum: total, count } = score?.[side] ?? { sum: Number.NaN, count: 1 };
        expect(Math.abs(total / count - golden.pair_logps[side]), side).toBeLessThan(1e-5);
      }
    });
  });
});

describe("a window", () => {
  it("is counted in positions: counted in rows, the second reply would see less", async () => {
    const { model, golden } = familyFolder("mistral");
    const row = sharedRow(golden.pair);
    const inRows: TestRow = { ...row, positions: row.ids.map((_, i) => i) };
    const [right, wrong] = [await runRow(model, GOLDEN_LORA, row), await runRow(model, GOLDEN_LORA, inRows)];
    const C = golden.pair.chosen.length;
    expect(wrong.logps.slice(0, C)).toEqual(right.logps.slice(0, C));
    expect(Math.abs((wrong.logps[C + 1] as number) - (right.logps[C + 1] as number))).toBeGreaterThan(1e-3);
  });
});
