/** @file The materials world: invented materials whose classes follow from two facts each, by tables without shortcuts. */
import type { BaseRow, Environment, EnvironmentQuestion } from "../environment.js";
import { baseRows, recallProbes } from "./base-rows.js";
import { createChecker } from "./checker.js";
import { type CoupleCounts, choices, classPairs, createGoldPosition, defaultCouples } from "./choices.js";
import { comparisonDocuments, comparisonRows } from "./comparison-notes.js";
import { documents } from "./documents.js";
import { choiceTypes, classSentence, type QuestionType, questionTypes } from "./language.js";
import { drawSplits, questions } from "./questions.js";
import { readQuestion } from "./reading.js";
import { classValues, createWorld } from "./world.js";

export interface MaterialsWorldOptions {
  readonly seed: number;
  /** 24 or more; 240 gives 210 questions about one material for either held-out split. */
  readonly materials?: number;
  /** Asks also which of two materials has a class, after all other questions. Default false. */
  readonly choices?: boolean;
  /** Couples (such a question in both orders) a type and split, in multiples of 12. Default for 240 materials: 96 and 36. */
  readonly choicesPerType?: Partial<CoupleCounts>;
  /** Documents and base rows also state the facts of two materials in turn. Default: as `choices`. */
  readonly comparisonNotes?: boolean;
}

export interface MaterialsWorld extends Environment {
  /**
   * The predicate for whoever writes training questions: false for everything held out or unknown. Two candidates are
   * the subject "Veltrin and Morkax", in the order of the question; `value` is the class that it names.
   */
  isTrainable(subject: string, type: string, value?: string): boolean;
  /** Where the right one of two candidates stands; undefined for other questions. For scores, after all replies are in. */
  goldPosition(question: Pick<EnvironmentQuestion, "text">): 0 | 1 | undefined;
}

export function createMaterialsWorld(options: MaterialsWorldOptions): MaterialsWorld {
  const { seed, materials = 240, choices: withChoices = false, comparisonNotes = withChoices } = options;
  const couples = { ...defaultCouples(materials), ...options.choicesPerType };
  const problems = [
    ...(Number.isSafeInteger(seed) ? [] : [`seed: expected an integer, found ${seed}`]),
    ...(Number.isInteger(materials) && materials >= 24 && materials <= 1000
      ? []
      : [`materials: expected an integer from 24 to 1000, found ${materials}`]),
    ...coupleProblems(couples),
  ];
  if (problems.length > 0) throw new Error(`materials world: ${problems.join("; ")}`);

  const world = createWorld(seed, materials);
  const splitOf = drawSplits(world);
  const asked = [...questions(world, splitOf), ...(withChoices ? choices(world, splitOf, couples) : [])];
  const rows = [...baseRows(world), ...(comparisonNotes ? comparisonRows(world) : [])];
  const types = [...questionTypes, ...(withChoices ? choiceTypes : [])];
  return {
    name: "materials-world",
    seed,
    documents: [...documents(world), ...(comparisonNotes ? comparisonDocuments(world) : [])],
    questions: (split) => asked.filter((question) => question.split === split),
    chance: (type) => chanceOf(type, types),
    check: createChecker(world),
    baseRows: () => rows,
    recallProbes: () => recallProbes(world),
    vocabulary: () =>
      vocabulary(
        [...world.materials, ...world.handbook].map(({ name }) => name),
        rows,
      ),
    isTrainable: createTrainable(asked),
    goldPosition: createGoldPosition(world),
  };
}

const coupleProblems = (couples: CoupleCounts): string[] =>
  Object.entries(couples).flatMap(([split, count]) =>
    Number.isInteger(count) && count > 0 && count % classPairs === 0
      ? []
      : [`choicesPerType.${split}: expected a multiple of ${classPairs}, found ${count}`],
  );

const isQuestionType = (type: string): type is QuestionType => questionTypes.some((known) => known === type);

function chanceOf(type: string, types: readonly string[]): number {
  if (!types.includes(type)) throw new Error(`question type: expected one of ${types.join(", ")}, found "${type}"`);
  return 1 / (isQuestionType(type) ? classValues[type].length : 2);
}

function createTrainable(asked: readonly EnvironmentQuestion[]): MaterialsWorld["isTrainable"] {
  const keyOf = (subject: string, type: string, value = "*"): string => `${type}/${subject}/${value}`;
  const keys = asked.flatMap(({ split, subject, type, text }) =>
    split === "train" ? [keyOf(subject, type), keyOf(subject, type, readQuestion(text)!.value)] : [],
  );
  const trainable = new Set(keys);
  return (subject, type, value) => trainable.has(keyOf(subject, type, value));
}

/** Names first, then every other word of the rows and of an answer, each as it is written. */
function vocabulary(names: readonly string[], rows: readonly BaseRow[]): string[] {
  const texts = rows.flatMap((row) => (row.kind === "text" ? [row.text] : [row.user, row.assistant]));
  const answers = questionTypes.map((type) => classSentence(type, "", ""));
  const words = [...texts, ...answers].flatMap((text) => text.match(/[A-Za-z]+/g) ?? []);
  return [...new Set([...names, ...words])];
}
