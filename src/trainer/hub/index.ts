/** @file The door of the hub: models by name, in the cache that the Python libraries share, and what a run uploads. */
export type { DownloadProgress, HubOptions } from "./download-model.js";
export type { HubFile } from "./hashed-file.js";
export { type ModelCardFacts, modelCard } from "./model-card.js";
export { parseModelId } from "./model-id.js";
export { ensureHubRepo, type HubTarget, type Pushed, type PushOptions, pushToHub } from "./push-to-hub.js";
export { type ResolvedModel, resolveModel } from "./resolve-model.js";
export type { UploadProgress } from "./upload-repo.js";
