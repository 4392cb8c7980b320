/** @file Peak memory of a training step before anything runs, and the largest micro-batch that fits. CPU, this session's options. */
import { freemem } from "node:os";
import { expectedTensors, openCheckpointDir } from "../checkpoint/index.js";
import {
  DTYPE_BYTES,
  type Graph,
  type GraphMeasure,
  measureGraph,
  type Node,
  type Sizes,
  type Value,
} from "../graph/index.js";
import { LABEL_CHUNK } from "../losses/index.js";
import { loraScale, thetaLayout } from "../model/index.js";
import type { LossName, PolicyOptions } from "./policy.js";
import { trainProgram } from "./programs.js";

/** Node and the runtime's library, and what the session keeps about a node: measured by `npm run bench -- memory`. */
const PROCESS_BYTES = 110 * 2 ** 20;
const BYTES_A_NODE = 13 * 2 ** 10;
/** theta, m, v; the gradient between micro-batches; the weights at the start; and the last three, not yet collected. */
const STATE_VECTORS = 8;

/** Bytes of the engine process, by what takes them. */
export interface MemoryEstimate {
  /** Frozen tensors as nodes read them: embedding, norms. */
  readonly weights: number;
  /** Frozen matrices, packed for the products that read them: one copy for forward, one for backward. */
  readonly prepared: number;
  /** What the nodes of one step hold at their peak, new theta and moments included. */
  readonly activations: number;
  /** Vectors as long as theta that the process holds beside the run. */
  readonly state: number;
  readonly process: number;
  readonly total: number;
}

/** One row of a micro-batch: tokens, labels, and pairs packed into it. */
export interface RowSizes {
  readonly time: number;
  readonly labels: number;
  readonly pairs: number;
}

export interface TrainingMemory {
  /** With one row a micro-batch. */
  readonly oneRow: MemoryEstimate;
  readonly availableBytes: number;
  /** Rows of this size whose step fits; 0 where not even one does. */
  readonly largestRows: number;
  /** The same as a value of `maxTokens`. */
  readonly largestMaxTokens: number;
}

/**
 * Estimates a step of `loss` on rows like `row`. Reads the headers of the checkpoint only.
 * @param availableBytes what the process may use; default: what the machine or its control group has left.
 */
export async function estimateTrainingMemory(
  options: PolicyOptions,
  loss: LossName,
  row: RowSizes,
  availableBytes: number = availableMemory(),
): Promise<TrainingMemory> {
  const checkpoint = await openCheckpointDir(options.model);
  const { trainable, gradientCheckpointing = false } = options;
  const layout = thetaLayout(expectedTensors(checkpoint.config), checkpoint.config, trainable);
  const loraDropout = trainable.kind === "lora" ? (trainable.loraDropout ?? 0) : 0;
  const source = { checkpoint, layout, loraScale: loraScale(trainable) };
  const graph = trainProgram(source, loss, { gradientCheckpointing, loraDropout });
  const estimate = (rows: number): MemoryEstimate => estimateStepMemory(graph, layout.length, row, rows);
  const largestRows = largestFit((rows) => estimate(rows).total <= availableBytes);
  return { oneRow: estimate(1), availableBytes, largestRows, largestMaxTokens: largestRows * row.time };
}

/** One step over `rows` rows, of a graph whose trained vector has `thetaLength` elements. */
export function estimateStepMemory(graph: Graph, thetaLength: number, row: RowSizes, rows: number): MemoryEstimate {
  const labels = Math.ceil((rows * row.labels) / LABEL_CHUNK) * LABEL_CHUNK;
  const measure = measureGraph(graph, { batch: rows, time: row.time, labels, pairs: rows * row.pairs });
  const weights = weightBytes(graph, measure);
  const state = STATE_VECTORS * thetaLength * DTYPE_BYTES.float32;
  const process = PROCESS_BYTES + BYTES_A_NODE * allNodes(graph).length;
  const bytes = { ...weights, activations: measure.peakBytes, state, process };
  return { ...bytes, total: Object.values(bytes).reduce((sum, part) => sum + part, 0) };
}

/**
 * A frozen float32 matrix on the right of a product is packed once as it is and once turned, where nodes read it so, and
 * its plain form goes unless something else reads it. What the session casts while it opens is frozen like what the file holds.
 */
function weightBytes(graph: Graph, { folded, shapes }: GraphMeasure): { weights: number; prepared: number } {
  const bytesOf = (value: Value): number =>
    (shapes.get(value) ?? (value.shape as Sizes)).reduce((count, size) => count * size, DTYPE_BYTES[value.dtype]);
  const packed = { asIs: new Set<Value>(), turned: new Set<Value>() };
  const plain = new Set<Value>();
  for (const node of allNodes(graph)) {
    if (node.outputs.some((output) => folded.has(output))) continue;
    node.inputs.forEach((input, i) => {
      if (input.source.kind !== "constant" && !folded.has(input)) return;
      const isProduct = node.op === "MatMul" || node.op === "FusedMatMul";
      if (isProduct && i === 1 && input.dtype === "float32" && input.shape.length === 2) {
        (node.op === "FusedMatMul" && node.attributes.transB ? packed.turned : packed.asIs).add(input);
      } else if (node.op !== "Scan") plain.add(input); // a body lists what it captures itself
    });
  }
  const sum = (values: Iterable<Value>): number => [...values].reduce((bytes, value) => bytes + bytesOf(value), 0);
  return { weights: sum(plain), prepared: sum(packed.asIs) + sum(packed.turned) };
}

function allNodes(graph: Graph): readonly Node[] {
  return graph.nodes.flatMap((node) => (node.op === "Scan" ? [node, ...allNodes(node.attributes.body)] : [node]));
}

/** More rows than any machine holds; ends the search where everything fits. */
const MOST_ROWS = 4096;

/** The largest count that fits, where more never takes less; 0 where one does not. */
export function largestFit(fits: (count: number) => boolean): number {
  if (!fits(1)) return 0;
  let low = 1;
  let high = 2;
  while (high < MOST_ROWS && fits(high)) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Bytes that this process may still take: the machine's, or its control group's where that is less. */
export function availableMemory(): number {
  return Math.min(freemem(), process.availableMemory?.() ?? freemem());
}
