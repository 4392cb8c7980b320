/** @file The door of the autodiff room. */
export { type GradientRule, gradientRules, type NoGradient } from "./gradient-rules.js";
export { gradients } from "./gradients.js";
