/** @file The door of the decode room. */
export { decodeProgram } from "./decode-program.js";
export { GenerationQueue } from "./generation-queue.js";
export type { GenerateHooks } from "./generation-row.js";
export { PrefixCache } from "./prefix-cache.js";
export type {
  GenerateOptions,
  GenerateRequest,
  Generation,
  SamplingOptions,
  SamplingParameters,
  TokenChunk,
} from "./types.js";
