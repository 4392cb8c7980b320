/** @file The door of the hub: models by name, in the cache that the Python libraries share. */
export type { DownloadProgress, HubOptions } from "./download-model.js";
export { parseModelId } from "./model-id.js";
export { type ResolvedModel, resolveModel } from "./resolve-model.js";
