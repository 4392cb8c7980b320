/** @file A LoRA adapter as the GGUF file that llama.cpp loads beside a GGUF of the base model. */
import type { Adapter, AdapterModule } from "./adapter-dir.js";
import { type GgufTensor, type GgufValue, writeGguf } from "./gguf-writer.js";
import { encodeFloat16 } from "./half.js";
import type { ModelConfig, ModelType } from "./types.js";

interface GgufFamily {
  /** llama.cpp's general.architecture. */
  readonly architecture: string;
  /**
   * llama.cpp rotates neighbouring elements of a head where the checkpoint rotates the two halves; its conversion
   * reorders the rows of q_proj and k_proj for that, so an adapter's rows must follow.
   */
  readonly permuted: boolean;
}

const FAMILIES: Readonly<Record<ModelType, GgufFamily>> = {
  llama: { architecture: "llama", permuted: true },
  mistral: { architecture: "llama", permuted: true },
  smollm3: { architecture: "smollm3", permuted: true },
  qwen2: { architecture: "qwen2", permuted: false },
  qwen3: { architecture: "qwen3", permuted: false },
  gemma3_text: { architecture: "gemma3", permuted: false },
};

const LAYER_PARTS: Readonly<Record<string, string>> = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

const LAYER_PATH = /^model\.layers\.(\d+)\.(.+)$/;

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
  const { architecture } = FAMILIES[config.modelType];
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
  if (ggufName(path) === undefined) return [`${path}: llama.cpp has no name for this layer`];
  if (path === "lm_head" && config.tieWordEmbeddings) return [`${path}: is tied to the embedding in this model`];
  const rows = headsOf(path, config) * config.headDim;
  if (rows > 0 && rows !== outFeatures) return [`${path}: expected ${rows} rows in this model, found ${outFeatures}`];
  return inFeatures > 0 ? [] : [`${path}: has no columns`];
}

function moduleTensors(module: AdapterModule, r: number, { config, dtype }: GgufAdapterOptions): GgufTensor[] {
  const { path, inFeatures, outFeatures, loraA, loraB } = module;
  const heads = FAMILIES[config.modelType].permuted ? headsOf(path, config) : 0;
  const rows = heads > 0 ? permuteRows(loraB, heads, config.headDim) : loraB;
  const name = `${ggufName(path)}.weight`;
  return [
    { name: `${name}.lora_a`, dtype, shape: [r, inFeatures], data: encode(loraA, dtype) },
    { name: `${name}.lora_b`, dtype, shape: [outFeatures, r], data: encode(rows, dtype) },
  ];
}

function ggufName(path: string): string | undefined {
  if (path === "lm_head") return "output";
  const [, layer, part] = LAYER_PATH.exec(path) ?? [];
  const name = part === undefined ? undefined : LAYER_PARTS[part];
  return name === undefined ? undefined : `blk.${layer}.${name}`;
}

/** Heads of a layer whose rows are rotated; 0 for the others. */
function headsOf(path: string, config: ModelConfig): number {
  if (path.endsWith(".self_attn.q_proj")) return config.numAttentionHeads;
  return path.endsWith(".self_attn.k_proj") ? config.numKeyValueHeads : 0;
}

/** Rows of each head from halves (x0 … y0 …) to neighbours (x0 y0 x1 y1 …). `matrix` is [heads · headDim, columns]. */
export function permuteRows(matrix: Float32Array, heads: number, headDim: number): Float32Array {
  const columns = matrix.length / (heads * headDim);
  const half = headDim / 2;
  const out = new Float32Array(matrix.length);
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < headDim; row++) {
      const from = (head * headDim + (row % 2) * half + Math.floor(row / 2)) * columns;
      out.set(matrix.subarray(from, from + columns), (head * headDim + row) * columns);
    }
  }
  return out;
}

function encode(values: Float32Array, dtype: "F32" | "F16"): Uint8Array {
  const typed = dtype === "F32" ? values : encodeFloat16(values);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}
