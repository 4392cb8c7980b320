/** @file What of a model is trained. */

/** Names follow PEFT: rank `r`, `loraAlpha`, module names in `targetModules`. */
export interface LoraSpec {
  readonly kind: "lora";
  readonly r: number;
  readonly loraAlpha: number;
  readonly targetModules: readonly string[];
  /** Share of a LoRA layer's inputs that a training step leaves out; default 0. */
  readonly loraDropout?: number;
  /** Scale alpha / √r instead of alpha / r (Kalajdzievski 2023, arXiv 2312.03732). */
  readonly useRslora?: boolean;
  /** Rows of the embedding (and of a tied head) that are trained beside LoRA; ids past the vocabulary are new rows. */
  readonly trainableTokenIndices?: readonly number[];
  /** Where the head is not tied, its rows of these tokens are trained too; new rows need it. Default false, as in PEFT. */
  readonly trainHeadRows?: boolean;
}

/** "none": the model is only sampled and scored. */
export type TrainableSpec = { readonly kind: "full" } | { readonly kind: "none" } | LoraSpec;

/** Factor of B·A·x: alpha / r, or alpha / √r (1 where nothing has LoRA). */
export function loraScale(trainable: TrainableSpec): number {
  if (trainable.kind !== "lora") return 1;
  return trainable.loraAlpha / (trainable.useRslora ? Math.sqrt(trainable.r) : trainable.r);
}
