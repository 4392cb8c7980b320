/** @file The door of the model room. */
export type { KeyValue } from "./attention.js";
export { decoder, logits } from "./decoder.js";
export { embed, type HeadWeights, headLogits, headOf } from "./head.js";
export {
  LORA_TARGETS,
  openParameters,
  type ParameterOptions,
  type Parameters,
  type ThetaEntry,
  type ThetaLayout,
  type TokenRowModule,
  thetaLayout,
  tokenRowsName,
} from "./parameters.js";
export { inverseFrequencies } from "./rotary.js";
export { type LoraSpec, loraScale, type TrainableSpec } from "./trainable.js";
export { cachedVisibility, packedVisibility, type Visibility } from "./visibility.js";
