/** @file Adapters by name: of other ranks and targets, switched between calls, mixed in one batch. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Generation, openPolicy, type Policy, readAdapterSpec } from "../../../src/trainer/run/index.js";
import { familyFolder } from "../../support/family-golden.js";
import {
  expectReply,
  type GenerationFolder,
  type GoldenReply,
  GREEDY,
  generateOne,
  generationFolder,
  OTHER_ADAPTER,
  request,
  SAMPLED,
  someIds,
  startGeneration,
} from "../../support/generation.js";
import { goldenFolder } from "../../support/golden.js";
import { GOLDEN_LORA } from "../../support/program-runner.js";

const ONE = request(someIds(70), 3);
const NAMES = ["small", "large", "off"] as const;

let folder: GenerationFolder;
beforeAll(() => {
  folder = generationFolder("llama");
});
afterAll(() => folder?.remove());
const bare = () => ({ model: folder.model, trainable: { kind: "none" }, seed: 1, threads: 1 }) as const;
const byName = () => ({ small: folder.adapter, large: OTHER_ADAPTER });

describe("a model that is only sampled, with two adapters", () => {
  let policy: Policy;
  beforeAll(async () => {
    policy = await openPolicy({ ...bare(), adapters: byName() });
  });
  afterAll(() => policy?.close());

  it("replies as PEFT does with each, and as transformers does without", async () => {
    const { base, lora, other_lora = [] } = folder.golden;
    const cases: [string, readonly GoldenReply[]][] = [
      ["small", lora.slice(3, 7)],
      ["large", other_lora],
      ["off", base.slice(3, 7)],
      ["on", base.slice(3, 5)],
      ["large", other_lora],
      ["small", lora.slice(0, 2)],
    ];
    for (const [adapter, replies] of cases) {
      for (const reply of replies) {
        expectReply(await generateOne(policy, request(reply.prompt), { ...GREEDY, adapter }), reply);
      }
    }
  });

  it("gives the replies of a policy that was opened with one of them", async () => {
    for (const [name, directory] of Object.entries(byName())) {
      const found = await generateOne(policy, ONE, { ...SAMPLED, adapter: name });
      const single = await openPolicy({ ...bare(), adapters: { only: directory } });
      const trained = await openPolicy({ ...bare(), trainable: await readAdapterSpec(directory) });
      try {
        // Not the same bits: zeros that make ranks equal change the order of a sum.
        const expected = { prompt: [...ONE.ids], tokens: [...found.ids], logps: [...found.logps] };
        expectReply(await generateOne(single, ONE, { ...SAMPLED, adapter: "only" }), expected);
        await trained.loadAdapter(directory);
        expectReply(await generateOne(trained, ONE, SAMPLED), expected);
      } finally {
        await Promise.all([single.close(), trained.close()]);
      }
    }
  });

  it("does not mix up what it remembers of a prompt under another adapter", async () => {
    const alone: Generation[] = [];
    for (const adapter of NAMES) alone.push(await generateOne(policy, ONE, { ...SAMPLED, adapter }));
    expect(new Set(alone.map(({ logps }) => logps[0])).size).toBe(NAMES.length);
    for (const adapter of NAMES.toReversed()) {
      expect(await generateOne(policy, ONE, { ...SAMPLED, adapter })).toEqual(alone[NAMES.indexOf(adapter)]);
    }
  });

  it("gives the same bits where calls with different adapters meet", async () => {
    const alone: Generation[] = [];
    for (const adapter of NAMES) alone.push(await generateOne(policy, ONE, { ...SAMPLED, adapter }));
    const ask = () => Promise.all(NAMES.map((adapter) => generateOne(policy, ONE, { ...SAMPLED, adapter })));
    expect(await ask()).toEqual(alone);
    const running = await startGeneration(policy, [ONE], { ...SAMPLED, maxNewTokens: 150, adapter: "large" });
    expect(await ask()).toEqual(alone);
    const [long] = await running.result;
    expect(long?.ids.slice(0, 40)).toEqual(alone[1]?.ids);
  });

  it("names the adapters that there are when asked for another", async () => {
    const refusal = policy.generate([ONE], { ...SAMPLED, adapter: "medium" });
    await expect(refusal).rejects.toThrow(/medium.*large.*small|medium.*small.*large/s);
  });

  it("scores with its weights and refuses to train them", async () => {
    expect(policy.info.trainedParameters).toBe(0);
    const text = { ids: ONE.ids, labels: new Uint8Array(ONE.ids.length).fill(1) };
    const pair = { prompt: ONE.ids, chosen: text, rejected: text };
    const [score] = await policy.scorePairs([pair]);
    expect(score?.chosen.count).toBe(ONE.ids.length);
    const options = {
      loss: "sft",
      learningRate: 1e-3,
      beta: 0.1,
      maxGradNorm: 1,
      weightDecay: 0,
      textWeight: 1,
      nllOver: "chosen",
      maxTokens: 512,
    } as const;
    await expect(policy.trainStep({ pairs: [], texts: [text] }, options)).rejects.toThrow(/train/);
    expect(await policy.scorePairs([pair])).toEqual([score]);
  });
});

describe("adapters beside a LoRA in training", () => {
  it("leave it alone: on is what is trained, names are what they name", async () => {
    const policy = await openPolicy({ ...bare(), trainable: GOLDEN_LORA, adapters: { large: OTHER_ADAPTER } });
    try {
      const [{ base, lora, other_lora = [] }, greedy] = [folder.golden, GREEDY];
      await policy.loadAdapter(folder.adapter);
      for (const [adapter, reply] of [
        ["on", lora[3]],
        ["large", other_lora[0]],
        ["off", base[3]],
        ["on", lora[6]],
      ] as const) {
        const golden = reply as GoldenReply;
        expectReply(await generateOne(policy, request(golden.prompt), { ...greedy, adapter }), golden);
      }
    } finally {
      await policy.close();
    }
  });
});

describe("an adapter", () => {
  const refusal = (directory: string): Promise<string> =>
    openPolicy({ ...bare(), adapters: { wrong: directory } }).then(
      (policy) => policy.close().then(() => "opened"),
      ({ message }: Error) => message,
    );

  it("that is not there is refused when the model is opened, by name", async () => {
    expect(await refusal(join(folder.model, "nowhere"))).toMatch(/wrong|nowhere/);
  });

  it("of a model of other sizes is refused when the model is opened", async () => {
    expect(await refusal(goldenFolder("gqa-untied").adapter)).toMatch(/expected|shape|size/);
    expect(await refusal(familyFolder("llama").adapter)).toBe("opened");
  });
});
