/** @file The goldens of test/fixtures/families, and a decoder run that gives logits and gradients of weighted log-probabilities. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gradients } from "../../src/trainer/autodiff/index.js";
import {
  expectedTensors,
  openCheckpointDir,
  readSafetensorsHeader,
  readTensorFloat32,
} from "../../src/trainer/checkpoint/index.js";
import { GraphBuilder, type Value } from "../../src/trainer/graph/index.js";
import {
  decoder,
  headLogits,
  loraScale,
  openParameters,
  packedVisibility,
  rotaryAngles,
  type ThetaLayout,
  type TrainableSpec,
  thetaLayout,
} from "../../src/trainer/model/index.js";
import { initialTheta } from "../../src/trainer/run/initial-theta.js";
import { readTrained } from "../../src/trainer/run/trained-files.js";
import type { Feed } from "../../src/trainer/runtime/session.js";
import { floatsOf, runGraph } from "./program-runner.js";

const ROOT = fileURLToPath(new URL("../fixtures/families/", import.meta.url));
export const FAMILY_NAMES = ["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text"] as const;

interface Greedy {
  readonly prompt: number[];
  readonly tokens: number[];
}

export interface FamilyGolden {
  readonly ids: number[];
  readonly greedy: Greedy;
  readonly lora_greedy: Greedy;
  readonly pair: { readonly prompt: number[]; readonly chosen: number[]; readonly rejected: number[] };
  readonly pair_logps: { readonly chosen: number; readonly rejected: number };
}

const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(join(ROOT, ...path), "utf8"));

export function familyFolder(name: (typeof FAMILY_NAMES)[number]) {
  const folder = join(ROOT, name);
  return {
    model: join(folder, "model"),
    adapter: join(folder, "adapter"),
    golden: readJson(name, "golden.json") as FamilyGolden,
    /** config.json as transformers 5 and as transformers 4 write it. */
    spellings: [readJson(name, "model", "config.json"), readJson(name, "config.transformers4.json")] as const,
    /** A tensor of golden.safetensors. */
    async tensor(tensorName: string): Promise<Float32Array> {
      const { entries } = await readSafetensorsHeader(join(folder, "golden.safetensors"));
      const entry = entries.find((candidate) => candidate.name === tensorName);
      if (entry === undefined) throw new Error(`no golden tensor ${tensorName}`);
      return readTensorFloat32(entry);
    },
  };
}

/** One row of tokens; the loss is Σ weights[i] · log p(targets[i]) of the token at `from[i]`. */
export interface TestRow {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly branches: readonly number[];
  readonly from: readonly number[];
  readonly targets: readonly number[];
  readonly weights: readonly number[];
}

const range = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i);

/** A plain sequence whose loss is its mean NLL over all tokens but the first. */
export function plainRow(ids: readonly number[]): TestRow {
  const N = ids.length - 1;
  return {
    ids,
    positions: range(0, ids.length),
    branches: ids.map(() => 0),
    from: range(0, N),
    targets: ids.slice(1),
    weights: Array<number>(N).fill(-1 / N),
  };
}

/** Prompt, chosen and rejected in one row; the loss is mean log p of rejected minus that of chosen. */
export function sharedRow({ prompt, chosen, rejected }: FamilyGolden["pair"]): TestRow {
  const [P, C, R] = [prompt.length, chosen.length, rejected.length];
  return {
    ids: [...prompt, ...chosen, ...rejected],
    positions: [...range(0, P + C), ...range(P, R)],
    branches: [...Array<number>(P).fill(0), ...Array<number>(C).fill(1), ...Array<number>(R).fill(2)],
    from: [...range(P - 1, C), P - 1, ...range(P + C, R - 1)],
    targets: [...chosen, ...rejected],
    weights: [...Array<number>(C).fill(-1 / C), ...Array<number>(R).fill(1 / R)],
  };
}

/** Logits [time · vocabulary], log p of each target, gradient of the loss by theta. Without an adapter, LoRA's B is 0. */
export async function runRow(
  model: string,
  trainable: TrainableSpec,
  row: TestRow,
  adapter?: string,
): Promise<{ layout: ThetaLayout; logits: number[]; logps: number[]; gradient: Float32Array }> {
  const checkpoint = await openCheckpointDir(model);
  const { config } = checkpoint;
  const layout = thetaLayout(expectedTensors(config), config, trainable);
  const g = new GraphBuilder();
  const cell = (name: string): Value => g.input(name, "int32", ["batch", "time"]);
  const theta = g.input("theta", "float32", [layout.length]);
  const parameters = openParameters(g, checkpoint, layout, theta, loraScale(trainable));
  const [ids, positions, order] = [cell("ids"), cell("positions"), g.input("order", "int32", ["time"])];
  const visible = packedVisibility(g, cell("items"), cell("branches"), positions, order);
  const { hidden } = decoder(g, config, parameters, {
    ids,
    angles: rotaryAngles(g, config, positions, order, "float32"),
    visible,
  });
  const rows = g.gather(g.reshape(hidden, ["tokens", config.hiddenSize]), g.input("from", "int32", ["labels"]));
  const scores = headLogits(g, config, parameters, rows);
  const column = g.reshape(g.input("targets", "int32", ["labels"]), ["labels", 1]);
  const logps = g.sub(g.gatherElements(scores, column, -1), g.reduceLogSumExp(scores, [-1], true));
  const loss = g.sumAll(g.mul(g.input("weights", "float32", ["labels", 1]), logps));
  g.output("logits", headLogits(g, config, parameters, hidden));
  g.output("logps", logps);
  g.output("gradient", gradients(g, loss, [theta])[0] as Value);
  const [T, N] = [row.ids.length, row.from.length];
  const ints = (values: readonly number[], dims: readonly number[]): Feed => ({ data: Int32Array.from(values), dims });
  const values = adapter
    ? await readTrained(adapter, trainable, layout)
    : await initialTheta(checkpoint, layout, trainable, 0);
  const feeds = {
    ids: ints(row.ids, [1, T]),
    positions: ints(row.positions, [1, T]),
    items: ints(Array<number>(T).fill(0), [1, T]),
    branches: ints(row.branches, [1, T]),
    order: ints(range(0, T), [T]),
    from: ints(row.from, [N]),
    targets: ints(row.targets, [N]),
    weights: { data: Float32Array.from(row.weights), dims: [N, 1] },
    theta: { data: values, dims: [layout.length] },
  };
  const found = await runGraph(g.build(), feeds, ["logits", "logps", "gradient"], checkpoint.path);
  return {
    layout,
    logits: floatsOf(found["logits"]),
    logps: floatsOf(found["logps"]),
    gradient: (found["gradient"] as Feed).data as Float32Array,
  };
}
