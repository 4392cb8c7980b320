/** @file The first theta of a policy: the checkpoint's own weights, or a fresh LoRA that changes nothing yet. */
import type { CheckpointDir } from "../checkpoint/index.js";
import type { ThetaEntry, ThetaLayout, TrainableSpec } from "../model/index.js";
import { uniforms } from "../runtime/index.js";

/**
 * Full training starts from the checkpoint. LoRA starts as PEFT does: A uniform within ±1/√in (Kaiming with a = √5),
 * B zero. Trained rows of tokens start as the checkpoint has them, and new ones as the mean of all its rows, which
 * keeps the other tokens' probabilities nearly as they were (Hewitt 2021, "Initializing new word embeddings for
 * pretrained language models"). So the first theta of a LoRA is the bare base model.
 */
export async function initialTheta(
  checkpoint: CheckpointDir,
  layout: ThetaLayout,
  trainable: TrainableSpec,
  seed: number,
): Promise<Float32Array> {
  const theta = new Float32Array(layout.length);
  for (const [stream, entry] of layout.entries.entries()) {
    const { name, shape, offset, size } = entry;
    if (trainable.kind === "full") theta.set(await checkpoint.readFloat32(name), offset);
    else if (entry.tokenIndices !== undefined) theta.set(await checkpointRows(checkpoint, entry), offset);
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

async function checkpointRows(checkpoint: CheckpointDir, entry: ThetaEntry): Promise<Float32Array> {
  const { name, size, tokenIndices = [] } = entry;
  const matrix = await checkpoint.readFloat32(`${name.slice(0, name.indexOf(".token_adapter."))}.weight`);
  const width = size / tokenIndices.length;
  const mean = meanRow(matrix, width);
  const rows = new Float32Array(size);
  tokenIndices.forEach((id, i) => {
    const start = id * width;
    rows.set(start < matrix.length ? matrix.subarray(start, start + width) : mean, i * width);
  });
  return rows;
}

function meanRow(matrix: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  for (let i = 0, column = 0; i < matrix.length; i += 1, column = column + 1 === width ? 0 : column + 1) {
    sums[column] = (sums[column] as number) + (matrix[i] as number);
  }
  return Float32Array.from(sums, (sum) => sum / (matrix.length / width));
}
