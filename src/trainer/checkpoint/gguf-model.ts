/** @file A whole model as the GGUF file that llama.cpp runs, in the quantization that sampling here computes with. */
import { basename } from "node:path";
import { expectedTensors, openCheckpointDir } from "./checkpoint-dir.js";
import { type GgufMetadata, modelMetadata, modelProblems, ropeFactors } from "./gguf-metadata.js";
import { GGUF_FAMILIES, ggufTensorName, headsOf, permuteRows } from "./gguf-names.js";
import { tokenizerMetadata } from "./gguf-tokenizer.js";
import { type GgufDtype, type StreamedGgufTensor, writeGguf } from "./gguf-writer.js";
import { encodeFloat16 } from "./half.js";
import { BLOCK_SIZE, quantizeBlocks } from "./quantize.js";
import { rowSlices } from "./quantize-checkpoint.js";
import { ggufBlocks } from "./quantize-gguf.js";
import { readTensorFloat32 } from "./safetensors.js";
import type { CheckpointDir, ModelConfig, TensorEntry } from "./types.js";

export const GGUF_MODEL_TYPES = ["f32", "f16", "q8_0", "q4_0"] as const;
export type GgufModelType = (typeof GGUF_MODEL_TYPES)[number];

/** llama.cpp's number of each type. */
const FILE_TYPE: Readonly<Record<GgufModelType, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 7 };
const QUANTIZATION_VERSION = 2;

export interface GgufModelOptions {
  /** Of the matrices. "q4_0" keeps embedding and head in q8_0; rows that 32 does not divide are f16 in both. */
  readonly type: GgufModelType;
  /** false: a file without a tokenizer, for callers that speak in token ids; default true. */
  readonly tokenizer?: boolean;
  readonly signal?: AbortSignal;
  /** Tensors written. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Writes the model directory `dir` to `path`. In memory are a few million weights at a time. Throws one error with everything
 * that llama.cpp would compute differently, or that its file cannot hold.
 */
export async function writeGgufModel(path: string, dir: string, options: GgufModelOptions): Promise<void> {
  const checkpoint = await openCheckpointDir(dir);
  const { config } = checkpoint;
  const problems = modelProblems(config);
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    const { architecture } = GGUF_FAMILIES[config.modelType];
    throw new Error(
      `${dir} cannot be written as GGUF, llama.cpp's ${architecture} differs:${list}\nUse it here instead.`,
    );
  }
  const tokenizer = options.tokenizer === false ? NO_TOKENIZER : await tokenizerMetadata(dir, config);
  const metadata = { ...generalMetadata(checkpoint, options.type), ...modelMetadata(config), ...tokenizer };
  const tensors = modelTensors(checkpoint, options.type);
  await writeGguf(path, metadata, watched(tensors, options));
}

const NO_TOKENIZER: GgufMetadata = { "tokenizer.ggml.model": { type: "string", value: "no_vocab" } };

function generalMetadata({ path, config }: CheckpointDir, type: GgufModelType): GgufMetadata {
  return {
    "general.architecture": { type: "string", value: GGUF_FAMILIES[config.modelType].architecture },
    "general.type": { type: "string", value: "model" },
    "general.name": { type: "string", value: basename(path) },
    "general.file_type": { type: "uint32", value: FILE_TYPE[type] },
    ...(type.startsWith("q") && {
      "general.quantization_version": { type: "uint32", value: QUANTIZATION_VERSION },
    }),
  };
}

function modelTensors({ config, tensors }: CheckpointDir, type: GgufModelType): StreamedGgufTensor[] {
  const factors = ropeFactors(config);
  const rope: StreamedGgufTensor[] =
    factors === undefined
      ? []
      : [{ name: "rope_freqs.weight", dtype: "F32", shape: [factors.length], chunks: one(factors) }];
  const converted = expectedTensors(config).map(({ name }) =>
    converting(tensors.get(name) as TensorEntry, config, type),
  );
  return [...rope, ...converted];
}

const one = (values: Float32Array) =>
  async function* (): AsyncGenerator<Uint8Array> {
    yield encode(values, "F32", values.length);
  };

function converting(entry: TensorEntry, config: ModelConfig, type: GgufModelType): StreamedGgufTensor {
  const { name, shape } = entry;
  const inner = shape.length === 1 ? 1 : (shape[1] as number);
  const dtype = dtypeOf(name, shape, type);
  const heads = GGUF_FAMILIES[config.modelType].permuted ? headsOf(name.replace(/\.\w+$/, ""), config) : 0;
  const offset = /norm\.weight$/.test(name) ? config.normOffset : 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const slice of rowSlices(entry, inner, heads > 0 ? config.headDim : 1)) {
      const values = await readTensorFloat32(slice);
      if (offset !== 0) for (let i = 0; i < values.length; i++) values[i]! += offset;
      const rows = values.length / inner;
      const ordered = heads > 0 ? permuteRows(values, rows / config.headDim, config.headDim) : values;
      try {
        yield encode(ordered, dtype, inner);
      } catch (cause) {
        throw new Error(`${name} cannot be written as ${dtype}: ${(cause as Error).message}`, { cause });
      }
    }
  }
  return { name: ggufTensorName(name, config), dtype, shape, chunks };
}

/** Vectors stay float32, as llama.cpp's kernels want them. */
function dtypeOf(name: string, shape: readonly number[], type: GgufModelType): GgufDtype {
  if (shape.length === 1 || type === "f32") return "F32";
  if (type === "f16" || (shape[1] as number) % BLOCK_SIZE !== 0) return "F16";
  return type === "q8_0" || /embed_tokens|lm_head/.test(name) ? "Q8_0" : "Q4_0";
}

/** Float16 has no finite number from here on. */
const FLOAT16_OVERFLOW = 65520;

function encode(values: Float32Array, dtype: GgufDtype, inner: number): Uint8Array {
  switch (dtype) {
    case "F32":
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case "F16": {
      const wrong = values.find((value) => !(Math.abs(value) < FLOAT16_OVERFLOW));
      if (wrong !== undefined) throw new Error(`a weight is ${wrong}; choose f32`);
      return new Uint8Array(encodeFloat16(values).buffer);
    }
    default: {
      const bits = dtype === "Q8_0" ? 8 : 4;
      return ggufBlocks(quantizeBlocks(values, inner, bits), bits);
    }
  }
}

function watched(
  tensors: readonly StreamedGgufTensor[],
  { signal, onProgress }: GgufModelOptions,
): readonly StreamedGgufTensor[] {
  let done = 0;
  return tensors.map(({ chunks, ...tensor }) => {
    async function* seen(): AsyncGenerator<Uint8Array> {
      signal?.throwIfAborted();
      for await (const chunk of chunks()) {
        yield chunk;
        signal?.throwIfAborted();
      }
      onProgress?.(++done, tensors.length);
    }
    return { ...tensor, chunks: seen };
  });
}
