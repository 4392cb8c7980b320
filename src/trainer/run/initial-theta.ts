/** @file The first theta of a policy: the checkpoint's own weights, or a fresh LoRA that changes nothing yet. */
import type { CheckpointDir } from "../checkpoint/index.js";
import type { ThetaLayout, TrainableSpec } from "../model/index.js";
import { uniforms } from "./random.js";

/**
 * Full training starts from the checkpoint. LoRA starts as PEFT does: A uniform within ±1/√in (Kaiming with a = √5),
 * B zero.
 */
export async function initialTheta(
  checkpoint: CheckpointDir,
  layout: ThetaLayout,
  trainable: TrainableSpec,
  seed: number,
): Promise<Float32Array> {
  const theta = new Float32Array(layout.length);
  for (const [stream, { name, shape, offset, size }] of layout.entries.entries()) {
    if (trainable.kind === "full") theta.set(await checkpoint.readFloat32(name), offset);
    else if (isLoraA(name)) {
      const bound = 1 / Math.sqrt(shape[1] as number);
      theta.set(
        Float32Array.from(uniforms(seed, stream, size), (u) => (2 * u - 1) * bound),
        offset,
      );
    }
  }
  return theta;
}

const isLoraA = (name: string): boolean => name.endsWith(".lora_A.weight");

/** Theta of the bare base model: every B is zero. Full training has no other base than itself. */
export function adapterOff(layout: ThetaLayout, theta: Float32Array): Float32Array {
  const off = theta.slice();
  for (const { name, offset, size } of layout.entries) {
    if (name.endsWith(".lora_B.weight")) off.fill(0, offset, offset + size);
  }
  return off;
}
