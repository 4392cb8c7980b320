/** @file What the parent and an embedding process say to each other. Typed arrays travel by structured clone. */

export type EmbedCall =
  | { readonly method: "open"; readonly model: string; readonly threads: number }
  | { readonly method: "embed"; readonly texts: readonly Int32Array[] };

export interface ToEmbedProcess {
  readonly id: number;
  readonly call: EmbedCall;
}

/** The vectors of a batch; of `open`, none. */
export type FromEmbedProcess =
  | { readonly kind: "result"; readonly id: number; readonly vectors: readonly Float32Array[] }
  | { readonly kind: "error"; readonly id: number; readonly message: string; readonly name: string };
