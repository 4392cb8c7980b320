/** @file Runs a graph once, in process, on ONNX Runtime. */
import type { Graph } from "../../src/trainer/graph/index.js";
import type { LoraSpec } from "../../src/trainer/model/index.js";
import { type Feed, type Feeds, openSession } from "../../src/trainer/runtime/session.js";

/** Runs any graph whose weights, if it has some, lie in `weightsFolder`. */
export async function runGraph(graph: Graph, feeds: Feeds, outputs: readonly string[], weightsFolder = "/") {
  const program = await openSession(graph, "test", { weightsFolder, threads: 1 });
  try {
    return await program.run(feeds, outputs);
  } finally {
    await program.dispose();
  }
}

export const floatsOf = (feed: Feed | undefined): number[] => Array.from((feed?.data ?? []) as Float32Array);

/** The LoRA of the PyTorch goldens. */
export const GOLDEN_LORA: LoraSpec = {
  kind: "lora",
  r: 3,
  loraAlpha: 6,
  targetModules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
};

/** The largest difference of two vectors, over the largest magnitude of the second. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < expected.length; i += 1) {
    difference = Math.max(difference, Math.abs((found[i] as number) - (expected[i] as number)));
    magnitude = Math.max(magnitude, Math.abs(expected[i] as number));
  }
  return found.length === expected.length ? difference / magnitude : Number.POSITIVE_INFINITY;
}
