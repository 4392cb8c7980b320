/** @file A policy of a few numbers: it "learns" deterministically from what it is given, and its checkpoints are real ones. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readVerified, writeDurably } from "../../src/trainer/checkpoint/index.js";
import type { PairScore, Policy, StepOptions, TrainBatch, Weights } from "../../src/trainer/run/policy.js";
import type { LabelledTokens, TokenizedPair } from "../../src/trainer/text/types.js";

export interface FakePolicy extends Policy {
  readonly batches: { readonly batch: TrainBatch; readonly options: StepOptions }[];
  readonly scored: { readonly pairs: readonly TokenizedPair[]; readonly weights: Weights }[];
  readonly theta: () => readonly number[];
}

export interface FakeOptions {
  readonly modelHash?: string;
  readonly seed?: number;
  /** Throws, as the engine does, at this step of the policy. */
  readonly failAt?: number;
  /** Called before each scoring. */
  readonly onScore?: (weights: Weights) => void;
}

const BASE = [0.5, -0.25];

const mass = (text: LabelledTokens): number =>
  text.ids.reduce((sum, id, i) => sum + id * (0.5 + (text.labels[i] ?? 0)), 0);

function scoreText(text: LabelledTokens, theta: readonly number[]): { sum: number; count: number } {
  const count = text.labels.reduce((a, b) => a + b, 0);
  return { sum: -count * (1 + 0.1 * Math.sin(mass(text) * (theta[0] as number) + (theta[1] as number))), count };
}

export function fakePolicy({ modelHash = "model-a", seed = 1, failAt, onScore }: FakeOptions = {}): FakePolicy {
  let state = { theta: [0.1 * seed, 0.2], m: [0, 0], reference: [0.1 * seed, 0.2], step: 0 };
  const batches: FakePolicy["batches"] = [];
  const scored: FakePolicy["scored"] = [];
  const scores = (pairs: readonly TokenizedPair[], theta: readonly number[]): PairScore[] =>
    pairs.map(({ chosen, rejected }) => ({ chosen: scoreText(chosen, theta), rejected: scoreText(rejected, theta) }));
  return {
    info: {
      model: "fake",
      modelHash,
      parameters: 2,
      trainedParameters: 2,
      device: "none",
      deviceReason: "fake",
      precision: "float32",
      precisionReason: "fake",
      sessionMs: 0,
      rolloutWeights: "float32",
      contextLength: 2048,
    },
    batches,
    scored,
    theta: () => state.theta,
    async trainStep(batch, options, signal) {
      signal?.throwIfAborted();
      if (state.step + 1 === failAt) throw new Error(`step ${failAt} was not taken: the loss is NaN.`);
      batches.push({ batch, options });
      const inputs = [
        ...batch.pairs.flatMap(({ chosen, rejected }) => [mass(chosen), -mass(rejected)]),
        ...batch.texts.map(mass),
        ...(batch.reference ?? []).flatMap(({ chosen, rejected }) => [chosen.sum, rejected.sum]),
      ];
      const gradient = state.theta.map((value, i) =>
        inputs.reduce((sum, x, j) => sum + Math.sin(x * value + i + j), 0),
      );
      const m = state.m.map((value, i) => 0.9 * value + 0.1 * (gradient[i] as number));
      state = {
        ...state,
        m,
        theta: state.theta.map((value, i) => value - options.learningRate * (m[i] as number)),
        step: state.step + 1,
      };
      const common = {
        loss: 1 + Math.sin(gradient[0] as number),
        grad_norm: Math.hypot(...gradient),
        learning_rate: options.learningRate,
      };
      return batch.pairs.length === 0 ? common : { ...common, "logps/chosen": -Math.abs(gradient[1] as number) };
    },
    async scorePairs(pairs, { weights = "current", signal } = {}) {
      onScore?.(weights);
      signal?.throwIfAborted();
      scored.push({ pairs, weights });
      return scores(pairs, weights === "current" ? state.theta : weights === "base" ? BASE : state.reference);
    },
    async markReference() {
      state = { ...state, reference: state.theta };
    },
    generate: async () => [],
    async saveCheckpoint(directory, trainerState) {
      const content = { "vectors.json": state, "trainer_state.json": trainerState };
      const write = async (staging: string): Promise<void> => {
        for (const [name, value] of Object.entries(content))
          await writeFile(join(staging, name), JSON.stringify(value));
      };
      await writeDurably(directory, [write], { baseModel: modelHash });
      return directory;
    },
    async loadCheckpoint(directory) {
      const { path } = await readVerified(directory);
      state = JSON.parse(await readFile(join(path, "vectors.json"), "utf8")) as typeof state;
      return JSON.parse(await readFile(join(path, "trainer_state.json"), "utf8")) as Record<string, unknown>;
    },
    async saveAdapter(directory) {
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "theta.json"), JSON.stringify(state.theta));
    },
    async loadAdapter(directory) {
      const theta = JSON.parse(await readFile(join(directory, "theta.json"), "utf8")) as number[];
      state = { ...state, theta, m: [0, 0], step: 0 };
    },
    async resetOptimizer() {
      state = { ...state, m: [0, 0], step: 0 };
    },
    stepCount: async () => state.step,
    close: async () => {},
  };
}
