/** @file Optimizer steps: theta and its moments, what a batch does with them, alone or several in one run. */
import type { ThetaLayout } from "../model/index.js";
import type { Feed, Feeds, Program } from "../runtime/index.js";
import { stepNoise } from "../runtime/index.js";
import { collate, type MicroBatch } from "./collate.js";
import { afterOverflow, afterStep, FRESH_LOSS_SCALE, GROWTH_INTERVAL } from "./loss-scale.js";
import { notTaken } from "./not-taken.js";
import type { PairScore, PlannedStep, Precision, StepMetrics, StepOptions, TrainBatch } from "./policy.js";
import type { PolicyVectors } from "./policy-state.js";
import type { ProgramShelf } from "./program-shelf.js";
import { preferenceOutputs } from "./programs.js";
import { runStacked } from "./stacked-steps.js";
import { StepSums } from "./step-metrics.js";
import { hasNll, lossFeeds, needsReference, optimizerFeeds, rowFeeds, stepWeights, vectorFeed } from "./train-feeds.js";
import { refuseUnfitBatch } from "./unfit-batch.js";

const NEXT_VECTORS = ["next_theta", "next_m", "next_v"] as const;

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

export interface StepperOptions {
  readonly layout: ThetaLayout;
  /** Longest row that the model reads. */
  readonly context: number;
  readonly precision: Precision;
  /** Of LoRA's dropout; undefined where nothing is dropped. */
  readonly dropoutSeed: number | undefined;
  /** Whether the vectors cross a bus with each run. */
  readonly isFar: boolean;
}

/** The state that steps change. */
export interface TrainState {
  readonly vectors: PolicyVectors;
  /** Steps taken. */
  readonly step: number;
  /** Of float16; elsewhere it stays as it is and nothing reads it. */
  readonly lossScale: typeof FRESH_LOSS_SCALE;
}

/** Before the first step. */
export const freshState = (theta: Float32Array): TrainState => ({
  vectors: { theta, m: new Float32Array(theta.length), v: new Float32Array(theta.length) },
  step: 0,
  lossScale: FRESH_LOSS_SCALE,
});

export class Stepper {
  constructor(
    private readonly programs: ProgramShelf,
    private readonly options: StepperOptions,
    public state: TrainState,
  ) {}

  /**
   * One optimizer step over the whole batch. Nothing changes where loss or gradients are not finite; in float16, where
   * the gradients alone are not, the step is tried again with half the loss scale.
   */
  async trainStep(batch: TrainBatch, options: StepOptions, hooks: RunHooks): Promise<StepMetrics> {
    refuseUnfitBatch(batch, options, this.options.context);
    let scale = this.state.lossScale;
    for (let skipped = 0; ; skipped += 1) {
      const { metrics, result, error } = await this.tryStep(batch, options, scale.scale, hooks);
      if (isTaken(metrics)) {
        this.adopt(result, this.scalesLoss ? afterStep(scale) : scale);
        if (!this.scalesLoss) return metrics;
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
  async trainSteps(
    steps: readonly PlannedStep[],
    hooks: RunHooks,
    inOneRun = this.options.isFar,
  ): Promise<StepMetrics[]> {
    const before = this.state;
    const metrics: StepMetrics[] = [];
    try {
      while (metrics.length < steps.length) {
        if (inOneRun) metrics.push(...(await this.stackedSteps(steps.slice(metrics.length), hooks)));
        const next = steps[metrics.length];
        if (next !== undefined) metrics.push(await this.trainStep(next.batch, next.options, hooks));
      }
      return metrics;
    } catch (error) {
      this.state = before;
      throw error;
    }
  }

  /** Takes steps in one run until one is not finite, or the loss scale changes; gives the metrics of these. */
  private async stackedSteps(steps: readonly PlannedStep[], { betweenRuns }: RunHooks): Promise<StepMetrics[]> {
    const { dropoutSeed, context } = this.options;
    const { scale, goodSteps } = this.state.lossScale;
    const together = steps.slice(0, this.scalesLoss ? GROWTH_INTERVAL - goodSteps : steps.length);
    if (together.length < 2) return [];
    for (const { batch, options } of together) refuseUnfitBatch(batch, options, context);
    const program = await this.programs.steps((together[0] as PlannedStep).options.loss);
    await betweenRuns();
    const { metrics, vectors } = await runStacked(program, together, {
      vectors: this.state.vectors,
      step: this.state.step,
      lossScale: scale,
      ...(dropoutSeed !== undefined && { noise: (step, micro, count) => stepNoise(dropoutSeed, step, micro, count) }),
    });
    const lossScale = this.scalesLoss ? metrics.reduce(afterStep, this.state.lossScale) : this.state.lossScale;
    this.state = { vectors, step: this.state.step + metrics.length, lossScale };
    if (!this.scalesLoss) return [...metrics];
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
    let gradient: Feed = vectorFeed(new Float32Array(this.options.layout.length));
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

  private get scalesLoss(): boolean {
    return this.options.precision === "float16";
  }

  private trainFeeds(
    rows: MicroBatch,
    index: number,
    batch: TrainBatch,
    options: StepOptions,
    lossScale: number,
  ): Feeds {
    const { dropoutSeed } = this.options;
    const { vectors, step } = this.state;
    const noise = (seed: number): Feed => ({
      data: stepNoise(seed, step, index, rows.rows * rows.time),
      dims: [rows.rows, rows.time],
    });
    return {
      ...rowFeeds(rows),
      ...lossFeeds(rows, options, batch.reference),
      ...optimizerFeeds(options, step + 1, lossScale),
      ...(dropoutSeed !== undefined && { noise: noise(dropoutSeed) }),
      theta: vectorFeed(vectors.theta),
      m: vectorFeed(vectors.m),
      v: vectorFeed(vectors.v),
    };
  }

  private adopt(result: Readonly<Record<string, Feed>>, lossScale: TrainState["lossScale"]): void {
    const [theta, m, v] = NEXT_VECTORS.map((name) => result[name]?.data as Float32Array);
    this.state = { vectors: { theta, m, v } as PolicyVectors, step: this.state.step + 1, lossScale };
  }

  /** Runs the failed micro-batch once more for its gradient, to name the tensor. */
  private async nonFinite(program: Program, feeds: Feeds, metrics: StepMetrics): Promise<Error> {
    const { sum_gradient } = await program.run(feeds, ["sum_gradient"]);
    const gradient = (sum_gradient as Feed).data as Float32Array;
    const { layout, precision } = this.options;
    return notTaken(this.state.step + 1, metrics, { gradient, layout, precision });
  }
}

const isTaken = ({ loss = Number.NaN, grad_norm = Number.NaN }: StepMetrics): boolean =>
  Number.isFinite(loss) && Number.isFinite(grad_norm);
