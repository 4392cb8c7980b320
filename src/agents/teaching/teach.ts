/** @file The outer loop: pairs against the current model, training on them, held-out loss, checkpoint, evaluation, and again. */
import type { Attributes, Span } from "@opentelemetry/api";
import { spanOver, type TokenizedPair } from "../../trainer/index.js";
import { createRng } from "../rng.js";
import { checkPlan } from "./check-plan.js";
import type { StageName, TeachEvent } from "./events.js";
import { beginPhase, keepOrRollBack, saveRound } from "./keep-best.js";
import { heldOutPairs, makePairsOfRound } from "./make-pairs.js";
import { evaluateRound, sampleDemoPrompts } from "./measure-round.js";
import { beginRun, commit, endRun, type Run, type TeachContext } from "./run.js";
import { placeOf, roundsOf, type TeachPlan } from "./teach-plan.js";
import { tokensOfRound } from "./tokenize-round.js";
import { roundSteps, trainRound } from "./train-round.js";

export interface TeachSummary {
  readonly pairs: number;
  readonly steps: number;
  readonly rounds: number;
  /** How often each reason dropped a question or a pair. */
  readonly failures: Readonly<Record<string, number>>;
}

/**
 * Yields everything that happens. In a directory that holds a run of the same plan it goes on where that stopped, and
 * writes what an unbroken run would have written. Throws where the plan is impossible, a round yields too few pairs, or
 * `signal` is aborted; what was finished is kept.
 */
export async function* teach(context: TeachContext, plan: TeachPlan): AsyncGenerator<TeachEvent, TeachSummary> {
  checkPlan(context, plan);
  return yield* spanOver("teach", { "preflexor.rounds": roundsOf(plan), "preflexor.seed": plan.seed }, () =>
    teachInSpan(context, plan),
  );
}

async function* teachInSpan(context: TeachContext, plan: TeachPlan): AsyncGenerator<TeachEvent, TeachSummary> {
  const run = await beginRun(context, plan);
  try {
    run.heldOut = yield* counted(run, heldOutPairs(run));
    run.questions.holdOut(run.heldOut);
    if (run.state.round === 0) yield* beforeFirstRound(run);
    for (let place = placeOf(plan, run.state.round); place !== undefined; place = placeOf(plan, run.state.round)) {
      context.signal?.throwIfAborted();
      yield* counted(run, roundInSpan(run));
    }
    const { step } = run.state;
    return { pairs: run.pairs, steps: step, rounds: roundsOf(plan), failures: run.failures };
  } finally {
    await endRun(run);
  }
}

/** Counts and journals the failures among the events that pass. */
async function* counted<T>(run: Run, events: AsyncGenerator<TeachEvent, T>): AsyncGenerator<TeachEvent, T> {
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) return next.value;
      const event = next.value;
      if (event.kind === "failure") {
        run.failures[event.reason] = (run.failures[event.reason] ?? 0) + 1;
        const { kind: _kind, ...line } = event;
        await run.journal.failures([line]);
      }
      yield event;
    }
  } finally {
    // Where the events are taken no further, what they come from ends as well.
    await events.return(undefined as T);
  }
}

async function* beforeFirstRound(run: Run): AsyncGenerator<TeachEvent> {
  const [first] = run.plan.phases;
  if (run.plan.evaluateEvery > 0 && first !== undefined)
    yield* stageInSpan("evaluate", 0, () => evaluateRound(run, 0, first));
  await commit(run, { round: 1, stage: "pairs" });
}

/** A span for the round and one for each of its stages. */
function roundInSpan(run: Run): AsyncGenerator<TeachEvent> {
  const { round } = run.state;
  const { name = "", loss = "" } = placeOf(run.plan, round)?.phase ?? {};
  const attributes = { "preflexor.round": round, "preflexor.phase": name, "preflexor.loss": loss };
  return spanOver("teach round", attributes, () => oneRound(run));
}

const stageInSpan = (stage: StageName, round: number, work: (span: Span) => AsyncGenerator<TeachEvent>) =>
  spanOver(`teach ${stage}`, { "preflexor.stage": stage, "preflexor.round": round }, work);

async function* oneRound(run: Run): AsyncGenerator<TeachEvent> {
  const { plan } = run;
  const { round } = run.state;
  const place = placeOf(plan, round);
  if (place === undefined) throw new Error(`internal: round ${round} is behind the last`);
  if (run.state.phasesBegun < place.index + 1) yield* beginPhase(run, place);
  if (run.state.stage === "pairs") {
    yield* stageInSpan("pairs", round, () => makePairsOfRound(run, place));
    await commit(run, { stage: "train", roundSteps: 0 });
  }
  if (run.state.stage === "train") {
    const { tokens } = await tokensOfRound(run, place.phase, round);
    yield* stageInSpan("train", round, (span) => train(run, tokens, span));
    yield* stageInSpan("checkpoint", round, () => keepOrRollBack(run, place));
  }
  yield* finishRound(run);
}

/** Steps are events of the span: one each would be thousands. */
async function* train(run: Run, tokens: readonly TokenizedPair[], span: Span): AsyncGenerator<TeachEvent> {
  const { context, plan, journal, state } = run;
  const { round, roundSteps: taken } = state;
  const { phase } = placeOf(plan, round) as { phase: TeachPlan["phases"][number] };
  const before = state.step - taken;
  yield { kind: "stage", stage: "train", round, phase: phase.name, total: roundSteps(tokens.length, phase) };
  const seed = createRng(plan.seed, "train", round).int(2 ** 31);
  for await (const { step, metrics } of trainRound(context, tokens, { ...phase, seed, taken })) {
    await journal.metrics({ kind: "step", step: before + step, round, ...metrics });
    span.addEvent("train step", { "preflexor.step": before + step, ...lossAttribute(metrics) });
    run.roundSteps = step;
    yield { kind: "step", round, step: before + step, metrics };
    if (phase.saveSteps > 0 && step % phase.saveSteps === 0) yield* saveRound(run, before + step, { roundSteps: step });
  }
  run.roundSteps = Math.max(run.roundSteps, taken);
}

const lossAttribute = ({ loss }: Readonly<Record<string, number>>): Attributes =>
  loss === undefined ? {} : { "preflexor.loss.value": loss };

async function* finishRound(run: Run): AsyncGenerator<TeachEvent> {
  const { plan } = run;
  const { round } = run.state;
  const place = placeOf(plan, round) as NonNullable<ReturnType<typeof placeOf>>;
  const { phase, iteration } = place;
  const stops = phase.patience > 0 && run.state.stale >= phase.patience && iteration < phase.iterations;
  const isLast = stops || iteration === phase.iterations;
  if (plan.demoPrompts.length > 0) yield* stageInSpan("samples", round, () => sampleDemoPrompts(run, round, phase));
  if (plan.evaluateEvery > 0 && (isLast || round % plan.evaluateEvery === 0))
    yield* stageInSpan("evaluate", round, () => evaluateRound(run, round, phase));
  if (run.context.publish !== undefined) yield* stageInSpan("publish", round, () => publish(run, round));
  if (stops) yield { kind: "early-stop", round, phase: phase.name, rounds: run.state.stale };
  const next = stops ? round - iteration + phase.iterations + 1 : round + 1;
  await commit(run, { round: next, stage: "pairs", roundSteps: 0 });
}

/** A hub that is out of reach must not end hours of work: it is told, and the next round tries again. */
async function* publish({ context, plan, state }: Run, round: number): AsyncGenerator<TeachEvent> {
  if (context.publish === undefined) return;
  const phase = placeOf(plan, round)?.phase.name ?? "";
  yield { kind: "stage", stage: "publish", round, phase, total: 1 };
  try {
    const where = await context.publish({ round, step: state.step, policy: context.policy }, context.signal);
    yield { kind: "published", round, where };
  } catch (error) {
    context.signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    yield {
      kind: "notice",
      round,
      message: `round ${round} was not published: ${reason}. The next round tries again.`,
    };
  }
}
