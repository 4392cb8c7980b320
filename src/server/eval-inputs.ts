/** @file What a model is evaluated on: questions of an environment, held-out pairs, questions of a file. */
import { z } from "zod";
import type { EnvironmentQuestion, MaterialsWorld } from "../agents/environments/index.js";
import type { MarkingEnvironment, OpenQuestion, PairJudge } from "../agents/index.js";
import { readPreferences } from "../trainer/index.js";
import type { CommandFrame } from "./command-frame.js";
import { readConfig } from "./config.js";
import { openJudge } from "./eval-judge.js";
import type { EvalOptions, EvalPlan } from "./eval-plan.js";
import { parseJsonLines, readText } from "./eval-replies.js";

/** Held-out questions, and by whom they are marked; `world` is what recursion retrieves from. */
export interface EnvironmentInputs {
  readonly name: string;
  readonly seed: number;
  readonly environment: MarkingEnvironment;
  readonly splits: readonly (readonly EnvironmentQuestion[])[];
  readonly world: Pick<MaterialsWorld, "documents">;
}

export type PairsFile = Awaited<ReturnType<typeof readPreferences>> & { readonly file: string };

export interface QuestionsFile {
  readonly file: string;
  readonly list: readonly OpenQuestion[];
}

export interface EvalInputs {
  readonly environment: EnvironmentInputs | undefined;
  readonly pairs: PairsFile | undefined;
  readonly questions: QuestionsFile | undefined;
  readonly judge: PairJudge | undefined;
}

/** Throws where a file cannot be read or the judge cannot be opened, before a model is. */
export async function readInputs(
  options: EvalOptions,
  plan: EvalPlan,
  { display, signal, onEnd }: CommandFrame,
): Promise<EvalInputs> {
  const { pairs, questions, limit } = options;
  return {
    environment: plan.environment === undefined ? undefined : await openEnvironment(options),
    pairs: pairs === undefined ? undefined : await readPairs(pairs, limit),
    questions: questions === undefined ? undefined : { file: questions, list: await readQuestions(questions, options) },
    judge: plan.judge === undefined ? undefined : await judge(plan.judge),
  };

  async function judge(name: string): Promise<PairJudge> {
    const opened = await openJudge(name, readConfig(), (sentence) => display.line(sentence), signal);
    onEnd(opened.close);
    return opened.judge;
  }
}

const HELD_OUT = ["unseen-combination", "unseen-material"] as const;

async function openEnvironment({ worldSeed, limit }: EvalOptions): Promise<EnvironmentInputs> {
  const { createMaterialsWorld } = await import("../agents/environments/index.js");
  const world = createMaterialsWorld({ seed: worldSeed });
  return {
    name: world.name,
    seed: world.seed,
    environment: world,
    splits: HELD_OUT.map((split) => world.questions(split).slice(0, limit)),
    world,
  };
}

async function readPairs(file: string, limit: number | undefined): Promise<PairsFile> {
  const { rows, ...dataset } = await readPreferences(file);
  return { ...dataset, rows: rows.slice(0, limit), file };
}

const questionSchema = z.object({
  question: z.string("expected a text").trim().min(1, "expected a text, found nothing"),
  reference: z.string("expected a text").trim().min(1, "expected a text, found nothing").optional(),
});

async function readQuestions(file: string, { limit, judge, against }: EvalOptions): Promise<OpenQuestion[]> {
  const rows = parseJsonLines(await readText(file, "--questions"), file, questionSchema, '{"question", "reference"?}');
  const list = rows.slice(0, limit).map(({ question, reference }, i) => ({
    id: `question-${i}`,
    text: question,
    ...(reference !== undefined && { reference }),
  }));
  const without = list.filter(({ reference }) => reference === undefined).length;
  if (against !== undefined && (judge ?? "lexical") === "lexical" && without > 0) {
    throw new Error(
      `${file}: ${without} question(s) have no reference for the lexical judge; add "reference", or name a chat model with --judge provider:model`,
    );
  }
  return list;
}
