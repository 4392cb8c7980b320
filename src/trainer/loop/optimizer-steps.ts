/** @file Optimizer steps over rows: which rows make a step, in which order, and how far the passes have come. */
import type { PlannedStep, Policy, StepMetrics, StepOptions, TrainBatch } from "../run/policy.js";
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
  /** How many steps from this one on nobody needs to look between; default 1. */
  together?(index: number): number;
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

/**
 * Yields after each step that was taken. When the last one of those that are taken together is yielded, the policy's
 * state is that step's.
 */
export async function* optimizerSteps<T>(
  policy: Pick<Policy, "trainStep" | "trainSteps">,
  plan: StepPlan<T>,
  signal?: AbortSignal,
): AsyncGenerator<TakenStep<T>> {
  const rowsOf = rowsByStep(plan);
  for (let index = plan.taken ?? 0; index < plan.totalSteps; ) {
    signal?.throwIfAborted();
    const count = policy.trainSteps === undefined ? 1 : Math.min(plan.together?.(index) ?? 1, plan.totalSteps - index);
    const rows = Array.from({ length: count }, (_, i) => rowsOf(index + i));
    const steps: PlannedStep[] = [];
    for (const [i, chosen] of rows.entries())
      steps.push({ batch: await plan.batch(chosen, index + i), options: plan.options(index + i) });
    const metrics = await take(policy, steps, signal);
    for (const [i, chosen] of rows.entries()) {
      yield { index: index + i, rows: chosen, metrics: metrics[i] as StepMetrics };
    }
    index += count;
  }
}

async function take(
  policy: Pick<Policy, "trainStep" | "trainSteps">,
  steps: readonly PlannedStep[],
  signal: AbortSignal | undefined,
): Promise<readonly StepMetrics[]> {
  const [first] = steps;
  if (first === undefined || steps.length > 1) return (await policy.trainSteps?.(steps, signal)) ?? [];
  return [await policy.trainStep(first.batch, first.options, signal)];
}

/** The rows of a step by its index; asked for in rising order, each pass is shuffled once. */
function rowsByStep<T>({ rows, rowsPerStep, seed }: StepPlan<T>): (index: number) => readonly T[] {
  const perEpoch = stepsPerEpoch(rows.length, rowsPerStep);
  let pass = -1;
  let order: readonly T[] = [];
  return (index) => {
    const at = index % perEpoch;
    if (pass !== Math.floor(index / perEpoch)) {
      pass = Math.floor(index / perEpoch);
      order = createRng(seed, "epoch", pass).shuffle(rows);
    }
    return order.slice(at * rowsPerStep, (at + 1) * rowsPerStep);
  };
}
