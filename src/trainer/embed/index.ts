/** @file The door of the embed room. */
export { openEmbedder } from "./embedder.js";
export type { Embedder, EmbedderInfo, EmbedderOptions, EmbedOptions } from "./embedder-types.js";
