/** @file The door of the model room. */
export type { KeyValue, LayerCache } from "./attention.js";
export { type BertInputs, bert } from "./bert.js";
export { type PoolingInputs, pooled, unitRows } from "./bert-pooling.js";
export { decoder } from "./decoder.js";
export { embed, type HeadWeights, headLogits, headOf } from "./head.js";
export {
  LORA_TARGETS,
  openParameters,
  type ParameterOptions,
  type Parameters,
  type QuantizedLinear,
  type ThetaEntry,
  type ThetaLayout,
  type TokenRowModule,
  thetaLayout,
  tokenRowsName,
} from "./parameters.js";
export type { ProgramSource } from "./program-source.js";
export { inverseFrequencies, type RotaryAngles, rotaryAngles } from "./rotary.js";
export { type SampledTokens, type SamplerInputs, sampleTokens } from "./sampler.js";
export { type LoraSpec, loraScale, type TrainableSpec } from "./trainable.js";
export { cachedVisibility, type DecodingRows, packedVisibility, type Visibility } from "./visibility.js";
