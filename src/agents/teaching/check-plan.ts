/** @file What makes a self-teaching plan impossible, all of it at once. */
import { type PhasePlan, REJECTED_RULES, type TeachPlan } from "./teach-plan.js";

const WHOLE_FROM_1 = [
  "iterations",
  "questionsForEach",
  "contextPassages",
  "k",
  "samples",
  "minPairs",
  "maxPromptLength",
  "maxLength",
  "batchPairs",
] as const;

/** What a run has for its plan; here it only matters whether it is there. */
export interface PlanMeans {
  readonly environment?: unknown;
  readonly judge?: unknown;
  readonly replay?: unknown;
}

export function checkPlan(context: PlanMeans, plan: TeachPlan): void {
  const problems = [
    ...(plan.phases.length === 0 ? ["phases: expected at least one, found none"] : []),
    ...duplicateNames(plan.phases),
    ...plan.phases.flatMap((phase) => phaseProblems(context, plan, phase).map((problem) => `${phase.name}.${problem}`)),
    ...evaluationProblems(context, plan),
  ];
  if (problems.length > 0) throw new Error(`self-teaching plan: ${problems.join("; ")}`);
}

export function duplicateNames(phases: readonly { readonly name: string }[]): string[] {
  const names = phases.map(({ name }) => name);
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  return twice.map((name) => `phases: expected a name of its own for each, found "${name}" twice`);
}

function phaseProblems(
  { environment, judge, replay }: PlanMeans,
  { heldOutPairs }: TeachPlan,
  phase: PhasePlan,
): string[] {
  const knowsRight = environment !== undefined || judge !== undefined;
  const { topics, samples, rejectedRule: rule } = phase;
  return [
    ...WHOLE_FROM_1.filter((name) => !isWholeFrom1(phase[name])).map(
      (name) => `${name}: expected a whole number from 1, found ${phase[name]}`,
    ),
    ...(typeof topics === "number" && !isWholeFrom1(topics)
      ? [`topics: expected a list or a whole number from 1, found ${topics}`]
      : []),
    ...(typeof topics !== "number" && topics.length === 0
      ? ["topics: expected at least one, found an empty list; give a number for random passages"]
      : []),
    ...(phase.steps === undefined && !(phase.epochs > 0)
      ? [`epochs: expected a number above 0, found ${phase.epochs}`]
      : []),
    ...(phase.steps !== undefined && !isWholeFrom1(phase.steps)
      ? [`steps: expected a whole number from 1, found ${phase.steps}`]
      : []),
    ...(phase.onlyWrong && !knowsRight
      ? ["onlyWrong: needs an environment that can check answers, or a judge (e.g. the lexical one)"]
      : []),
    ...(phase.onlyWrong && !phase.rejectedFromStudent
      ? ["onlyWrong: is about the student's answers, and rejectedFromStudent is off"]
      : []),
    ...(REJECTED_RULES.includes(rule)
      ? []
      : [`rejectedRule: expected one of ${REJECTED_RULES.join(", ")}, found ${rule}`]),
    ...(rule === "wrong-first" && !knowsRight ? ["rejectedRule: wrong-first needs an environment or a judge"] : []),
    ...(samples > 1 && phase.sampling.temperature === 0
      ? [`samples: ${samples} greedy samples are all the same; raise the temperature`]
      : []),
    ...(phase.replayShare > 0 && replay === undefined ? ["replayShare: needs a supplier of texts (replay)"] : []),
    ...((phase.rollBack || phase.patience > 0) && heldOutPairs < 1
      ? [
          "rollBack (roll_back), patience: look at the held-out loss, so heldOutPairs (held_out_pairs) must be 1 or more",
        ]
      : []),
  ];
}

function evaluationProblems({ environment }: PlanMeans, plan: TeachPlan): string[] {
  const { evaluationQuestions: questions } = plan;
  return [
    ...(questions.length > 0 && environment === undefined
      ? ["evaluationQuestions: need the environment that they are of"]
      : []),
    ...(questions.some((question) => question.split === "train")
      ? ["evaluationQuestions: expected held-out questions, found some of the split train"]
      : []),
  ];
}

const isWholeFrom1 = (value: number): boolean => Number.isInteger(value) && value >= 1;
