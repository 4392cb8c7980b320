/** @file The policy inside the engine process: a checkpoint, its programs, and the state that steps change. */
import { availableParallelism } from "node:os";
import { type CheckpointDir, expectedTensors, openCheckpointDir } from "../checkpoint/index.js";
import type { GenerateHooks } from "../decode/index.js";
import { loraScale, type ThetaLayout, type TrainableSpec, thetaLayout } from "../model/index.js";
import type { Feed } from "../runtime/index.js";
import { type ChosenDevice, type ChosenPrecision, choosePrecision, resolveDevice } from "../runtime/index.js";
import type { LabelledTokens, TokenizedPair } from "../text/types.js";
import { collate, type MicroBatch, textLabelCount } from "./collate.js";
import { initialTheta } from "./initial-theta.js";
import { readLossScale, writeLossScale } from "./loss-scale.js";
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
import { readPolicyState, writePolicyState } from "./policy-state.js";
import { ProgramShelf } from "./program-shelf.js";
import { weightsFolder } from "./rollout-weights.js";
import { chooseRolloutWeights, Rollouts } from "./rollouts.js";
import { freshState, type RunHooks, Stepper } from "./stepper.js";
import { readScores, rowFeeds, SCORE_WEIGHTS, vectorFeed } from "./train-feeds.js";
import { readTrained, writeTrained } from "./trained-files.js";

/** Half of the logical cores: ONNX Runtime gains nothing from the second thread of a core. Two at least, if there are two. */
const defaultThreads = (): number =>
  Math.max(Math.min(2, availableParallelism()), Math.floor(availableParallelism() / 2));

/** Tokens scored in one run; scoring keeps no activations, so it may be more than a training step's. */
const SCORE_TOKENS = 4096;

/** Owns the sessions. All methods block the thread while ONNX Runtime works; that is why this lives in a process of its own. */
export class LocalPolicy {
  /** Until {@link markReference} takes another: the weights that the policy was opened with. */
  private reference: Float32Array;

  private constructor(
    private readonly options: PolicyOptions,
    private readonly checkpoint: CheckpointDir,
    private readonly layout: ThetaLayout,
    private readonly programs: ProgramShelf,
    private readonly stepper: Stepper,
    private readonly rollouts: Rollouts,
    /** The bare model: LoRA's B is zero, or all weights as the checkpoint has them. */
    private readonly base: Float32Array,
    private readonly modelHash: string,
    private readonly device: ChosenDevice,
    private readonly precision: ChosenPrecision,
  ) {
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
    const stepping = {
      layout,
      context: checkpoint.config.maxPositionEmbeddings,
      precision: precision.precision,
      dropoutSeed: loraDropout(trainable) > 0 ? options.seed : undefined,
      isFar: device.device === "cuda",
    };
    const stepper = new Stepper(programs, stepping, freshState(base));
    const rollouts = await Rollouts.open(programs, {
      policy: options,
      checkpoint,
      layout,
      loraScale: loraScale(trainable),
      weights: chooseRolloutWeights(options, precision.precision),
      precision: precision.precision,
    });
    const hash = await checkpoint.hash();
    return new LocalPolicy(options, checkpoint, layout, programs, stepper, rollouts, base, hash, device, precision);
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
      rolloutWeights: chooseRolloutWeights(this.options, this.precision.precision),
      adapters: this.rollouts.adapterNames,
      contextLength: this.checkpoint.config.maxPositionEmbeddings,
      sessionMs: this.programs.sessionMs,
      peakRssMb: process.resourceUsage().maxRSS / 1024,
    };
  }

  stepCount(): number {
    return this.stepper.state.step;
  }

  async trainStep(batch: TrainBatch, options: StepOptions, hooks: RunHooks): Promise<StepMetrics> {
    this.refuseIfFrozen();
    return this.stepper.trainStep(batch, options, hooks);
  }

  async trainSteps(steps: readonly PlannedStep[], hooks: RunHooks, inOneRun?: boolean): Promise<StepMetrics[]> {
    this.refuseIfFrozen();
    return this.stepper.trainSteps(steps, hooks, inOneRun);
  }

  private refuseIfFrozen(): void {
    if (this.options.trainable.kind !== "none") return;
    throw new Error("this model was opened to be sampled and scored; open it with a LoRA or all weights to train it");
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

  /** A run for each text: its log-probabilities come in the order of its tokens. */
  async scoreTexts(texts: readonly LabelledTokens[], weights: Weights, hooks: RunHooks): Promise<Float32Array[]> {
    const program = await this.programs.score();
    const theta = vectorFeed(this.thetaOf(weights));
    const scores: Float32Array[] = [];
    for (const text of texts) {
      await hooks.betweenRuns();
      const [row] = collate([], [text], { ...SCORE_WEIGHTS, text: 1 }, SCORE_TOKENS) as [MicroBatch];
      const { logps } = await program.run({ ...rowFeeds(row), theta }, ["logps"]);
      scores.push(((logps as Feed).data as Float32Array).slice(0, textLabelCount(text)));
      hooks.onFinished?.(1);
    }
    return scores;
  }

  markReference(): void {
    this.reference = this.stepper.state.vectors.theta;
  }

  async generate(
    requests: readonly GenerateRequest[],
    options: SamplingOptions,
    hooks: GenerateHooks,
  ): Promise<Generation[]> {
    const trained = { current: this.thetaOf("current"), base: this.base };
    return this.rollouts.generate(trained, requests, options, hooks);
  }

  async saveCheckpoint(directory: string, state: Readonly<Record<string, unknown>>): Promise<string> {
    const { vectors, step, lossScale } = this.stepper.state;
    const scale = this.precision.precision === "float16" ? { loss_scale: writeLossScale(lossScale) } : {};
    await writePolicyState(directory, {
      identity: this.identity(),
      vectors: this.reference === this.base ? vectors : { ...vectors, reference: this.reference },
      state: { ...state, global_step: step, ...scale },
      writeTrained: (staging) => this.writeTrained(staging, vectors.theta),
    });
    return directory;
  }

  /** Refuses a checkpoint of another base model or layout before it reads any vector. */
  async loadCheckpoint(directory: string): Promise<Readonly<Record<string, unknown>>> {
    const { vectors, state } = await readPolicyState(directory, this.identity(), this.layout.length);
    const { reference = this.base, ...own } = vectors;
    this.reference = reference;
    this.stepper.state = { vectors: own, step: state.global_step, lossScale: readLossScale(state["loss_scale"]) };
    return state;
  }

  /** A PEFT adapter directory where LoRA is trained, a model directory otherwise. */
  async saveAdapter(directory: string): Promise<void> {
    await this.writeTrained(directory, this.stepper.state.vectors.theta);
  }

  /** Takes over the matrices of a PEFT adapter; throws where rank or targets differ, naming them. */
  async loadAdapter(directory: string): Promise<void> {
    this.stepper.state = freshState(await readTrained(directory, this.options.trainable, this.layout));
  }

  resetOptimizer(): void {
    this.stepper.state = freshState(this.stepper.state.vectors.theta);
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
    const drops = loraDropout(trainable) > 0;
    return { baseModel: this.modelHash, trainable, parameters: this.layout.length, ...(drops && { seed }) };
  }

  private thetaOf(weights: Weights): Float32Array {
    return { current: this.stepper.state.vectors.theta, reference: this.reference, base: this.base }[weights];
  }
}

const loraDropout = (trainable: TrainableSpec): number =>
  trainable.kind === "lora" ? (trainable.loraDropout ?? 0) : 0;
