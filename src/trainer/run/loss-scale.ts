/** @file The factor of the loss in float16: halved where gradients overflow, doubled where they have not for a while. */

export interface LossScale {
  /** A power of two, so that it leaves no rounding behind. */
  readonly scale: number;
  /** Steps that were taken since it last changed. */
  readonly goodSteps: number;
}

/** As torch.amp.GradScaler starts. */
export const FRESH_LOSS_SCALE: LossScale = { scale: 2 ** 16, goodSteps: 0 };

/** A tenth of GradScaler's: trainings here are short, and a step that overflows is tried again, not lost. */
export const GROWTH_INTERVAL = 200;

/** More helps no float16 gradient: the smallest number times this is 1. */
const LARGEST = 2 ** 24;

/** Undefined where the scale is no remedy any more. */
export function afterOverflow({ scale }: LossScale): LossScale | undefined {
  return scale < 2 ? undefined : { scale: scale / 2, goodSteps: 0 };
}

export function afterStep({ scale, goodSteps }: LossScale): LossScale {
  if (goodSteps + 1 < GROWTH_INTERVAL) return { scale, goodSteps: goodSteps + 1 };
  return { scale: Math.min(LARGEST, scale * 2), goodSteps: 0 };
}

/** What a checkpoint says of it; a fresh one where it says nothing, as after training in another precision. */
export function readLossScale(saved: unknown): LossScale {
  const { scale, good_steps: goodSteps } = (saved ?? {}) as { scale?: unknown; good_steps?: unknown };
  return typeof scale === "number" && typeof goodSteps === "number" ? { scale, goodSteps } : FRESH_LOSS_SCALE;
}

export const writeLossScale = ({ scale, goodSteps }: LossScale) => ({ scale, good_steps: goodSteps });
