/** @file The door of the training loop. */

export { checkpointSteps, type Keep, pruneCheckpoints, removeStaging } from "./checkpoints.js";
export { type EvaluationOptions, evaluate } from "./evaluate.js";
export { type EventFile, openEventFile } from "./event-file.js";
export { longestRow } from "./longest-row.js";
export { cursorAfter, optimizerSteps, type StepPlan, stepsPerEpoch, type TakenStep } from "./optimizer-steps.js";
export { type ReferenceOptions, type ReferenceScores, referenceScores } from "./reference-cache.js";
export {
  type PreferenceScore,
  type PreferenceScores,
  type ScorePreferencesOptions,
  scorePreferences,
} from "./score-preferences.js";
export { isOfLoss } from "./setting-problems.js";
export { readTrainingTexts, type TrainingTexts, tokenizeData, train } from "./train.js";
export { parseTrainConfig, policyOptionsOf, stepOptionsOf, type TrainConfig } from "./train-config.js";
export type { Diagnosis, LogEntry, TrainEvent, TrainResult } from "./train-events.js";
export { type TrainHooks, trainOn } from "./train-on.js";
export { SETTING_NAMES, type SettingName, settingsSchema } from "./train-settings.js";
export type { TrainingData } from "./training-data.js";
