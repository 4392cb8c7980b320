/** @file Optimizer steps over rows: which rows make a step, in which order, and how far the passes have come. */
import type { Policy, StepMetrics, StepOptions, TrainBatch } from "../run/policy.js";
import { createRng } from "../text/index.js";

export interface StepPlan<T> {
  readonly rows: readonly T[];
  /** Rows of one optimizer step; the last step of a pass takes what is left. */
  readonly rowsPerStep: number;
  readonly totalSteps: number;
  /** Steps that were taken before; default 0. */
  readonly taken?: number;
  /** Every pass has an order of its own, which depends on nothing else. */
  readonly seed: number;
  /** What the policy gets for the rows of step 0, 1, … */
  batch(rows: readonly T[], index: number): TrainBatch | Promise<TrainBatch>;
  options(index: number): StepOptions;
}

export interface TakenStep<T> {
  /** Of this plan, from 0. */
  readonly index: number;
  readonly rows: readonly T[];
  readonly metrics: StepMetrics;
}

export const stepsPerEpoch = (rows: number, rowsPerStep: number): number => Math.ceil(rows / rowsPerStep);

/** Where a plan stands after so many steps: rows of the present pass that have been used, and passes by rows. */
export function cursorAfter(steps: number, rows: number, rowsPerStep: number) {
  const perEpoch = stepsPerEpoch(rows, rowsPerStep);
  const pass = Math.floor(steps / perEpoch);
  const used = (steps % perEpoch) * rowsPerStep;
  return { pass, used, epoch: (pass * rows + used) / rows };
}

/** Yields after each step that was taken. The policy's state is that step's when it is yielded. */
export async function* optimizerSteps<T>(
  policy: Pick<Policy, "trainStep">,
  plan: StepPlan<T>,
  signal?: AbortSignal,
): AsyncGenerator<TakenStep<T>> {
  const { rows, rowsPerStep, seed } = plan;
  const perEpoch = stepsPerEpoch(rows.length, rowsPerStep);
  let pass = -1;
  let order: readonly T[] = [];
  for (let index = plan.taken ?? 0; index < plan.totalSteps; index++) {
    signal?.throwIfAborted();
    const at = index % perEpoch;
    if (pass !== Math.floor(index / perEpoch)) {
      pass = Math.floor(index / perEpoch);
      order = createRng(seed, "epoch", pass).shuffle(rows);
    }
    const chosen = order.slice(at * rowsPerStep, (at + 1) * rowsPerStep);
    const batch = await plan.batch(chosen, index);
    const metrics = await policy.trainStep(batch, plan.options(index), signal);
    yield { index, rows: chosen, metrics };
  }
}
