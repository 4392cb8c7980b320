/** @file The pairs of one call: drafted at once, drawn anew where a question came to nothing, answered by the student in one batch. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { drawPassages } from "../agents/corpus/index.js";
import type { Environment } from "../agents/environments/index.js";
import {
  type ChosenDraft,
  completePairs,
  createPairMakers,
  type DraftOutcome,
  makeDrafts,
  type PairMakers,
  type PairTask,
  type PassageStore,
  type PhasePlan,
  type Student,
} from "../agents/index.js";
import { draftProblem } from "../agents/teaching/draft-checks.js";
import { normalizedQuestion } from "../agents/teaching/round-pairs.js";
import type { PreferencePair } from "../trainer/index.js";
import type { ReportProgress } from "./progress.js";

export interface PairBatchContext {
  readonly student: Student;
  readonly store: PassageStore;
  readonly model: BaseChatModel;
  /** Where there is one, its held-out questions are not asked, and its own wordings are not held to the rules of free text. */
  readonly environment: Environment | undefined;
  readonly phase: PhasePlan;
  readonly signal: AbortSignal;
  readonly report: ReportProgress;
  /** Called with pairs as they are complete, so that a later failure loses none. */
  readonly keep: (pairs: readonly PreferencePair[]) => Promise<void>;
}

export interface PairBatchPlan {
  readonly count: number;
  readonly topic?: string;
  /** The first of the seeds; no two tasks of a run share one. */
  readonly seed: number;
  /** What this model, as it is now, was asked already. */
  readonly asked: readonly string[];
}

export interface PairBatch {
  readonly pairs: readonly PreferencePair[];
  readonly failures: readonly CountedFailure[];
  /** Nothing new could be asked, so the one pair is about a question that was asked before. */
  readonly repeated: boolean;
}

export interface CountedFailure {
  readonly reason: string;
  readonly count: number;
  /** Of the first of them, what exactly. */
  readonly detail?: string;
}

/** Draws this often: a random draw can hold nothing that may be asked about, another one mostly does. */
const MOST_DRAWS = 4;

const ASKED_BEFORE = "the question was asked before";
const HELD_OUT = "the question is held out";

/** Up to `count` pairs, fewer where questions come to nothing; at least one as long as anything at all can be asked. */
export async function makePairBatch(context: PairBatchContext, plan: PairBatchPlan): Promise<PairBatch> {
  const batch = await Batch.begin(context, plan);
  for (let draw = 0; draw < MOST_DRAWS && batch.wanted > 0; draw++) {
    const outcomes = await batch.draft(await batch.tasks(draw));
    await batch.complete(batch.fresh(outcomes));
    // The same passages would say the same again.
    if (plan.topic !== undefined && outcomes.every(isThrown)) break;
  }
  const repeated = batch.pairs.length === 0 && batch.hasRepeats;
  if (repeated) await batch.repeat();
  return { pairs: batch.pairs, failures: batch.failures(), repeated };
}

/** Neither this file's refusal nor the checks': the teacher or the search gave up. */
const isThrown = (outcome: DraftOutcome): boolean =>
  outcome.kind === "failure" &&
  ![ASKED_BEFORE, HELD_OUT].includes(outcome.reason) &&
  !/ is unfit: /.test(outcome.reason);

class Batch {
  readonly pairs: PreferencePair[] = [];
  hasRepeats = false;
  private readonly taken: Set<string>;
  private readonly heldOut: ReadonlySet<string>;
  private readonly counts = new Map<string, CountedFailure>();
  private seed: number;
  private done = 0;

  private constructor(
    private readonly context: PairBatchContext,
    private readonly plan: PairBatchPlan,
    private readonly makers: PairMakers,
  ) {
    this.seed = plan.seed;
    this.taken = new Set(plan.asked.map(normalizedQuestion));
    this.heldOut = heldOutQuestions(context.environment);
  }

  static async begin(context: PairBatchContext, plan: PairBatchPlan): Promise<Batch> {
    const { model, store, phase } = context;
    const { k, contextPassages, retrieve, reflection } = phase;
    const makers = await createPairMakers({ model, store, k, contextPassages, retrieve, reflection });
    return new Batch(context, plan, makers);
  }

  get wanted(): number {
    return this.plan.count - this.pairs.length;
  }

  /** Each draw about a topic looks a little further from it. An environment's material stands in its nearest passage. */
  async tasks(draw: number): Promise<PairTask[]> {
    const { store, environment, phase, signal } = this.context;
    const { topic } = this.plan;
    const k = phase.contextPassages;
    const seeds = Array.from({ length: this.wanted }, () => this.seed++);
    if (topic === undefined || environment !== undefined || draw === 0)
      return seeds.map((seed) => ({ seed, ...(topic !== undefined && { topic }) }));
    const further = (seed: number) => drawPassages(store, { k, topic, among: k * (draw + 1), seed, signal });
    return Promise.all(seeds.map(async (seed) => ({ seed, topic, passages: await further(seed) })));
  }

  draft(tasks: readonly PairTask[], repeats = false): Promise<DraftOutcome[]> {
    const { environment, phase, signal } = this.context;
    return makeDrafts(this.makers, tasks, {
      refuse: (question) => this.refusal(question, repeats),
      ...(environment === undefined && { refuseDraft: draftProblem }),
      suffix: phase.promptSuffix,
      markers: phase.markers,
      signal,
      onProgress: (finished) => this.tell(finished / 2, "questions and chosen replies"),
    });
  }

  /** Drafts whose questions are new, also among themselves. */
  fresh(outcomes: readonly DraftOutcome[], repeats = false): ChosenDraft[] {
    return outcomes.flatMap((outcome) => {
      if (outcome.kind === "failure") {
        this.count(outcome);
        return [];
      }
      const refusal = this.refusal(outcome.draft.question, repeats);
      if (refusal !== undefined) {
        this.count({ reason: refusal });
        return [];
      }
      this.taken.add(normalizedQuestion(outcome.draft.question));
      return [outcome.draft];
    });
  }

  async complete(drafts: readonly ChosenDraft[]): Promise<void> {
    const { student, phase, signal, keep } = this.context;
    if (drafts.length === 0) return;
    const { askToThink, sampling } = phase;
    const half = drafts.length / 2;
    const outcomes = await completePairs(student, drafts, {
      ...sampling,
      askToThink,
      signal,
      onProgress: (finished) => this.tell(half + finished / 2, "replies of the model"),
    });
    const made = outcomes.flatMap((outcome) => (outcome.kind === "pair" ? [outcome.pair] : []));
    for (const outcome of outcomes) if (outcome.kind === "failure") this.count(outcome);
    signal.throwIfAborted();
    await keep(made);
    this.pairs.push(...made);
    this.done += made.length;
    this.tell(0, `${this.done} of ${this.plan.count} pairs`);
  }

  /** One pair about a question that was asked before: better than none, as the sample differs. */
  async repeat(): Promise<void> {
    const { topic, seed } = this.plan;
    const task = { seed, ...(topic !== undefined && { topic }) };
    await this.complete(this.fresh(await this.draft([task], true), true));
  }

  failures(): CountedFailure[] {
    return [...this.counts.values()];
  }

  private refusal(question: string, repeats: boolean): string | undefined {
    const normalized = normalizedQuestion(question);
    if (this.heldOut.has(normalized)) return HELD_OUT;
    if (repeats || !this.taken.has(normalized)) return undefined;
    this.hasRepeats = true;
    return ASKED_BEFORE;
  }

  private count({ reason, detail }: Pick<CountedFailure, "reason" | "detail">): void {
    const known = this.counts.get(reason);
    const first = known ?? { reason, ...(detail !== undefined && { detail }) };
    this.counts.set(reason, { ...first, count: (known?.count ?? 0) + 1 });
  }

  private tell(more: number, note: string): void {
    const { count } = this.plan;
    this.context.report(1 + Math.min(count, this.done + more), count + 1, note);
  }
}

function heldOutQuestions(environment: Environment | undefined): ReadonlySet<string> {
  const splits = ["unseen-combination", "unseen-material"] as const;
  const questions = splits.flatMap((split) => environment?.questions(split) ?? []);
  return new Set(questions.map(({ text }) => normalizedQuestion(text)));
}

/** Why a call made no pair, in words for whoever called it. */
export function noPairs(failures: readonly CountedFailure[]): string {
  const [only, ...others] = failures;
  if (only === undefined) return "internal: neither a pair nor a failure";
  if (others.length === 0) return only.detail ?? only.reason;
  const list = failures.map(
    ({ reason, count, detail }) => `${count} × ${reason}${detail === undefined ? "" : ` (${detail})`}`,
  );
  return `no pair could be made: ${list.join("; ")}`;
}
