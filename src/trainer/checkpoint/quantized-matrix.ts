/** @file Matrices of a checkpoint with 4 or 8 bits a weight, as they lie in a file of quantized weights. */
import type { QuantizedBits } from "./quantize.js";
import type { TensorEntry } from "./types.js";

/** A linear layer, or several of the same input stacked row by row. */
export interface QuantizedMatrix {
  /** U8 [rows, blocks, 32 · bits / 8], as MatMulNBits takes it. */
  readonly packed: TensorEntry;
  /** F32 [rows, blocks] */
  readonly scales: TensorEntry;
  /** F32 [rows] */
  readonly bias?: TensorEntry;
  /** Columns of the matrix. */
  readonly inner: number;
  readonly rows: number;
  readonly bits: QuantizedBits;
  readonly blockSize: number;
  /** The layers of the checkpoint inside it, from the first row on. */
  readonly parts: readonly { readonly module: string; readonly rows: number }[];
}

/**
 * By module: `model.layers.N.self_attn.qkv_proj`, `….self_attn.o_proj`, `….mlp.gate_up_proj`, `….mlp.down_proj` and
 * `lm_head`, which is there for tied embeddings too.
 */
export type QuantizedMatrices = ReadonlyMap<string, QuantizedMatrix>;
