/** @file A LoRA adapter as the GGUF file that llama.cpp loads beside a GGUF of the base model. */
import type { Adapter, AdapterModule } from "./adapter-dir.js";
import { GGUF_FAMILIES, ggufModuleName, headsOf, permuteRows } from "./gguf-names.js";
import { type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { encodeFloat16 } from "./half.js";
import type { ModelConfig } from "./types.js";

/** llama.cpp's file types, by the dtype of the matrices. */
const FILE_TYPE = { F32: 0, F16: 1 } as const;

export interface GgufAdapterOptions {
  /** Of the base model. */
  readonly config: ModelConfig;
  readonly dtype: "F32" | "F16";
}

/**
 * Writes `adapter` to `path`. Throws for what llama.cpp cannot apply: trained token rows, and layers that it has no LoRA for.
 * llama.cpp scales by alpha / r; an adapter with another scale (rsLoRA) is written with the alpha that gives it.
 */
export async function writeGgufAdapter(path: string, adapter: Adapter, options: GgufAdapterOptions): Promise<void> {
  const { config, dtype } = options;
  const problems = [
    ...adapterProblems(adapter),
    ...adapter.modules.flatMap((module) => moduleProblems(module, config)),
  ];
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new Error(`the adapter cannot be written as GGUF:${list}\nExport a merged model instead (--format merged).`);
  }
  const { architecture } = GGUF_FAMILIES[config.modelType];
  const metadata: Record<string, GgufValue> = {
    "general.architecture": { type: "string", value: architecture },
    "general.type": { type: "string", value: "adapter" },
    "general.name": { type: "string", value: `LoRA for ${adapter.config.baseModelNameOrPath || architecture}` },
    "general.file_type": { type: "uint32", value: FILE_TYPE[dtype] },
    "adapter.type": { type: "string", value: "lora" },
    "adapter.lora.alpha": { type: "float32", value: equivalentAlpha(adapter) },
  };
  const tensors = adapter.modules.flatMap((module) => moduleTensors(module, adapter.config.r, options));
  await writeGguf(path, metadata, tensors);
}

/** α for which α / r is the adapter's scale. */
function equivalentAlpha({ config }: Adapter): number {
  return config.useRslora ? config.loraAlpha * Math.sqrt(config.r) : config.loraAlpha;
}

function adapterProblems(adapter: Adapter): string[] {
  if (adapter.tokenRows === undefined) return [];
  return ["trainable_token_indices: llama.cpp has no adapter format for rows of the embedding"];
}

function moduleProblems({ path, inFeatures, outFeatures }: AdapterModule, config: ModelConfig): string[] {
  if (ggufModuleName(path) === undefined) return [`${path}: llama.cpp has no name for this layer`];
  if (path === "lm_head" && config.tieWordEmbeddings) return [`${path}: is tied to the embedding in this model`];
  const rows = headsOf(path, config) * config.headDim;
  if (rows > 0 && rows !== outFeatures) return [`${path}: expected ${rows} rows in this model, found ${outFeatures}`];
  return inFeatures > 0 ? [] : [`${path}: has no columns`];
}

function moduleTensors(module: AdapterModule, r: number, { config, dtype }: GgufAdapterOptions): GgufTensor[] {
  const { path, inFeatures, outFeatures, loraA, loraB } = module;
  const heads = GGUF_FAMILIES[config.modelType].permuted ? headsOf(path, config) : 0;
  const rows = heads > 0 ? permuteRows(loraB, heads, config.headDim) : loraB;
  const name = `${ggufModuleName(path)}.weight`;
  return [
    { name: `${name}.lora_a`, dtype, shape: [r, inFeatures], data: encode(loraA, dtype) },
    { name: `${name}.lora_b`, dtype, shape: [outFeatures, r], data: encode(rows, dtype) },
  ];
}

function encode(values: Float32Array, dtype: "F32" | "F16"): Uint8Array {
  const typed = dtype === "F32" ? values : encodeFloat16(values);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}
