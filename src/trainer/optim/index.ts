/** @file The door of the optim room. */
export { type AdamInputs, type AdamState, adamScalars, adamw } from "./adamw.js";
export { clipByGlobalNorm } from "./clip.js";
export { learningRateAt, SCHEDULES, type ScheduleName, type ScheduleOptions, warmupStepsOf } from "./schedule.js";
