/** @file The door of the OpenAI-compatible endpoint. */
export { type ApiServerOptions, createApiServer } from "./api-server.js";
export type { HttpServer } from "./http.js";
export { type OpenServed, openServed, type ServedOptions } from "./open-served.js";
export { modelNames, type Served } from "./served.js";
