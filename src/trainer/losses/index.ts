/** @file The door of the losses room. */
export { log1mexp, logSigmoid } from "./log-terms.js";
export { type OrpoTerm, orpoTerm } from "./orpo.js";
export { nllLoss } from "./sft.js";
export { tokenLogps, weightedLogps } from "./token-logps.js";
