/** @file What every program of one model is built from. */
import type { QuantizedMatrices } from "../checkpoint/index.js";
import type { CheckpointDir } from "../checkpoint/types.js";
import type { FloatDType } from "../graph/index.js";
import type { ThetaLayout } from "./parameters.js";

export interface ProgramSource {
  readonly checkpoint: Pick<CheckpointDir, "config" | "tensors">;
  readonly layout: ThetaLayout;
  readonly loraScale: number;
  /** What the layers compute in; theta, its moments, losses and the optimizer are float32. Default float32. */
  readonly computeDtype?: FloatDType;
  /** Quantized matrices in place of the checkpoint's own; for sampling only. */
  readonly quantized?: QuantizedMatrices;
}
