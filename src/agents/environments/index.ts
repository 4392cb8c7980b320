/** @file The door of the environments. */
export type { BaseRow, Environment, EnvironmentDocument, EnvironmentQuestion, Split, Verdict } from "./environment.js";
export { type ChoiceScore, type Share, scoreChoices } from "./materials-world/choice-score.js";
export type { CoupleCounts } from "./materials-world/choices.js";
export {
  critique,
  type Revision,
  type RevisionOptions,
  reviseThinking,
  scoreThinking,
} from "./materials-world/critic.js";
export type { PassageText } from "./materials-world/evidence.js";
export {
  type ChoiceType,
  choiceTypes,
  type FactKind,
  type QuestionType,
  questionTypes,
} from "./materials-world/language.js";
export {
  createMaterialsWorld,
  type MaterialsWorld,
  type MaterialsWorldOptions,
} from "./materials-world/materials-world.js";
export { readQuestion, type WorldQuestion } from "./materials-world/reading.js";
export { type Layout, type LayoutOptions, layOut, queriesFor } from "./materials-world/teacher.js";
export {
  type Allowed,
  type ChoiceTopic,
  readChoiceTopic,
  type WrittenChoice,
  writeChoice,
  writeQuestion,
} from "./materials-world/write-question.js";
export { writeWrongAnswer } from "./materials-world/wrong-answer.js";
