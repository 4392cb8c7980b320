/** @file What a round was worth: the held-out loss decides whether its weights stay, and a checkpoint keeps them. */
import { join } from "node:path";
import { needsReference } from "../../trainer/index.js";
import type { TeachEvent } from "./events.js";
import { heldOutMetrics } from "./held-out.js";
import { commit, type Run } from "./run.js";
import type { PhasePlan, placeOf } from "./teach-plan.js";
import type { TeachState } from "./teach-state.js";
import { tokenizeRound } from "./tokenize-round.js";

export type RoundPlace = NonNullable<ReturnType<typeof placeOf>>;

const watches = ({ rollBack, patience }: PhasePlan): boolean => rollBack || patience > 0;

/** A phase begins with fresh moments, its own reference, and the held-out loss that its rounds must lower. */
export async function* beginPhase(run: Run, { phase, index }: RoundPlace): AsyncGenerator<TeachEvent> {
  const { context, state } = run;
  const { policy } = context;
  yield { kind: "phase", round: state.round, phase: phase.name, index };
  if (index > 0) await policy.resetOptimizer();
  if (needsReference(phase.loss)) await policy.markReference();
  const begun = { phasesBegun: index + 1, stale: 0, best: null };
  // The model as it was opened needs no checkpoint, unless a round may have to go back to it.
  if (index === 0 && !watches(phase)) {
    await commit(run, begun);
    return;
  }
  const checkpoint = run.keepsCheckpoints ? await save(run, state.step) : null;
  const { eval_loss: loss } = watches(phase) ? await measure(run, phase, state.step) : {};
  const best = loss === undefined || !Number.isFinite(loss) ? null : { loss, checkpoint };
  await commit(run, { ...begun, checkpoint, best });
}

async function measure(run: Run, phase: PhasePlan, step: number): Promise<Readonly<Record<string, number>>> {
  const { tokens } = await tokenizeRound(run, phase, run.heldOut);
  if (tokens.length === 0)
    throw new Error(
      "expected held-out pairs to measure the loss on, found none that fit: raise max_length or held_out_pairs",
    );
  const metrics = await heldOutMetrics(run.context.policy, tokens, phase, run.context.signal);
  await run.journal.metrics({ kind: "held-out", step, round: run.state.round, ...metrics });
  return metrics;
}

/** After a round's last step: measures, keeps the weights in a checkpoint or goes back to the best ones. */
export async function* keepOrRollBack(run: Run, { phase }: RoundPlace): AsyncGenerator<TeachEvent> {
  const { state, context } = run;
  const { round } = state;
  const step = state.step - state.roundSteps + run.roundSteps;
  const done = { step, stage: "evaluate" as const, roundSteps: 0 };
  if (!watches(phase)) {
    yield* saveRound(run, step, done);
    return;
  }
  const metrics = await measure(run, phase, step);
  const loss = metrics["eval_loss"] as number;
  const { best } = state;
  const isBetter = Number.isFinite(loss) && (best === null || loss < best.loss);
  const kept = isBetter || best === null || !phase.rollBack;
  yield { kind: "held-out", round, metrics, best: isBetter ? loss : (best?.loss ?? loss), kept };
  const stale = isBetter ? 0 : state.stale + 1;
  if (kept) {
    const checkpoint = run.keepsCheckpoints ? nameOf(step) : null;
    yield* saveRound(run, step, { ...done, stale, ...(isBetter && { best: { loss, checkpoint } }) });
    return;
  }
  const { checkpoint } = best;
  if (checkpoint === null) throw new Error("internal: a run that rolls back keeps checkpoints");
  await context.policy.loadCheckpoint(join(run.checkpoints, checkpoint));
  await commit(run, { ...done, stale, checkpoint });
}

/** Saves the weights and lets the state go on from them. */
export async function* saveRound(run: Run, step: number, change: Partial<TeachState>): AsyncGenerator<TeachEvent> {
  const { round, phase } = run.state;
  if (!run.keepsCheckpoints) {
    await commit(run, { step, ...change });
    return;
  }
  yield { kind: "stage", stage: "checkpoint", round, phase, total: 1 };
  const checkpoint = await save(run, step);
  await commit(run, { step, checkpoint, ...change });
  yield { kind: "checkpoint", round, path: join(run.checkpoints, checkpoint) };
}

const nameOf = (step: number): string => `checkpoint-${step}`;

async function save({ context, checkpoints, plan, state }: Run, step: number): Promise<string> {
  const name = nameOf(step);
  await context.policy.saveCheckpoint(join(checkpoints, name), { round: state.round, run_step: step, seed: plan.seed });
  return name;
}
