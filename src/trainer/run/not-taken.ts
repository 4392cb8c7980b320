/** @file Why a step was not taken: the tensor whose gradient is not finite, and what to do. */
import type { ThetaLayout } from "../model/index.js";
import type { Precision, StepMetrics } from "./policy.js";

interface Found {
  readonly gradient: Float32Array;
  readonly layout: ThetaLayout;
  readonly precision: Precision;
}

export function notTaken(
  step: number,
  { loss, grad_norm }: StepMetrics,
  { gradient, layout, precision }: Found,
): Error {
  const bad = gradient.findIndex((value) => !Number.isFinite(value));
  const where = layout.entries.find(({ offset, size }) => bad >= offset && bad < offset + size);
  const found =
    where === undefined
      ? `the loss is ${loss}, the norm of the gradient ${grad_norm}`
      : `the gradient of ${where.name} is ${gradient[bad]} (loss ${loss})`;
  const range = precision === "float16" ? ", take --precision bfloat16 or float32," : ",";
  return new Error(
    `step ${step} was not taken: ${found}. Lower the learning rate${range} or continue from the last checkpoint.`,
  );
}
