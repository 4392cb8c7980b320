/** @file Adapters that PEFT wrote: read, computed with, differentiated and written back, against PyTorch. */
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gradients } from "../../../src/trainer/autodiff/index.js";
import {
  expectedTensors,
  openCheckpointDir,
  readSafetensorsHeader,
  readTensorFloat32,
} from "../../../src/trainer/checkpoint/index.js";
import { GraphBuilder, type Value } from "../../../src/trainer/graph/index.js";
import { LABEL_CHUNK, tokenLogps } from "../../../src/trainer/losses/token-logps.js";
import {
  decoder,
  headLogits,
  headOf,
  type LoraSpec,
  loraScale,
  openParameters,
  packedVisibility,
  rotaryAngles,
  thetaLayout,
} from "../../../src/trainer/model/index.js";
import { initialTheta } from "../../../src/trainer/run/initial-theta.js";
import { baseModelOf, readAdapterSpec, readTrained, writeTrained } from "../../../src/trainer/run/trained-files.js";
import type { Feed, Feeds } from "../../../src/trainer/runtime/session.js";
import { floatsOf, relativeError, runGraph } from "../../support/program-runner.js";

const FIXTURES = fileURLToPath(new URL("../../fixtures/", import.meta.url));
const NAMES = ["rslora-pattern", "tokens-tied", "tokens-untied", "tokens-untied-head"] as const;

interface Golden {
  readonly base: string;
  readonly ids: readonly number[];
  readonly nll: number;
  readonly vocabulary: number;
}

async function tensorsOf(file: string): Promise<Map<string, Float32Array>> {
  const { entries } = await readSafetensorsHeader(file);
  return new Map(
    await Promise.all(entries.map(async (entry) => [entry.name, await readTensorFloat32(entry)] as const)),
  );
}

async function openSource(model: string, trainable: LoraSpec) {
  const checkpoint = await openCheckpointDir(model);
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, trainable);
  return { checkpoint, layout, trainable };
}
type Source = Awaited<ReturnType<typeof openSource>>;

const ints = (values: readonly number[], dims: readonly number[]): Feed => ({ data: Int32Array.from(values), dims });

/** One plain row through the decoder, the head and the log-probabilities. */
function rowGraph({ checkpoint, layout, trainable }: Source) {
  const g = new GraphBuilder();
  const { config } = checkpoint;
  const cell = (name: string) => g.input(name, "int32", ["batch", "time"]);
  const theta = g.input("theta", "float32", [layout.length]);
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale(trainable));
  const [ids, positions] = [cell("ids"), cell("positions")];
  const order = g.input("order", "int32", ["time"]);
  const visible = packedVisibility(g, cell("items"), cell("branches"), positions, order);
  const { hidden } = decoder(g, config, parameters, {
    ids,
    angles: rotaryAngles(g, config, positions, order, "float32"),
    visible,
  });
  g.output("logits", headLogits(g, config, parameters, hidden));
  const rows = g.gather(g.reshape(hidden, ["tokens", config.hiddenSize]), g.input("label_rows", "int32", ["labels"]));
  const targets = g.input("targets", "int32", ["labels"]);
  const logps = tokenLogps(g, rows, headOf(config, parameters), targets, "differentiate");
  const nll = g.neg(g.sumAll(g.mul(logps, g.input("weights", "float32", ["labels"]))));
  const [gradient] = gradients(g, nll, [theta]) as readonly [Value];
  g.output("nll", nll);
  g.output("gradient", gradient);
  return g.build();
}

function rowFeeds(ids: readonly number[], theta: Float32Array): Feeds {
  const T = ids.length;
  const [order, zeros] = [ids.map((_, i) => i), ids.map(() => 0)];
  const padded = (values: readonly number[]) => Array.from({ length: LABEL_CHUNK }, (_, i) => values[i] ?? 0);
  const weights = Float32Array.from({ length: LABEL_CHUNK }, (_, i) => (i < T - 1 ? 1 / (T - 1) : 0));
  return {
    ids: ints(ids, [1, T]),
    positions: ints(order, [1, T]),
    items: ints(zeros, [1, T]),
    branches: ints(zeros, [1, T]),
    order: ints(order, [T]),
    label_rows: ints(padded(order), [LABEL_CHUNK]),
    targets: ints(padded(ids.slice(1)), [LABEL_CHUNK]),
    weights: { data: weights, dims: [LABEL_CHUNK] },
    theta: { data: theta, dims: [theta.length] },
  };
}

const largestDifference = (found: readonly number[], expected: Float32Array): number =>
  found.length === expected.length
    ? Math.max(...found.map((x, i) => Math.abs(x - (expected[i] as number))))
    : Number.POSITIVE_INFINITY;

describe.each(NAMES)("PEFT's adapter %s", (name) => {
  const folder = join(FIXTURES, "peft", name);
  const golden = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8")) as Golden;
  const model = join(FIXTURES, "llama-tiny", golden.base, "model");
  let written: string;
  let source: Source;
  let theta: Float32Array;
  let expected: Map<string, Float32Array>;
  beforeAll(async () => {
    written = await mkdtemp(join(tmpdir(), "peft-"));
    source = await openSource(model, await readAdapterSpec(folder));
    theta = await readTrained(folder, source.trainable, source.layout);
    expected = await tensorsOf(join(folder, "golden.safetensors"));
  });
  afterAll(() => rm(written, { recursive: true, force: true }));

  it("gives PEFT's logits, log-probabilities and gradients", async () => {
    const result = await runGraph(rowGraph(source), rowFeeds(golden.ids, theta), ["logits", "nll", "gradient"], model);
    expect(largestDifference(floatsOf(result["logits"]), expected.get("logits") as Float32Array)).toBeLessThan(1e-4);
    expect(floatsOf(result["nll"])[0]).toBeCloseTo(golden.nll, 5);
    const gradient = floatsOf(result["gradient"]);
    for (const { name: entry, offset, size } of source.layout.entries) {
      const wanted = expected.get(`grad.base_model.model.${entry}`) as Float32Array;
      expect(relativeError(gradient.slice(offset, offset + size), wanted), entry).toBeLessThan(1e-3);
    }
  });

  it("starts as the base model, new tokens included", async () => {
    const off = await initialTheta(source.checkpoint, source.layout, source.trainable, 1);
    const result = await runGraph(rowGraph(source), rowFeeds(golden.ids, off), ["logits"], model);
    expect(largestDifference(floatsOf(result["logits"]), expected.get("logits_off") as Float32Array)).toBeLessThan(
      1e-4,
    );
  });

  it("is written back with the same tensors under the same keys, and reads the same", async () => {
    await writeTrained(written, source.checkpoint, source.trainable, source.layout, theta);
    const [ours, theirs] = await Promise.all(
      [written, folder].map((directory) => tensorsOf(join(directory, "adapter_model.safetensors"))),
    );
    expect(Object.fromEntries(ours as Map<string, Float32Array>)).toEqual(
      Object.fromEntries(theirs as Map<string, Float32Array>),
    );
    expect(await readAdapterSpec(written)).toEqual(source.trainable);
    const config = async (directory: string): Promise<Record<string, unknown>> =>
      JSON.parse(await readFile(join(directory, "adapter_config.json"), "utf8"));
    const [mine, other] = await Promise.all([config(written), config(folder)]);
    expect(Object.keys(mine ?? {})).toEqual(Object.keys(other ?? {}));
    const same = ({ target_modules, base_model_name_or_path, ...rest }: Record<string, unknown>) => rest;
    expect(same(mine as Record<string, unknown>)).toEqual(same(other as Record<string, unknown>));
  });

  it("is refused by a policy of another scale or other tokens, each by name", async () => {
    const { trainable } = source;
    const other = { ...trainable, useRslora: !trainable.useRslora, trainableTokenIndices: [7] };
    const { layout } = await openSource(model, other);
    await expect(readTrained(folder, other, layout)).rejects.toThrow(/use_rslora: .*\n.*trainable_token_indices: /s);
  });
});

describe("rows of tokens", () => {
  const tied = join(FIXTURES, "llama-tiny/tied-llama3/model"); // 83 tokens
  const untied = join(FIXTURES, "llama-tiny/gqa-untied/model"); // 97 tokens
  const spec = (trainableTokenIndices: readonly number[]): LoraSpec => ({
    kind: "lora",
    r: 2,
    loraAlpha: 4,
    targetModules: ["q_proj"],
    trainableTokenIndices,
  });

  it("start as the checkpoint has them, new ones as the mean of all rows", async () => {
    const { checkpoint, layout, trainable } = await openSource(tied, spec([83, 7]));
    const theta = await initialTheta(checkpoint, layout, trainable, 1);
    const embedding = await checkpoint.readFloat32("model.embed_tokens.weight");
    const { offset } = layout.entries.at(-1) as { offset: number };
    expect(theta.slice(offset + 40)).toEqual(embedding.slice(7 * 40, 8 * 40));
    const column = Array.from({ length: 83 }, (_, row) => embedding[row * 40 + 3] as number);
    expect(theta[offset + 3]).toBeCloseTo(column.reduce((a, b) => a + b) / 83, 7);
  });

  it.each<[string, string, readonly number[], RegExp]>([
    ["a gap behind the vocabulary", tied, [84], /follow the vocabulary without a gap, from 83; found 84/],
    ["an id twice", tied, [3, 3], /twice/],
    ["what is no id", tied, [-1, 1.5], /found -1, 1\.5/],
    ["new ids that an untied head has no rows for", untied, [97], /trainHeadRows/],
  ])("are refused: %s", async (_, model, indices, message) => {
    await expect(openSource(model, spec(indices))).rejects.toThrow(message);
  });
});

describe("an adapter directory", () => {
  it("names its base by hub id and commit where the model lies in the hub's cache, else by its folder", () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const cached = `/home/u/.cache/huggingface/hub/models--some-org--Small-1.5/snapshots/${commit}`;
    expect(baseModelOf(cached)).toEqual({ name: "some-org/Small-1.5", revision: commit });
    expect(baseModelOf("/data/models/mine")).toEqual({ name: "mine" });
  });

  it("carries the tokenizer that the training used", async () => {
    const folder = await mkdtemp(join(tmpdir(), "adapter-"));
    try {
      const source = await openSource(join(FIXTURES, "llama-tiny/tied-llama3/model"), {
        kind: "lora",
        r: 1,
        loraAlpha: 1,
        targetModules: ["q_proj"],
      });
      const theta = new Float32Array(source.layout.length);
      const tokenizer = fileURLToPath(new URL("../../../models/nano/", import.meta.url));
      const options = { tokenizer, baseModel: { name: "an/id" } };
      await writeTrained(folder, source.checkpoint, source.trainable, source.layout, theta, options);
      expect((await readdir(folder)).sort()).toEqual([
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
      ]);
      expect(await readFile(join(folder, "README.md"), "utf8")).toMatch(
        /^---\nbase_model: "an\/id"\nlibrary_name: peft\n/,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
