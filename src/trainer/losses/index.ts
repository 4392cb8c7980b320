/** @file The door of the losses room. */
export { log1mexp, logSigmoid } from "./log-terms.js";
export { type OrpoTerm, orpoTerm } from "./orpo.js";
export {
  DEFAULT_SIMPO_GAMMA,
  type LossSettings,
  lossOptionsProblems,
  PREFERENCE_LOSSES,
  type PreferenceInputs,
  type PreferenceLoss,
  type PreferenceRule,
  type PreferenceScalars,
  type PreferenceTerm,
  preferenceRules,
  preferenceTerm,
} from "./preference.js";
export { nllLoss } from "./sft.js";
export { type Head, LABEL_CHUNK, type LogpsUse, tokenLogps, weightedLogps } from "./token-logps.js";
