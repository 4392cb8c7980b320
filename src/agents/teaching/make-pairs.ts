/** @file The stage that makes pairs: those of a round, of a whole phase at once, or the ones held out. */
import type { PreferencePair } from "../../trainer/index.js";
import { createRng } from "../rng.js";
import { createPairMakers, type PairMakers } from "./answer-pair.js";
import type { TeachEvent } from "./events.js";
import type { RoundPlace } from "./keep-best.js";
import { type MadePair, makeRoundPairs, normalizedQuestion, type RoundPlan } from "./round-pairs.js";
import { type Run, stepOfWeights } from "./run.js";
import { readHeldOutPairs, writeHeldOutPairs } from "./run-journal.js";
import { checkerJudge, referenceJudge } from "./sample-judges.js";
import { newTokens, type PhasePlan, pairsOf } from "./teach-plan.js";
import { tokenizeRound } from "./tokenize-round.js";

/** Pairs made before the first round, by the first phase's rules but of any answers: right ones are a fair test too. */
export async function* heldOutPairs(run: Run): AsyncGenerator<TeachEvent, readonly PreferencePair[]> {
  const { plan, context, state } = run;
  const [first] = plan.phases;
  if (plan.heldOutPairs === 0 || first === undefined) return [];
  const { directory } = context;
  if (directory !== undefined && state.round > 0) return readHeldOutPairs(directory);
  yield { kind: "stage", stage: "pairs", round: 0, phase: first.name, total: plan.heldOutPairs };
  const seed = createRng(plan.seed, "held-out").int(2 ** 31);
  const phase = { ...first, onlyWrong: false, minPairs: 1 };
  const asked = { ...roundPlan(run, phase, 0), seed, pairs: plan.heldOutPairs };
  const made = (yield* madeBy(run, phase, asked, new Set())).map(({ pair }) => pair);
  if (directory !== undefined) await writeHeldOutPairs(directory, made);
  return made;
}

/** Pairs of this round; where they are not made on the fly, those of all rounds of the phase. */
export async function* makePairsOfRound(run: Run, place: RoundPlace): AsyncGenerator<TeachEvent> {
  const { phase, iteration } = place;
  const { round } = run.state;
  if (phase.onTheFly) {
    yield* makePairs(run, phase, round);
    return;
  }
  if (iteration > 1) return;
  for (let i = 0; i < phase.iterations; i++) yield* makePairs(run, phase, round + i);
}

async function* makePairs(run: Run, phase: PhasePlan, round: number): AsyncGenerator<TeachEvent> {
  const wanted = pairsOf(phase);
  yield { kind: "stage", stage: "pairs", round, phase: phase.name, total: wanted };
  const taken = new Set(run.heldOut.map(({ provenance }) => normalizedQuestion(provenance.question ?? "")));
  const reasons: Record<string, number> = {};
  const made = yield* noted(reasons, madeBy(run, phase, roundPlan(run, phase, round), taken));
  const { texts, dropped } = await tokenizeRound(
    run,
    phase,
    made.map(({ pair }) => pair),
  );
  for (const { reason, topic } of dropped) {
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    yield { kind: "failure", round, topic, reason };
  }
  if (texts.length < phase.minPairs) throw new Error(tooFew(round, wanted, texts.length, phase.minPairs, reasons));
  const kept = new Set(texts);
  run.questions.recordMade(
    made.filter(({ pair }) => kept.has(pair)),
    round,
  );
  run.made.set(round, texts);
  run.pairs += texts.length;
  await run.journal.pairs(texts);
  for (const pair of texts) yield { kind: "pair", round, pair };
}

function roundPlan({ plan, context }: Run, phase: PhasePlan, round: number): RoundPlan {
  const sampling = { ...phase.sampling, maxNewTokens: newTokens(context, phase, phase.sampling.maxNewTokens) };
  return { ...phase, sampling, phase: phase.name, round, seed: plan.seed, concurrency: plan.concurrency };
}

async function* madeBy(
  run: Run,
  phase: PhasePlan,
  plan: RoundPlan,
  taken: Set<string>,
): AsyncGenerator<TeachEvent, readonly MadePair[]> {
  const { context, questions } = run;
  const { environment, judge, pairSource } = context;
  const marks =
    environment !== undefined
      ? checkerJudge(environment, phase.onlyWrong)
      : judge !== undefined && (phase.onlyWrong || phase.rejectedRule === "wrong-first")
        ? referenceJudge(judge, phase.onlyWrong)
        : undefined;
  const { judge: _judge, ...student } = context;
  const round = {
    ...student,
    trainedSteps: stepOfWeights(run),
    ...(marks && { judge: marks }),
    // An environment names its questions itself, and asks each again in another round.
    ...(environment === undefined && {
      draws: (count: number, seed: number) => questions.draws(count, phase.contextPassages, seed),
      refuse: (question: string) => questions.problem(question),
    }),
  };
  if (pairSource !== undefined) return yield* pairSource(round, plan, taken);
  return yield* makeRoundPairs({ ...round, makers: await makersOf(run, phase) }, plan, taken);
}

/** Agents are built once for each way of writing, not once a round. */
async function makersOf(run: Run, { contextPassages, k, retrieve, reflection }: PhasePlan): Promise<PairMakers> {
  const key = JSON.stringify([contextPassages, k, retrieve, reflection]);
  const known = run.makers.get(key);
  if (known !== undefined) return known;
  const { teacher: model, store, calls } = run.context;
  const makers = await createPairMakers({
    model,
    store,
    k,
    contextPassages,
    reflection,
    retrieve,
    ...(calls && { calls }),
  });
  run.makers.set(key, makers);
  return makers;
}

/** Counts the failures among the events that pass. */
async function* noted<T>(
  reasons: Record<string, number>,
  events: AsyncGenerator<TeachEvent, T>,
): AsyncGenerator<TeachEvent, T> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
    if (next.value.kind === "failure") reasons[next.value.reason] = (reasons[next.value.reason] ?? 0) + 1;
    yield next.value;
  }
}

function tooFew(
  round: number,
  wanted: number,
  found: number,
  least: number,
  reasons: Readonly<Record<string, number>>,
): string {
  const counts = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const list = counts.map(([reason, count]) => `${count} × ${reason}`).join("; ");
  return (
    `round ${round}: expected up to ${wanted} preference pairs and at least ${least}, found ${found} ` +
    `(${list || "no question could be asked"}). Nothing was trained in this round. Ingest more text, choose other topics, or use another teacher; ` +
    "where the student's answers are all right, turn only_include_wrong_answers off or stop here; where pairs are too long, raise max_length."
  );
}
