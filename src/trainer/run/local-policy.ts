/** @file The policy inside the engine process: theta and its moments, and what a step does with them. */
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { type CheckpointDir, expectedTensors, openCheckpointDir } from "../checkpoint/index.js";
import { loraScale, type ThetaLayout, type TrainableSpec, thetaLayout } from "../model/index.js";
import type { TokenizedPair } from "../text/types.js";
import { collate, type MicroBatch } from "./collate.js";
import { type ChosenDevice, resolveDevice } from "./device.js";
import { type GeneratorHooks, generate } from "./generator.js";
import { initialTheta } from "./initial-theta.js";
import {
  afterOverflow,
  afterStep,
  FRESH_LOSS_SCALE,
  GROWTH_INTERVAL,
  readLossScale,
  writeLossScale,
} from "./loss-scale.js";
import { notTaken } from "./not-taken.js";
import type {
  GenerateRequest,
  Generation,
  PairScore,
  PlannedStep,
  PolicyInfo,
  PolicyOptions,
  SamplingOptions,
  StepMetrics,
  StepOptions,
  TrainBatch,
  Weights,
} from "./policy.js";
import { type PolicyVectors, readPolicyState, writePolicyState } from "./policy-state.js";
import { type ChosenPrecision, choosePrecision } from "./precision.js";
import { ProgramShelf } from "./program-shelf.js";
import { preferenceOutputs } from "./programs.js";
import { stepNoise } from "./random.js";
import type { Feed, Feeds, Program } from "./session.js";
import { runStacked } from "./stacked-steps.js";
import { StepSums } from "./step-metrics.js";
import {
  hasNll,
  lossFeeds,
  needsReference,
  optimizerFeeds,
  readScores,
  rowFeeds,
  SCORE_WEIGHTS,
  stepWeights,
  vectorFeed,
} from "./train-feeds.js";
import { readTrained, writeTrained } from "./trained-files.js";
import { refuseUnfitBatch } from "./unfit-batch.js";

const NEXT_VECTORS = ["next_theta", "next_m", "next_v"] as const;

/** Half of the logical cores: ONNX Runtime gains nothing from the second thread of a core. Two at least, if there are two. */
export const defaultThreads = (): number =>
  Math.max(Math.min(2, availableParallelism()), Math.floor(availableParallelism() / 2));

/** Tokens scored in one run; scoring keeps no activations, so it may be more than a training step's. */
const SCORE_TOKENS = 4096;

/** What a long call does between two runs; a rejected promise ends the call, and nothing has changed. */
export interface RunHooks {
  readonly betweenRuns: () => Promise<void>;
  readonly onFinished?: (count: number) => void;
}

interface TriedStep {
  readonly metrics: StepMetrics;
  /** Of the last micro-batch. */
  readonly result: Readonly<Record<string, Feed>>;
  /** What to throw where the step cannot be taken. */
  readonly error: () => Promise<Error>;
}

/** Owns the sessions. All methods block the thread while ONNX Runtime works; that is why this lives in a process of its own. */
export class LocalPolicy {
  private vectors: PolicyVectors;
  /** Until {@link markReference} takes another: the weights that the policy was opened with. */
  private reference: Float32Array;
  private step = 0;
  /** Of float16; elsewhere it stays as it is and nothing reads it. */
  private lossScale = FRESH_LOSS_SCALE;

  private constructor(
    private readonly options: PolicyOptions,
    private readonly checkpoint: CheckpointDir,
    private readonly layout: ThetaLayout,
    private readonly programs: ProgramShelf,
    /** The bare model: LoRA's B is zero, or all weights as the checkpoint has them. */
    private readonly base: Float32Array,
    private readonly modelHash: string,
    private readonly device: ChosenDevice,
    private readonly precision: ChosenPrecision,
  ) {
    this.vectors = freshVectors(base);
    this.reference = base;
  }

  static async open(options: PolicyOptions): Promise<LocalPolicy> {
    const checkpoint = await openCheckpointDir(options.model);
    const { trainable } = options;
    const device = await resolveDevice(options.device);
    const precision = choosePrecision(options.precision, device.device, checkpoint.tensors);
    const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, trainable);
    const base = await initialTheta(checkpoint, layout, trainable, options.seed);
    const programs = new ProgramShelf(
      { checkpoint, layout, loraScale: loraScale(trainable), computeDtype: precision.precision },
      {
        gradientCheckpointing: options.gradientCheckpointing ?? false,
        loraDropout: loraDropout(trainable),
      },
      {
        weightsFolder: weightsFolder(checkpoint),
        threads: options.threads ?? defaultThreads(),
        device: device.device,
      },
    );
    return new LocalPolicy(options, checkpoint, layout, programs, base, await checkpoint.hash(), device, precision);
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
      device: this.device.device,
      deviceReason: this.device.reason,
      precision: this.precision.precision,
      precisionReason: this.precision.reason,
      sessionMs: this.programs.sessionMs,
      peakRssMb: process.resourceUsage().maxRSS / 1024,
    };
  }

  stepCount(): number {
    return this.step;
  }

  /**
   * One optimizer step over the whole batch. Nothing changes where loss or gradients are not finite; in float16, where
   * the gradients alone are not, the step is tried again with half the loss scale.
   */
  async trainStep(batch: TrainBatch, options: StepOptions, hooks: RunHooks): Promise<StepMetrics> {
    refuseUnfitBatch(batch, options, this.checkpoint.config.maxPositionEmbeddings);
    let scale = this.lossScale;
    for (let skipped = 0; ; skipped += 1) {
      const { metrics, result, error } = await this.tryStep(batch, options, scale.scale, hooks);
      if (isTaken(metrics)) {
        this.adopt(result);
        if (!this.scalesLoss) return metrics;
        this.lossScale = afterStep(scale);
        return { ...metrics, loss_scale: scale.scale, skipped_steps: skipped };
      }
      const smaller = this.scalesLoss && Number.isFinite(metrics["loss"]) ? afterOverflow(scale) : undefined;
      if (smaller === undefined) throw await error();
      scale = smaller;
    }
  }

  /**
   * The same steps as one call of {@link trainStep} each. Where they go to the device in one run, a step that is not
   * finite ends the run before it and is taken by itself. All or none: an error leaves everything as it was.
   */
  async trainSteps(steps: readonly PlannedStep[], hooks: RunHooks, inOneRun = this.isFar): Promise<StepMetrics[]> {
    const before = { vectors: this.vectors, step: this.step, lossScale: this.lossScale };
    const metrics: StepMetrics[] = [];
    try {
      while (metrics.length < steps.length) {
        if (inOneRun) metrics.push(...(await this.stackedSteps(steps.slice(metrics.length), hooks)));
        const next = steps[metrics.length];
        if (next !== undefined) metrics.push(await this.trainStep(next.batch, next.options, hooks));
      }
      return metrics;
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  }

  /** Takes steps in one run until one is not finite, or the loss scale changes; gives the metrics of these. */
  private async stackedSteps(steps: readonly PlannedStep[], { betweenRuns }: RunHooks): Promise<StepMetrics[]> {
    const { scale, goodSteps } = this.lossScale;
    const together = steps.slice(0, this.scalesLoss ? GROWTH_INTERVAL - goodSteps : steps.length);
    if (together.length < 2) return [];
    for (const { batch, options } of together)
      refuseUnfitBatch(batch, options, this.checkpoint.config.maxPositionEmbeddings);
    const program = await this.programs.steps((together[0] as PlannedStep).options.loss);
    await betweenRuns();
    const { metrics, vectors } = await runStacked(program, together, {
      vectors: this.vectors,
      step: this.step,
      lossScale: scale,
      ...(this.drops && { noise: (step, micro, count) => stepNoise(this.options.seed, step, micro, count) }),
    });
    this.vectors = vectors;
    this.step += metrics.length;
    if (!this.scalesLoss) return [...metrics];
    for (const _ of metrics) this.lossScale = afterStep(this.lossScale);
    return metrics.map((values) => ({ ...values, loss_scale: scale, skipped_steps: 0 }));
  }

  /** Runs a step and changes nothing. */
  private async tryStep(
    batch: TrainBatch,
    options: StepOptions,
    lossScale: number,
    { betweenRuns }: RunHooks,
  ): Promise<TriedStep> {
    const program = await this.programs.train(options.loss);
    const micro = collate(batch.pairs, batch.texts, stepWeights(batch, options), options.maxTokens);
    const outputs = ["loss", ...(hasNll(batch, options) ? ["nll"] : []), ...preferenceOutputs(options.loss)];
    const sums = new StepSums();
    let gradient: Feed = vectorFeed(new Float32Array(this.layout.length));
    for (const [i, rows] of micro.entries()) {
      await betweenRuns();
      const isLast = i === micro.length - 1;
      const feeds = { ...this.trainFeeds(rows, i, batch, options, lossScale), gradient };
      const result = await program.run(feeds, [
        ...outputs,
        ...(isLast ? ["grad_norm", ...NEXT_VECTORS] : ["sum_gradient"]),
      ]);
      sums.add(
        result,
        needsReference(options.loss) ? rows.pairs.map((pair) => batch.reference?.[pair] as PairScore) : [],
      );
      if (!isLast) {
        gradient = result["sum_gradient"] as Feed;
        continue;
      }
      const metrics = sums.metrics(options);
      return { metrics, result, error: () => this.nonFinite(program, feeds, metrics) };
    }
    throw new Error("internal: an empty batch");
  }

  /** Sums of log-probabilities of both replies of each pair. */
  async scorePairs(pairs: readonly TokenizedPair[], weights: Weights, hooks: RunHooks): Promise<PairScore[]> {
    if (pairs.length === 0) return [];
    const program = await this.programs.score();
    const theta = vectorFeed(this.thetaOf(weights));
    const scores: PairScore[] = [];
    for (const rows of collate(pairs, [], SCORE_WEIGHTS, SCORE_TOKENS)) {
      await hooks.betweenRuns();
      const { logps } = await program.run({ ...rowFeeds(rows), theta }, ["logps"]);
      readScores(rows, (logps as Feed).data as Float32Array, pairs, scores);
      hooks.onFinished?.(rows.pairs.length);
    }
    return scores;
  }

  markReference(): void {
    this.reference = this.vectors.theta;
  }

  async generate(
    requests: readonly GenerateRequest[],
    options: SamplingOptions,
    hooks: GeneratorHooks,
  ): Promise<Generation[]> {
    const program = await this.programs.generate();
    const theta = this.thetaOf(options.adapter === "off" ? "base" : "current");
    return generate(program, this.checkpoint.config, theta, requests, options, hooks);
  }

  async saveCheckpoint(directory: string, state: Readonly<Record<string, unknown>>): Promise<string> {
    const { theta } = this.vectors;
    await writePolicyState(directory, {
      identity: this.identity(),
      vectors: this.reference === this.base ? this.vectors : { ...this.vectors, reference: this.reference },
      state: {
        ...state,
        global_step: this.step,
        ...(this.scalesLoss && { loss_scale: writeLossScale(this.lossScale) }),
      },
      writeTrained: (staging) => this.writeTrained(staging, theta),
    });
    return directory;
  }

  /** Refuses a checkpoint of another base model or layout before it reads any vector. */
  async loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>> {
    const { vectors, state } = await readPolicyState(directory, this.identity(), this.layout.length);
    const { reference = this.base, ...own } = vectors;
    this.vectors = own;
    this.reference = reference;
    this.step = state.global_step;
    this.lossScale = readLossScale(state["loss_scale"]);
    return state;
  }

  /** A PEFT adapter directory where LoRA is trained, a model directory otherwise. */
  async saveAdapter(directory: string): Promise<void> {
    await this.writeTrained(directory, this.vectors.theta);
  }

  /** Takes over the matrices of a PEFT adapter; throws where rank or targets differ, naming them. */
  async loadAdapter(directory: string): Promise<void> {
    this.vectors = freshVectors(await readTrained(directory, this.options.trainable, this.layout));
    this.step = 0;
    this.lossScale = FRESH_LOSS_SCALE;
  }

  async close(): Promise<void> {
    await this.programs.dispose();
  }

  private writeTrained(directory: string, theta: Float32Array): Promise<void> {
    const { trainable, tokenizer, baseModel } = this.options;
    return writeTrained(directory, this.checkpoint, trainable, this.layout, theta, {
      ...(tokenizer !== undefined && { tokenizer }),
      ...(baseModel !== undefined && { baseModel }),
    });
  }

  private identity() {
    const { trainable, seed } = this.options;
    // Without dropout the seed is spent once the first theta is made.
    return { baseModel: this.modelHash, trainable, parameters: this.layout.length, ...(this.drops && { seed }) };
  }

  /** Vectors of theta's length cross a bus with each run. */
  private get isFar(): boolean {
    return this.device.device === "cuda";
  }

  private get scalesLoss(): boolean {
    return this.precision.precision === "float16";
  }

  private get drops(): boolean {
    return loraDropout(this.options.trainable) > 0;
  }

  private thetaOf(weights: Weights): Float32Array {
    return { current: this.vectors.theta, reference: this.reference, base: this.base }[weights];
  }

  private trainFeeds(
    rows: MicroBatch,
    index: number,
    batch: TrainBatch,
    options: StepOptions,
    lossScale: number,
  ): Feeds {
    const { theta, m, v } = this.vectors;
    const noise = (): Feed => ({
      data: stepNoise(this.options.seed, this.step, index, rows.rows * rows.time),
      dims: [rows.rows, rows.time],
    });
    return {
      ...rowFeeds(rows),
      ...lossFeeds(rows, options, batch.reference),
      ...optimizerFeeds(options, this.step + 1, lossScale),
      ...(this.drops && { noise: noise() }),
      theta: vectorFeed(theta),
      m: vectorFeed(m),
      v: vectorFeed(v),
    };
  }

  private adopt(result: Readonly<Record<string, Feed>>): void {
    const [theta, m, v] = NEXT_VECTORS.map((name) => result[name]?.data as Float32Array);
    this.vectors = { theta, m, v } as PolicyVectors;
    this.step += 1;
  }

  /** Runs the failed micro-batch once more for its gradient, to name the tensor. */
  private async nonFinite(program: Program, feeds: Feeds, metrics: StepMetrics): Promise<Error> {
    const { sum_gradient } = await program.run(feeds, ["sum_gradient"]);
    const gradient = (sum_gradient as Feed).data as Float32Array;
    return notTaken(this.step + 1, metrics, { gradient, layout: this.layout, precision: this.precision.precision });
  }
}

const loraDropout = (trainable: TrainableSpec): number =>
  trainable.kind === "lora" ? (trainable.loraDropout ?? 0) : 0;

const freshVectors = (theta: Float32Array): PolicyVectors => ({
  theta,
  m: new Float32Array(theta.length),
  v: new Float32Array(theta.length),
});

const isTaken = ({ loss = Number.NaN, grad_norm = Number.NaN }: StepMetrics): boolean =>
  Number.isFinite(loss) && Number.isFinite(grad_norm);

/** The graph points into the weight files by name, below the one folder that holds them. */
function weightsFolder({ path, tensors }: CheckpointDir): string {
  const [first] = tensors.values();
  return first === undefined ? path : dirname(first.file);
}
