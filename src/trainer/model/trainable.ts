/** @file What of a model is trained. */

/** Names follow PEFT: rank `r`, `loraAlpha`, module names in `targetModules`. */
export interface LoraSpec {
  readonly kind: "lora";
  readonly r: number;
  readonly loraAlpha: number;
  readonly targetModules: readonly string[];
}

export type TrainableSpec = { readonly kind: "full" } | LoraSpec;

/** Factor of B·A·x: alpha / r (1 where nothing has LoRA). */
export function loraScale(trainable: TrainableSpec): number {
  return trainable.kind === "lora" ? trainable.loraAlpha / trainable.r : 1;
}
