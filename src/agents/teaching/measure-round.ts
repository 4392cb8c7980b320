/** @file What is measured between rounds: held-out questions, preference among held-out pairs, and prompts for people to read. */
import type { Environment } from "../environments/environment.js";
import { preferenceAccuracy } from "../evaluation/evaluate-pairs.js";
import { evaluateQuestions } from "../evaluation/evaluate-questions.js";
import { withReports } from "../report-progress.js";
import { replies } from "../student.js";
import type { EvaluationResult, TeachEvent } from "./events.js";
import type { Run } from "./run.js";
import { newTokens, type PhasePlan } from "./teach-plan.js";
import { tokenizeRound } from "./tokenize-round.js";

/** Greedy replies to the demo prompts, told and journalled. */
export async function* sampleDemoPrompts(run: Run, round: number, phase: PhasePlan): AsyncGenerator<TeachEvent> {
  const { context, plan, journal } = run;
  const { demoPrompts, demoTokens } = plan;
  if (demoPrompts.length === 0) return;
  yield { kind: "stage", stage: "samples", round, phase: phase.name, total: demoPrompts.length };
  const turns = demoPrompts.map((prompt) => ({ prompt: prompt + phase.promptSuffix, seed: plan.seed }));
  const { signal } = context;
  const maxNewTokens = newTokens(context, phase, demoTokens);
  const found = await replies(context, turns, { maxNewTokens, temperature: 0, topP: 1, ...(signal && { signal }) });
  const samples = found.map(({ text: reply }, i) => ({ prompt: demoPrompts[i] as string, reply }));
  await journal.samples(samples.map((sample) => ({ round, ...sample })));
  yield { kind: "samples", round, samples };
}

/** Verified accuracy by split, then preference accuracy of the held-out pairs; each where there is anything to ask. */
export async function* evaluateRound(run: Run, round: number, phase: PhasePlan): AsyncGenerator<TeachEvent> {
  const { context, plan, journal, heldOut, state } = run;
  const { evaluationQuestions } = plan;
  const total = evaluationQuestions.length + heldOut.length;
  if (total === 0) return;
  yield { kind: "stage", stage: "evaluate", round, phase: phase.name, total };
  const { step } = state;
  if (context.environment !== undefined) {
    for (const split of new Set(evaluationQuestions.map((question) => question.split))) {
      const result = yield* evaluateSplit(run, context.environment, split, phase);
      await journal.metrics({ kind: "evaluation", step, round, ...result });
      yield { kind: "evaluation", round, result };
    }
  }
  const { tokens } = await tokenizeRound(run, phase, heldOut);
  if (tokens.length === 0) return;
  const preference = await preferenceAccuracy(context.policy, tokens);
  await journal.metrics({ kind: "preference-accuracy", step, round, ...preference });
  yield { kind: "preference-accuracy", round, ...preference };
}

async function* evaluateSplit(
  { context, plan }: Run,
  environment: Environment,
  split: string,
  phase: PhasePlan,
): AsyncGenerator<TeachEvent, EvaluationResult> {
  const questions = plan.evaluationQuestions.filter((question) => question.split === split);
  return yield* withReports<TeachEvent, EvaluationResult>((report) =>
    evaluateQuestions(context, environment, questions, {
      suffix: phase.promptSuffix,
      maxNewTokens: newTokens(context, phase, plan.evaluationMaxNewTokens),
      onProgress: (done, total) => report({ kind: "progress", done, total, note: split }),
      ...(context.signal && { signal: context.signal }),
    }),
  );
}
