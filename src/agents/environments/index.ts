/** @file The door of the environments. */
export type { BaseRow, Environment, EnvironmentDocument, EnvironmentQuestion, Split, Verdict } from "./environment.js";
export {
  critique,
  type Revision,
  type RevisionOptions,
  reviseThinking,
  scoreThinking,
} from "./materials-world/critic.js";
export type { PassageText } from "./materials-world/evidence.js";
export {
  type ClassQuestion,
  type FactKind,
  type QuestionType,
  questionTypes,
  readQuestion,
} from "./materials-world/language.js";
export {
  createMaterialsWorld,
  type MaterialsWorld,
  type MaterialsWorldOptions,
} from "./materials-world/materials-world.js";
export {
  type Allowed,
  followUpQuery,
  type Layout,
  layOut,
  queriesFor,
  writeQuestion,
} from "./materials-world/teacher.js";
