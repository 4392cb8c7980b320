/** @file What a memory estimate says, in lines for a terminal. */
import type { MemoryEstimate, RowSizes, TrainConfig, TrainingMemory } from "../trainer/index.js";

export function bytesText(bytes: number): string {
  if (bytes < 100 * 2 ** 10) return `${(bytes / 2 ** 10).toFixed(1)} KiB`;
  if (bytes < 2 ** 30) return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** The estimate, and a warning with the way out where it is more than there is. */
export function memoryLines(
  memory: TrainingMemory,
  row: RowSizes,
  {
    maxTokensPerMicroBatch: tokens,
    gradientCheckpointing,
  }: Pick<TrainConfig, "maxTokensPerMicroBatch" | "gradientCheckpointing">,
): string[] {
  const { availableBytes, largestRows, largestMaxTokens } = memory;
  const planned = Math.max(1, Math.floor(tokens / row.time));
  const oneRow = `about ${bytesText(memory.oneRow.total)} with one row of ${row.time} tokens at a time (${partsOf(memory.oneRow)})`;
  const fits =
    largestRows === 0
      ? "not even one row fits"
      : `up to ${largestRows} such rows fit (max_tokens_per_micro_batch ${largestMaxTokens})`;
  const lines = [`memory: ${oneRow}; ${bytesText(availableBytes)} are free, ${fits}`];
  if (largestRows >= planned) return lines;
  const ways = [
    ...(largestRows > 0 ? [`--max-tokens-per-micro-batch ${largestMaxTokens}`] : []),
    ...(gradientCheckpointing ? [] : ["--gradient-checkpointing"]),
    "a smaller --max-length",
  ];
  return [
    ...lines,
    `warning: a micro-batch of ${planned} such rows may not fit into memory; ${ways.join(", or ")} needs less`,
  ];
}

function partsOf({ weights, prepared, activations, state }: MemoryEstimate): string {
  const parts = { weights: weights + prepared, activations, "optimizer state": state };
  return Object.entries(parts)
    .map(([name, bytes]) => `${name} ${bytesText(bytes)}`)
    .join(", ");
}
