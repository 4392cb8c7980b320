/** @file The door of the optim room. */
export { type AdamInputs, type AdamState, adamScalars, adamw } from "./adamw.js";
export { clipByGlobalNorm } from "./clip.js";
