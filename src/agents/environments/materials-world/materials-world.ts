/** @file The materials world: invented materials whose classes follow from two facts each, by tables without shortcuts. */
import type { BaseRow, Environment } from "../environment.js";
import { baseRows, recallProbes } from "./base-rows.js";
import { createChecker } from "./checker.js";
import { documents } from "./documents.js";
import { classSentence, type QuestionType, questionTypes } from "./language.js";
import { drawSplits, questions } from "./questions.js";
import { classValues, createWorld } from "./world.js";

export interface MaterialsWorldOptions {
  readonly seed: number;
  /** 24 or more; 240 gives 210 questions for either held-out split. */
  readonly materials?: number;
}

export interface MaterialsWorld extends Environment {
  /** The predicate for whoever writes training questions: false for everything held out or unknown. */
  isTrainable(subject: string, type: string): boolean;
}

export function createMaterialsWorld({ seed, materials = 240 }: MaterialsWorldOptions): MaterialsWorld {
  const problems = [
    ...(Number.isSafeInteger(seed) ? [] : [`seed: expected an integer, found ${seed}`]),
    ...(Number.isInteger(materials) && materials >= 24 && materials <= 1000
      ? []
      : [`materials: expected an integer from 24 to 1000, found ${materials}`]),
  ];
  if (problems.length > 0) throw new Error(`materials world: ${problems.join("; ")}`);

  const world = createWorld(seed, materials);
  const splitOf = drawSplits(world);
  const asked = questions(world, splitOf);
  const rows = baseRows(world);
  return {
    name: "materials-world",
    seed,
    documents: documents(world),
    questions: (split) => asked.filter((question) => question.split === split),
    chance: (type) => 1 / candidatesOf(type).length,
    check: createChecker(world),
    baseRows: () => rows,
    recallProbes: () => recallProbes(world),
    vocabulary: () =>
      vocabulary(
        [...world.materials, ...world.handbook].map(({ name }) => name),
        rows,
      ),
    isTrainable: (subject, type) => isQuestionType(type) && splitOf(subject, type) === "train",
  };
}

const isQuestionType = (type: string): type is QuestionType => questionTypes.some((known) => known === type);

function candidatesOf(type: string): readonly string[] {
  if (isQuestionType(type)) return classValues[type];
  throw new Error(`question type: expected one of ${questionTypes.join(", ")}, found "${type}"`);
}

/** Names first, then every other word of the rows and of an answer, each as it is written. */
function vocabulary(names: readonly string[], rows: readonly BaseRow[]): string[] {
  const texts = rows.flatMap((row) => (row.kind === "text" ? [row.text] : [row.user, row.assistant]));
  const answers = questionTypes.map((type) => classSentence(type, "", ""));
  const words = [...texts, ...answers].flatMap((text) => text.match(/[A-Za-z]+/g) ?? []);
  return [...new Set([...names, ...words])];
}
