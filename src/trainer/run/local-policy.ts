/** @file The policy inside the engine process: sessions, theta and its moments, and what a step does with them. */
import { readFile, realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  type CheckpointDir,
  expectedTensors,
  openCheckpointDir,
  readVerified,
  writeDurably,
} from "../checkpoint/index.js";
import { loraScale, type ThetaLayout, thetaLayout } from "../model/index.js";
import { adamScalars } from "../optim/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";
import { collate, type MicroBatch, nllLabelCount, textLabelCount } from "./collate.js";
import { type GeneratorHooks, generate } from "./generator.js";
import { adapterOff, initialTheta } from "./initial-theta.js";
import type {
  GenerateRequest,
  Generation,
  PairScore,
  PolicyInfo,
  PolicyOptions,
  SamplingOptions,
  StepMetrics,
  StepOptions,
  TrainBatch,
} from "./policy.js";
import { generateProgram, type ProgramSource, scoreProgram, trainProgram } from "./programs.js";
import { type Feed, type Feeds, openSession, type Program } from "./session.js";
import { StepSums } from "./step-metrics.js";
import { readTrained, readVectors, writeTrained, writeVectors } from "./trained-files.js";

const PREFERENCE_OUTPUTS = ["chosen", "rejected", "log_odds", "log_sigmoid_odds"] as const;
const NEXT_VECTORS = ["next_theta", "next_m", "next_v"] as const;
const VECTORS = ["theta", "m", "v"] as const;

/** Half of the logical cores: ONNX Runtime gains nothing from the second thread of a core. Two at least, if there are two. */
export const defaultThreads = (): number =>
  Math.max(Math.min(2, availableParallelism()), Math.floor(availableParallelism() / 2));

/** Tokens scored in one run; scoring keeps no activations, so it may be more than a training step's. */
const SCORE_TOKENS = 4096;

type ProgramName = "train-sft" | "train-orpo" | "score" | "generate";

/** Owns the sessions. All methods block the thread while ONNX Runtime works; that is why this lives in a process of its own. */
export class LocalPolicy {
  private readonly programs = new Map<ProgramName, Program>();
  private m: Float32Array;
  private v: Float32Array;
  private step = 0;
  private sessionMs = 0;

  private constructor(
    private readonly options: PolicyOptions,
    private readonly checkpoint: CheckpointDir,
    private readonly weightsFolder: string,
    private readonly layout: ThetaLayout,
    private theta: Float32Array,
    private readonly modelHash: string,
  ) {
    this.m = new Float32Array(layout.length);
    this.v = new Float32Array(layout.length);
  }

  static async open(options: PolicyOptions): Promise<LocalPolicy> {
    const checkpoint = await openCheckpointDir(options.model);
    const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, options.trainable);
    const theta = await initialTheta(checkpoint, layout, options.trainable, options.seed);
    // The graph points into the weight files by name; ONNX Runtime refuses a folder that is reached by a link.
    const folder = await realpath(checkpoint.path);
    return new LocalPolicy(options, checkpoint, folder, layout, theta, await checkpoint.hash());
  }

  info(): PolicyInfo {
    const parameters = expectedTensors(this.checkpoint.config).reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    return {
      model: this.options.model,
      modelHash: this.modelHash,
      parameters,
      trainedParameters: this.layout.length,
      device: "cpu",
      sessionMs: this.sessionMs,
    };
  }

  stepCount(): number {
    return this.step;
  }

  /** One optimizer step over the whole batch. Nothing changes where loss or gradients are not finite. */
  async trainStep(batch: TrainBatch, options: StepOptions): Promise<StepMetrics> {
    const preference = options.loss === "orpo";
    if (preference && batch.pairs.length === 0) throw new Error("an ORPO step needs at least one pair; none was given");
    const program = await this.program(preference ? "train-orpo" : "train-sft");
    const micro = collate(batch.pairs, batch.texts, stepWeights(batch, options), options.maxTokens);
    const outputs = ["loss", "nll", "sum_gradient", ...(preference ? PREFERENCE_OUTPUTS : [])];
    const sums = new StepSums();
    let gradient: Feed = this.vector(new Float32Array(this.layout.length));
    for (const rows of micro.slice(0, -1)) {
      const result = await program.run({ ...this.trainFeeds(rows, options), gradient }, outputs);
      sums.add(result);
      gradient = result["sum_gradient"] as Feed;
    }
    const feeds = { ...this.trainFeeds(micro.at(-1) as MicroBatch, options), gradient };
    const result = await program.run(feeds, [...outputs, "grad_norm", ...NEXT_VECTORS]);
    sums.add(result);
    const metrics = sums.metrics(options);
    this.refuseNonFinite(metrics, result["sum_gradient"]?.data as Float32Array);
    this.adopt(result);
    return metrics;
  }

  /** Sums of log-probabilities of both replies of each pair. */
  async scorePairs(pairs: readonly TokenizedPair[]): Promise<PairScore[]> {
    if (pairs.length === 0) return [];
    const program = await this.program("score");
    const scores: PairScore[] = [];
    const weights = { text: 0, pairNll: 0, nllOver: "chosen", pair: 0 } as const;
    for (const rows of collate(pairs, [], weights, SCORE_TOKENS)) {
      const { logps } = await program.run({ ...rowFeeds(rows), theta: this.vector(this.theta) }, ["logps"]);
      sumByReply(rows, (logps as Feed).data as Float32Array, pairs, scores);
    }
    return scores;
  }

  async generate(
    requests: readonly GenerateRequest[],
    options: SamplingOptions,
    hooks: GeneratorHooks,
  ): Promise<Generation[]> {
    const program = await this.program("generate");
    const theta = options.adapter === "off" ? adapterOff(this.layout, this.theta) : this.theta;
    return generate(program, this.checkpoint.config, theta, requests, options, hooks);
  }

  async saveCheckpoint(directory: string, extra: Readonly<Record<string, unknown>>): Promise<string> {
    const vectors = { theta: this.theta, m: this.m, v: this.v };
    const state = { global_step: this.step, extra };
    await writeDurably(
      directory,
      [
        (staging) => writeTrained(staging, this.checkpoint, this.options.trainable, this.layout, this.theta),
        (staging) => writeVectors(staging, vectors, state),
      ],
      this.identity(),
    );
    return directory;
  }

  /** Refuses a checkpoint of another base model or layout before it reads any vector. */
  async loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>> {
    const { path, identity } = await readVerified(directory);
    const mine = this.identity();
    const differences = Object.entries(mine).filter(
      ([key, value]) => JSON.stringify(identity[key]) !== JSON.stringify(value),
    );
    if (differences.length > 0) {
      const list = differences.map(
        ([key, value]) => `${key}: expected ${JSON.stringify(value)}, found ${JSON.stringify(identity[key])}`,
      );
      throw new Error(
        `${directory} belongs to another model or training set-up:\n  - ${list.join("\n  - ")}\nOpen the policy as it was then, or start anew.`,
      );
    }
    const vectors = await readVectors(path, VECTORS, this.layout.length);
    const state = JSON.parse(await readFile(join(path, "trainer_state.json"), "utf8")) as {
      global_step: number;
      extra: Record<string, unknown>;
    };
    this.theta = vectors.theta;
    this.m = vectors.m;
    this.v = vectors.v;
    this.step = state.global_step;
    return state.extra;
  }

  /** A PEFT adapter directory where LoRA is trained, a model directory otherwise. */
  async saveAdapter(directory: string): Promise<void> {
    await writeTrained(directory, this.checkpoint, this.options.trainable, this.layout, this.theta);
  }

  /** Takes over the matrices of a PEFT adapter; throws where rank or targets differ, naming them. */
  async loadAdapter(directory: string): Promise<void> {
    this.theta = await readTrained(directory, this.options.trainable, this.layout);
    this.m = new Float32Array(this.layout.length);
    this.v = new Float32Array(this.layout.length);
    this.step = 0;
  }

  async close(): Promise<void> {
    for (const program of this.programs.values()) await program.dispose();
    this.programs.clear();
  }

  private identity() {
    const { trainable } = this.options;
    return { baseModel: this.modelHash, trainable, parameters: this.layout.length };
  }

  private async program(name: ProgramName): Promise<Program> {
    const open = this.programs.get(name);
    if (open !== undefined) return open;
    const started = performance.now();
    const source: ProgramSource = {
      checkpoint: this.checkpoint,
      layout: this.layout,
      loraScale: loraScale(this.options.trainable),
    };
    const graph =
      name === "score"
        ? scoreProgram(source)
        : name === "generate"
          ? generateProgram(source)
          : trainProgram(source, name === "train-sft" ? "sft" : "orpo");
    const threads = this.options.threads ?? defaultThreads();
    const program = await openSession(graph, name, { weightsFolder: this.weightsFolder, threads });
    this.sessionMs += performance.now() - started;
    this.programs.set(name, program);
    return program;
  }

  private vector(data: Float32Array): Feed {
    return { data, dims: [data.length] };
  }

  private trainFeeds(rows: MicroBatch, options: StepOptions): Feeds {
    const N = rows.targets.length;
    const P = rows.pairs.length;
    const scalar = (value: number): Feed => ({ data: new Float32Array([value]), dims: [] });
    const { stepSize, rootBias2, decay } = adamScalars(options.learningRate, options.weightDecay, this.step + 1);
    return {
      ...rowFeeds(rows),
      theta: this.vector(this.theta),
      m: this.vector(this.m),
      v: this.vector(this.v),
      nll_weights: { data: rows.nllWeights, dims: [N] },
      chosen_weights: { data: rows.chosenWeights, dims: [P, N] },
      rejected_weights: { data: rows.rejectedWeights, dims: [P, N] },
      pair_weights: { data: rows.pairWeights, dims: [P] },
      beta: scalar(options.beta),
      max_grad_norm: scalar(options.maxGradNorm),
      step_size: scalar(stepSize),
      root_bias2: scalar(rootBias2),
      decay: scalar(decay),
    };
  }

  private adopt(result: Readonly<Record<string, Feed>>): void {
    this.theta = result["next_theta"]?.data as Float32Array;
    this.m = result["next_m"]?.data as Float32Array;
    this.v = result["next_v"]?.data as Float32Array;
    this.step += 1;
  }

  private refuseNonFinite({ loss = Number.NaN, grad_norm = Number.NaN }: StepMetrics, gradient: Float32Array): void {
    if (Number.isFinite(loss) && Number.isFinite(grad_norm)) return;
    const bad = gradient.findIndex((value) => !Number.isFinite(value));
    const where = this.layout.entries.find(({ offset, size }) => bad >= offset && bad < offset + size);
    const what = where === undefined ? `the loss is ${loss}` : `the gradient of ${where.name} is ${gradient[bad]}`;
    throw new Error(
      `step ${this.step + 1} was not taken: ${what}. Lower the learning rate, or continue from the last checkpoint.`,
    );
  }
}

/** Means over the whole step: NLL by tokens, preference terms by pairs, texts by their own tokens. */
function stepWeights(batch: TrainBatch, options: StepOptions) {
  const pairLabels = batch.pairs.reduce((sum, pair) => sum + nllLabelCount(pair, options.nllOver), 0);
  const textLabels = batch.texts.reduce((sum, text: LabelledTokens) => sum + textLabelCount(text), 0);
  return {
    text: textLabels === 0 ? 0 : options.textWeight / textLabels,
    pairNll: pairLabels === 0 ? 0 : 1 / pairLabels,
    nllOver: options.nllOver,
    pair: batch.pairs.length === 0 ? 0 : 1 / batch.pairs.length,
  };
}

function rowFeeds(rows: MicroBatch): Feeds {
  const cells = (data: Int32Array): Feed => ({ data, dims: [rows.rows, rows.time] });
  return {
    ids: cells(rows.ids),
    positions: cells(rows.positions),
    items: cells(rows.items),
    branches: cells(rows.branches),
    order: { data: Int32Array.from({ length: rows.time }, (_, i) => i), dims: [rows.time] },
    label_rows: { data: rows.labelRows, dims: [rows.labelRows.length] },
    targets: { data: rows.targets, dims: [rows.targets.length] },
  };
}

function sumByReply(rows: MicroBatch, logps: Float32Array, pairs: readonly TokenizedPair[], scores: PairScore[]): void {
  const N = rows.targets.length;
  rows.pairs.forEach((index, p) => {
    const pair = pairs[index] as TokenizedPair;
    const side = (weights: Float32Array, labels: Uint8Array) => {
      let sum = 0;
      for (let n = 0; n < N; n += 1) if (weights[p * N + n] !== 0) sum += logps[n] as number;
      return { sum, count: labels.reduce((a, b) => a + b, 0) };
    };
    scores[index] = {
      chosen: side(rows.chosenWeights, pair.chosen.labels),
      rejected: side(rows.rejectedWeights, pair.rejected.labels),
    };
  });
}
