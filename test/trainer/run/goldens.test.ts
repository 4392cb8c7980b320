/** @file The training core against PyTorch, transformers, PEFT and TRL on two tiny checkpoints. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedTensors, openCheckpointDir } from "../../../src/trainer/checkpoint/index.js";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import {
  decoder,
  headLogits,
  openParameters,
  packedVisibility,
  rotaryAngles,
  type TrainableSpec,
  thetaLayout,
} from "../../../src/trainer/model/index.js";
import { collate } from "../../../src/trainer/run/collate.js";
import { openPolicy, type Policy, type StepOptions } from "../../../src/trainer/run/index.js";
import { initialTheta } from "../../../src/trainer/run/initial-theta.js";
import { trainProgram } from "../../../src/trainer/run/programs.js";
import { readTrained } from "../../../src/trainer/run/trained-files.js";
import type { Feed } from "../../../src/trainer/runtime/session.js";
import { GOLDEN_NAMES, goldenFolder, goldenPairs, goldenText } from "../../support/golden.js";
import { floatsOf, GOLDEN_LORA, relativeError, runGraph } from "../../support/program-runner.js";

const STEP: StepOptions = {
  loss: "orpo",
  learningRate: 1e-3,
  beta: 0.1,
  maxGradNorm: 1,
  weightDecay: 0,
  textWeight: 0,
  nllOver: "prompt+chosen",
  maxTokens: 4096,
};

const FULL: TrainableSpec = { kind: "full" };
const int32 = (values: readonly number[], dims: readonly number[]): Feed => ({ data: Int32Array.from(values), dims });
const float32 = (data: Float32Array, dims: readonly number[]): Feed => ({ data, dims });

async function openSource(model: string, trainable: TrainableSpec) {
  const checkpoint = await openCheckpointDir(model);
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, trainable);
  return { checkpoint, layout, loraScale: trainable.kind === "lora" ? trainable.loraAlpha / trainable.r : 1 };
}

/** Logits of one plain row, [time · vocabulary]. */
async function rowLogits(
  model: string,
  trainable: TrainableSpec,
  theta: Float32Array | undefined,
  ids: readonly number[],
) {
  const { checkpoint, layout, loraScale } = await openSource(model, trainable);
  const g = new GraphBuilder();
  const cell = (name: string) => g.input(name, "int32", ["batch", "time"]);
  const parameters = openParameters(g, checkpoint, layout, g.input("theta", "float32", [layout.length]), loraScale);
  const [positions, order] = [cell("positions"), g.input("order", "int32", ["time"])];
  const visible = packedVisibility(g, cell("items"), cell("branches"), positions, order);
  const inputs = { ids: cell("ids"), angles: rotaryAngles(g, checkpoint.config, positions, order, "float32"), visible };
  g.output(
    "logits",
    headLogits(g, checkpoint.config, parameters, decoder(g, checkpoint.config, parameters, inputs).hidden),
  );
  const T = ids.length;
  const steps = ids.map((_, i) => i);
  const zeros = ids.map(() => 0);
  const values = theta ?? (await initialTheta(checkpoint, layout, trainable, 0));
  const feeds = {
    ids: int32(ids, [1, T]),
    positions: int32(steps, [1, T]),
    items: int32(zeros, [1, T]),
    branches: int32(zeros, [1, T]),
    order: int32(steps, [T]),
    theta: float32(values, [layout.length]),
  };
  return floatsOf((await runGraph(g.build(), feeds, ["logits"], checkpoint.path))["logits"]);
}

describe.each(GOLDEN_NAMES)("%s", (name) => {
  const { model, adapter, golden, tensor } = goldenFolder(name);
  let policy: Policy;
  beforeAll(async () => {
    policy = await openPolicy({ model, trainable: GOLDEN_LORA, seed: 1, threads: 1 });
  });
  afterAll(() => policy.close());

  it("gives transformers' logits, with all weights in theta", async () => {
    for (const { ids, logits: expected } of golden.sequences) {
      const found = await rowLogits(model, FULL, undefined, ids);
      expect(Math.max(...found.map((x, i) => Math.abs(x - (expected.flat()[i] as number))))).toBeLessThan(1e-4);
    }
  });

  it("gives PEFT's logits, with frozen weights read in place and a LoRA in theta", async () => {
    const { layout } = await openSource(model, GOLDEN_LORA);
    const theta = await readTrained(adapter, GOLDEN_LORA, layout);
    for (const { ids, logits: expected } of golden.lora_sequences) {
      const found = await rowLogits(model, GOLDEN_LORA, theta, ids);
      expect(Math.max(...found.map((x, i) => Math.abs(x - (expected.flat()[i] as number))))).toBeLessThan(1e-4);
    }
  });

  it("gives PyTorch's gradient of the NLL for every tensor of the model", async () => {
    const source = await openSource(model, FULL);
    const text = goldenText((golden.sequences[1] as { ids: number[] }).ids);
    const weights = { text: 1 / (text.ids.length - 1), pairNll: 0, nllOver: "chosen", pair: 0, logps: "mean" } as const;
    const [rows] = collate([], [text], weights, 4096);
    const gradient = await stepGradient(
      source,
      "sft",
      rows as NonNullable<typeof rows>,
      await initialTheta(source.checkpoint, source.layout, FULL, 0),
    );
    for (const entry of source.layout.entries) {
      const expected = await tensor(`nll_grad.${entry.name}`);
      expect(relativeError(gradient.slice(entry.offset, entry.offset + entry.size), expected), entry.name).toBeLessThan(
        1e-3,
      );
    }
  });

  it.each(["orpo", "orpo_masked"] as const)("gives TRL's loss and PyTorch's LoRA gradients of %s", async (which) => {
    const source = await openSource(model, GOLDEN_LORA);
    const pairs = goldenPairs(golden[which]);
    const count = pairs.reduce((sum, pair) => sum + pair.prompt.length - 1 + pair.chosen.ids.length, 0);
    const weights = {
      text: 0,
      pairNll: 1 / count,
      nllOver: "prompt+chosen",
      pair: 1 / pairs.length,
      logps: "mean",
    } as const;
    const [rows] = collate(pairs, [], weights, 4096);
    const theta = await readTrained(adapter, GOLDEN_LORA, source.layout);
    const gradient = await stepGradient(source, "orpo", rows as NonNullable<typeof rows>, theta);
    for (const entry of source.layout.entries) {
      const expected = await tensor(`${which}_grad.base_model.model.${entry.name}`);
      expect(relativeError(gradient.slice(entry.offset, entry.offset + entry.size), expected), entry.name).toBeLessThan(
        1e-3,
      );
    }
  });

  it.each([
    ["orpo", "prompt+chosen"],
    ["orpo_masked", "prompt+chosen"],
    ["orpo_masked_chosen_only", "chosen"],
  ] as const)("reports TRL's metrics of %s", async (which, nllOver) => {
    await policy.loadAdapter(adapter);
    const metrics = await policy.trainStep({ pairs: goldenPairs(golden[which]), texts: [] }, { ...STEP, nllOver });
    for (const [key, value] of Object.entries(golden[which].metrics)) expect(metrics[key], key).toBeCloseTo(value, 5);
    expect(Math.abs((metrics["grad_norm"] as number) / golden[which].grad_norm - 1)).toBeLessThan(1e-4);
  });

  it("follows torch.optim.AdamW for ten steps, in one micro-batch or in several", async () => {
    const { loss, grad_norm } = golden.trajectory;
    for (const maxTokens of [4096, 1]) {
      await policy.loadAdapter(adapter);
      for (const [i, expected] of loss.entries()) {
        const metrics = await policy.trainStep({ pairs: goldenPairs(golden.orpo), texts: [] }, { ...STEP, maxTokens });
        expect(Math.abs((metrics["loss"] as number) - expected)).toBeLessThan(1e-4);
        expect(Math.abs((metrics["grad_norm"] as number) - (grad_norm[i] as number))).toBeLessThan(1e-2);
      }
    }
  });

  it("picks transformers' greedy tokens, adapter on and off, alone and in a ragged batch", async () => {
    await policy.loadAdapter(adapter);
    const request = (ids: readonly number[]) => ({ ids: Int32Array.from(ids), seed: 1 });
    const options = { maxNewTokens: 20, temperature: 0, topP: 1, stopTokenIds: [] };
    const { greedy, lora_greedy } = golden;
    const others = [request([3, 4, 5, 6, 7, 8, 9]), request([11])];
    for (const batch of [[], others]) {
      const [on] = await policy.generate([request(lora_greedy.prompt), ...batch], options);
      expect([...(on?.ids ?? [])]).toEqual(lora_greedy.tokens);
      const [off] = await policy.generate([request(greedy.prompt), ...batch], { ...options, adapter: "off" });
      expect([...(off?.ids ?? [])]).toEqual(greedy.tokens);
    }
  });

  it("scores what it generated with the same log-probabilities", async () => {
    await policy.loadAdapter(adapter);
    const prompt = Int32Array.from(golden.greedy.prompt);
    const options = { maxNewTokens: 12, temperature: 1, topP: 0.9, stopTokenIds: [] };
    const generations = await policy.generate(
      [1, 2, 3].map((seed) => ({ ids: prompt, seed })),
      options,
    );
    const reply = (ids: Int32Array) => ({ ids, labels: new Uint8Array(ids.length).fill(1) });
    const scores = await policy.scorePairs(
      generations.map(({ ids }) => ({ prompt, chosen: reply(ids), rejected: reply(ids) })),
    );
    generations.forEach(({ logps }, i) => {
      const sum = logps.reduce((a, b) => a + b, 0);
      expect(Math.abs((scores[i]?.chosen.sum ?? 0) - sum)).toBeLessThan(1e-4);
    });
  });
});

type Source = Awaited<ReturnType<typeof openSource>>;

async function stepGradient(
  source: Source,
  loss: "sft" | "orpo",
  rows: ReturnType<typeof collate>[number],
  theta: Float32Array,
) {
  const N = rows.targets.length;
  const P = rows.pairs.length;
  const cells = (data: Int32Array): Feed => ({ data, dims: [rows.rows, rows.time] });
  const vector = (data: Float32Array): Feed => float32(data, [data.length]);
  const scalar = (value: number): Feed => float32(new Float32Array([value]), []);
  const zeros = new Float32Array(source.layout.length);
  const feeds = {
    ids: cells(rows.ids),
    positions: cells(rows.positions),
    items: cells(rows.items),
    branches: cells(rows.branches),
    order: int32(
      Array.from({ length: rows.time }, (_, i) => i),
      [rows.time],
    ),
    label_rows: int32([...rows.labelRows], [N]),
    targets: int32([...rows.targets], [N]),
    nll_weights: vector(rows.nllWeights),
    chosen_weights: float32(rows.chosenWeights, [P, N]),
    rejected_weights: float32(rows.rejectedWeights, [P, N]),
    pair_weights: vector(rows.pairWeights),
    theta: vector(theta),
    m: vector(zeros),
    v: vector(zeros),
    gradient: vector(zeros),
    beta: scalar(0.1),
    max_grad_norm: scalar(1),
    step_size: scalar(0),
    root_bias2: scalar(1),
    decay: scalar(0),
  };
  const result = await runGraph(trainProgram(source, loss), feeds, ["sum_gradient"], source.checkpoint.path);
  return (result["sum_gradient"] as Feed).data as Float32Array;
}
