/** @file llama.cpp's names for architectures and tensors, and the order of rows that it expects. */
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

export const GGUF_FAMILIES: Readonly<Record<ModelType, GgufFamily>> = {
  llama: { architecture: "llama", permuted: true },
  mistral: { architecture: "llama", permuted: true },
  smollm3: { architecture: "smollm3", permuted: true },
  qwen2: { architecture: "qwen2", permuted: false },
  qwen3: { architecture: "qwen3", permuted: false },
  gemma3_text: { architecture: "gemma3", permuted: false },
};

const LAYER_LINEARS: Readonly<Record<string, string>> = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

const LAYER_NORMS: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  pre_feedforward_layernorm: "ffn_norm",
  post_feedforward_layernorm: "post_ffw_norm",
};

const OUTSIDE_LAYERS: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
};

const LAYER_PATH = /^model\.layers\.(\d+)\.(.+)$/;

/** Of a linear layer that may have an adapter; undefined for others. */
export function ggufModuleName(path: string): string | undefined {
  if (path === "lm_head") return OUTSIDE_LAYERS["lm_head"];
  const [, layer, part] = LAYER_PATH.exec(path) ?? [];
  const name = part === undefined ? undefined : LAYER_LINEARS[part];
  return name === undefined ? undefined : `blk.${layer}.${name}`;
}

/** Of any tensor that {@link expectedTensors} names. */
export function ggufTensorName(name: string, config: Pick<ModelConfig, "sandwichNorms">): string {
  const [, path = "", kind] = /^(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [, layer, part = ""] = LAYER_PATH.exec(path) ?? [];
  const afterAttention = config.sandwichNorms ? "post_attention_norm" : "ffn_norm";
  const known = layer === undefined ? OUTSIDE_LAYERS[path] : (LAYER_LINEARS[part] ?? LAYER_NORMS[part]);
  const found = part === "post_attention_layernorm" ? afterAttention : known;
  if (found === undefined) throw new Error(`internal: llama.cpp has no name for ${name}`);
  return `${layer === undefined ? "" : `blk.${layer}.`}${found}.${kind}`;
}

/** Heads of a layer whose rows are rotated; 0 for the others. */
export function headsOf(path: string, config: ModelConfig): number {
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
