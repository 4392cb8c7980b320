/** @file The door of the model room. */
export type { KeyValue } from "./attention.js";
export { decoder, headWeight, logits } from "./decoder.js";
export {
  LORA_TARGETS,
  openParameters,
  type Parameters,
  type ThetaEntry,
  type ThetaLayout,
  thetaLayout,
} from "./parameters.js";
export { inverseFrequencies } from "./rotary.js";
export { type LoraSpec, loraScale, type TrainableSpec } from "./trainable.js";
export { cachedVisibility, packedVisibility } from "./visibility.js";
