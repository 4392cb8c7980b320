/** @file A checkpoint as one .safetensors file of quantized matrices, with everything else that its decoder reads as it was. */
import { expectedTensors } from "./checkpoint-dir.js";
import {
  BLOCK_SIZE,
  blocksOf,
  packCodes,
  type QuantizedBits,
  type QuantizedBlocks,
  quantizeBlocks,
  scalesOf,
} from "./quantize.js";
import type { QuantizedMatrices, QuantizedMatrix } from "./quantized-matrix.js";
import {
  readSafetensorsHeader,
  readTensorChunks,
  readTensorFloat32,
  type StreamedTensor,
  writeSafetensors,
} from "./safetensors.js";
import { DTYPE_BYTES } from "./safetensors-header.js";
import type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";

type Source = Pick<CheckpointDir, "config" | "tensors">;

/** A quantized matrix before it is one: which layers of the checkpoint it is made of. */
interface Plan {
  readonly module: string;
  readonly bits: QuantizedBits;
  readonly inner: number;
  readonly rows: number;
  readonly weights: readonly TensorEntry[];
  readonly biases: readonly TensorEntry[];
  readonly parts: QuantizedMatrix["parts"];
}

/** Weights in memory at once, as float32. */
const SLICE_WEIGHTS = 2 ** 22;

/** What a file of quantized weights holds. */
export interface QuantizedCheckpoint {
  /** Norms and the rows of the embedding, under their names in the checkpoint. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly quantized: QuantizedMatrices;
}

/**
 * Writes `path`: linear layers in `bits`, the head in 8 (of tied embeddings it is a matrix of its own, beside the rows that
 * tokens are looked up in). q, k and v are one matrix, gate and up another; blocks lie within a row, so the weights are the
 * same as of each alone. In memory are a few million weights at a time; `signal` is heeded between them.
 */
export async function writeQuantizedCheckpoint(
  path: string,
  checkpoint: Source,
  bits: QuantizedBits,
  metadata: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const plans = quantizedPlans(checkpoint, bits);
  const kept = keptTensors(checkpoint, plans).map(({ name, dtype, shape, ...rest }) => {
    return { name, dtype, shape, chunks: () => readTensorChunks({ name, dtype, shape, ...rest }) };
  });
  const tensors = [...plans.flatMap((plan) => planTensors(plan)), ...kept].map((tensor) => heeding(tensor, signal));
  await writeSafetensors(path, tensors, metadata, { order: "given" });
}

/** Opens a file that {@link writeQuantizedCheckpoint} made of this checkpoint. Throws where it is damaged or another. */
export async function readQuantizedCheckpoint(
  path: string,
  checkpoint: Source,
  bits: QuantizedBits,
  metadata: Readonly<Record<string, string>>,
): Promise<QuantizedCheckpoint> {
  const plans = quantizedPlans(checkpoint, bits);
  const found = await readSafetensorsHeader(path);
  const entries = new Map(found.entries.map((entry) => [entry.name, entry]));
  const kept = keptTensors(checkpoint, plans);
  const expected = [...plans.flatMap((plan) => planTensors(plan)), ...kept];
  const told = Object.entries(metadata).every(([key, value]) => found.metadata[key] === value);
  if (
    !told ||
    entries.size !== expected.length ||
    !expected.every((tensor) => isAlike(tensor, entries.get(tensor.name)))
  )
    throw new Error(`${path} does not hold the quantized weights that were expected; remove it, it is made anew`);
  const quantized = new Map(plans.map((plan) => [plan.module, matrixOf(plan, entries)]));
  const tensors = new Map(kept.map(({ name }) => [name, entries.get(name) as TensorEntry]));
  return { tensors, quantized };
}

type Described = Pick<TensorEntry, "name" | "dtype" | "shape">;

const isAlike = (expected: Described, found: Described | undefined): boolean =>
  found?.dtype === expected.dtype && found.shape.join() === expected.shape.join();

function matrixOf(
  { module, bits, inner, rows, biases, parts }: Plan,
  entries: ReadonlyMap<string, TensorEntry>,
): QuantizedMatrix {
  const entry = (kind: string): TensorEntry => entries.get(`${module}.${kind}`) as TensorEntry;
  const matrix = { packed: entry("qweight"), scales: entry("scales"), inner, rows, bits, blockSize: BLOCK_SIZE, parts };
  return biases.length === 0 ? matrix : { ...matrix, bias: entry("bias") };
}

/** Matrices of one layer: name below "model.layers.N.", and the layers of the checkpoint that it is made of. */
const LAYER_MATRICES: readonly (readonly [string, readonly string[]])[] = [
  ["self_attn.qkv_proj", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]],
  ["self_attn.o_proj", ["self_attn.o_proj"]],
  ["mlp.gate_up_proj", ["mlp.gate_proj", "mlp.up_proj"]],
  ["mlp.down_proj", ["mlp.down_proj"]],
];

function quantizedPlans({ config, tensors }: Source, bits: QuantizedBits): Plan[] {
  const plan = (module: string, sources: readonly string[], width: QuantizedBits): Plan => {
    const weights = sources.map((source) => tensors.get(`${source}.weight`) as TensorEntry);
    const biases = sources.flatMap((source) => tensors.get(`${source}.bias`) ?? []);
    const parts = sources.map((source, i) => ({ module: source, rows: weights[i]?.shape[0] as number }));
    const inner = weights[0]?.shape[1] as number;
    return {
      module,
      bits: width,
      inner,
      rows: parts.reduce((sum, part) => sum + part.rows, 0),
      weights,
      biases,
      parts,
    };
  };
  const layers = config.layers.flatMap((_, layer) => {
    const at = (path: string): string => `model.layers.${layer}.${path}`;
    return LAYER_MATRICES.map(([module, sources]) => plan(at(module), sources.map(at), bits));
  });
  return [...layers, plan("lm_head", [headModule(config)], 8)];
}

const headModule = ({ tieWordEmbeddings }: ModelConfig): string =>
  tieWordEmbeddings ? "model.embed_tokens" : "lm_head";

/** Tensors that stay as they are: norms, and the rows of the embedding. */
function keptTensors({ config, tensors }: Source, plans: readonly Plan[]): TensorEntry[] {
  const taken = new Set(plans.flatMap(({ weights, biases }) => [...weights, ...biases]).map(({ name }) => name));
  return expectedTensors(config)
    .filter(({ name }) => !taken.has(name) || name === "model.embed_tokens.weight")
    .map(({ name }) => tensors.get(name) as TensorEntry)
    .sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]); // wide ones first: each is aligned to its width
}

function planTensors({ module, bits, inner, rows, weights, biases }: Plan): StreamedTensor[] {
  const blocks = blocksOf(inner);
  let scales: Float32Array[] = [];
  async function* makeCodes(): AsyncGenerator<Uint8Array> {
    for (const slice of weights.flatMap((entry) => rowSlices(entry, inner))) {
      const quantized = await quantizeSlice(slice, inner, bits);
      scales.push(scalesOf(quantized));
      yield packCodes(quantized.codes, bits);
    }
  }
  /** Right behind the codes in the file, so that no more than the scales of one matrix wait in memory. */
  async function* makeScales(): AsyncGenerator<Uint8Array> {
    for (const values of scales) yield bytesOf(values);
    scales = [];
  }
  async function* makeBias(): AsyncGenerator<Uint8Array> {
    for (const entry of biases) yield bytesOf(await readTensorFloat32(entry));
  }
  return [
    { name: `${module}.qweight`, dtype: "U8", shape: [rows, blocks, (BLOCK_SIZE * bits) / 8], chunks: makeCodes },
    { name: `${module}.scales`, dtype: "F32", shape: [rows, blocks], chunks: makeScales },
    ...(biases.length === 0
      ? []
      : [{ name: `${module}.bias`, dtype: "F32", shape: [rows], chunks: makeBias } as const]),
  ];
}

/** Parts of a matrix, a few rows each, in multiples of `unit`. */
export function rowSlices(entry: TensorEntry, inner: number, unit = 1): TensorEntry[] {
  const rows = entry.shape[0] as number;
  const step = unit * Math.max(1, Math.floor(SLICE_WEIGHTS / (inner * unit)));
  const rowBytes = inner * DTYPE_BYTES[entry.dtype];
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => {
    const count = Math.min(step, rows - i * step);
    const offset = entry.offset + i * step * rowBytes;
    return { ...entry, shape: [count, inner], offset, byteLength: count * rowBytes };
  });
}

/** Throws with the tensor's name. */
export async function quantizeSlice(slice: TensorEntry, inner: number, bits: QuantizedBits): Promise<QuantizedBlocks> {
  const values = await readTensorFloat32(slice);
  try {
    return quantizeBlocks(values, inner, bits);
  } catch (cause) {
    throw new Error(`${slice.name} in ${slice.file} cannot be quantized: ${(cause as Error).message}`, { cause });
  }
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Stops between two pieces where `signal` says so. */
function heeding({ chunks, ...tensor }: StreamedTensor, signal: AbortSignal | undefined): StreamedTensor {
  async function* heeded(): AsyncGenerator<Uint8Array> {
    signal?.throwIfAborted();
    for await (const chunk of chunks()) {
      yield chunk;
      signal?.throwIfAborted();
    }
  }
  return { ...tensor, chunks: heeded };
}
