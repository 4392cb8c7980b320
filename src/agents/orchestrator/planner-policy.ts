/**
 * @file The policy of the planner that is a program: what it does next, as a function of the task and of every result so far.
 *
 * 1. After an error it does what the error names, tries the same call once more where it names nothing else, then gives the
 *    call up (`recover`).
 * 2. Corpus; then the baseline: every question once.
 * 3. Pairs, on the topics in turn, until the round has as many as it wants that can be trained on. A topic that brought
 *    fewer than were asked for is left aside; without topics, passages are drawn by chance.
 * 4. Training: ORPO; EXO in later rounds, once half of the replies think and then answer. ORPO again on the same pairs
 *    while the loss fell by a tenth, at most three times.
 * 5. The questions again. Another round where the score rose or more replies think or answer, and rounds, trainings and calls are left.
 * 6. The report. Whatever is left open, calls for the questions after the last training are kept in reserve.
 */
import type { OrchestratorTask } from "./orchestrator-task.js";
import { ask, GAIN, ingest, MOST_PAIRS, type PlannerMove, pairs, report, train } from "./planner-moves.js";
import { recover } from "./planner-recovery.js";
import { TOOLS } from "./run-facts.js";
import { type Measured, progressOf, type RunProgress } from "./run-progress.js";
import type { ToolRecord } from "./tool-records.js";

export function nextMove(task: OrchestratorTask, records: readonly ToolRecord[]): PlannerMove {
  const progress = progressOf(task, records);
  if (progress.callsLeft <= 0) return report(progress, "all calls of tools are made");
  const last = records.at(-1);
  const failed = last === undefined || last.ok ? undefined : last;
  const recovery = failed && recover(task, records, progress);
  if (recovery !== undefined) return recovery;
  // What has failed and was not recovered from is given up.
  const givenUp = (name: string): string | undefined => (failed?.name === name ? failed.error : undefined);
  if (!progress.ingested) {
    const error = givenUp(TOOLS.ingest);
    return error === undefined ? ingest(task) : report(progress, `the corpus cannot be ingested (${error})`);
  }
  const trainError = givenUp(TOOLS.train);
  return progress.trainings === 0 ? begin(task, progress, trainError) : goOn(task, progress, trainError);
}

function begin(task: OrchestratorTask, progress: RunProgress, trainError: string | undefined): PlannerMove {
  const [question] = progress.open;
  if (question !== undefined) return ask(task, question, "the baseline, before anything is trained");
  return pairsThenTraining(task, progress, trainError);
}

function goOn(task: OrchestratorTask, progress: RunProgress, trainError: string | undefined): PlannerMove {
  const { open, newPairs, callsLeft, trainings } = progress;
  if (newPairs > 0) return pairsThenTraining(task, progress, trainError);
  const isUnasked = open.length === task.questions.length;
  const hasRoom = callsLeft > open.length && trainings < task.limits.trainings && trainError === undefined;
  if (isUnasked && hasRoom && stillFalls(progress)) return train(task, progress, "the loss still falls");
  const [question] = open;
  if (question !== undefined) return ask(task, question, "the same question, after training");
  const stop = reasonToStop(task, progress);
  return stop === undefined ? pairsThenTraining(task, progress, trainError) : report(progress, stop);
}

function pairsThenTraining(task: OrchestratorTask, progress: RunProgress, trainError: string | undefined): PlannerMove {
  const { newPairs, callsLeft, pairCalls, trainings } = progress;
  if (trainError !== undefined) return report(progress, `the training fails (${trainError})`);
  if (trainings >= task.limits.trainings) return report(progress, "all trainings are made");
  const reserve = task.questions.length + 1;
  const mayMake = callsLeft > reserve && pairCalls < mostPairCalls(task);
  if (newPairs < task.pairsPerRound && mayMake) return pairs(task, progress);
  if (newPairs === 0) return report(progress, "no pairs could be made");
  return train(task, progress, `${newPairs} new pairs can be trained on`);
}

/** As many as topics and full batches need, and as many again for those that come to nothing. */
const mostPairCalls = ({ topics, pairsPerRound }: OrchestratorTask): number =>
  4 + 2 * Math.max(topics.length, Math.ceil(pairsPerRound / MOST_PAIRS));

/** Fell by less is noise of the batches. */
const STILL_FALLS = 0.9;
/** More passes over the same few pairs would learn them by heart. */
const MOST_TRAININGS = 3;

/** The last training brought the loss clearly below where the training before had left it, or where it began itself. */
function stillFalls({ roundTrainings }: RunProgress): boolean {
  const [now, before] = [roundTrainings.at(-1), roundTrainings.at(-2)];
  // Where a loss has a reference, each call has another one: its losses do not compare.
  if (now?.lossType !== "orpo" || roundTrainings.length >= MOST_TRAININGS) return false;
  return now.loss.last < STILL_FALLS * (before?.loss.last ?? now.loss.first);
}

function reasonToStop(task: OrchestratorTask, progress: RunProgress): string | undefined {
  const { evaluations, rounds, trainings, callsLeft, pairCalls } = progress;
  if (rounds >= task.rounds) return rounds === 1 ? "the one round is made" : `all ${rounds} rounds are made`;
  if (trainings >= task.limits.trainings) return "all trainings are made";
  if (callsLeft < task.questions.length + 2) return "too few calls are left for another round";
  if (pairCalls > 0) return undefined;
  const [before, now] = evaluations.slice(-2) as [Measured, Measured];
  const gains = (["score", "thinking", "complete"] as const).map((key) => now[key] - before[key]);
  return Math.max(...gains) >= GAIN ? undefined : "the last round brought no gain";
}
