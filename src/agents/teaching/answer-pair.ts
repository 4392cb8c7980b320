/** @file Preference pairs: a question from drawn passages, the teacher's reply as chosen, the student's sample as rejected. */
import { createHash } from "node:crypto";
import {
  PROMPT_SUFFIX,
  type PreferencePair,
  prefilledThinking,
  REFLECT,
  type SectionMarkers,
  THINKING,
} from "../../trainer/index.js";
import {
  type AnswerWriter,
  type AnswerWriterOptions,
  createAnswerWriter,
  type WrittenAnswer,
} from "../answer-writer.js";
import { toAgentFailure } from "../calls/index.js";
import { drawPassages } from "../corpus/index.js";
import type { Passage, PassageStore } from "../corpus/types.js";
import { mapInOrder } from "../map-in-order.js";
import { createRng } from "../rng.js";
import { type ReplyOptions, replies, type Sampling, type Student } from "../student.js";
import { createTaskGenerator, type TaskGenerator } from "../task-generator.js";
import { createWrongAnswerWriter, type WrongAnswerWriter } from "../wrong-answer-writer.js";
import type { DraftProblem } from "./draft-checks.js";
import { pickRejected, type SampleJudge } from "./rejected-rule.js";
import type { RejectedRule } from "./teach-plan.js";

/** One pair to make. Without topic and passages its context is a random draw. */
export interface PairTask {
  readonly topic?: string;
  /** The question's context, where it is settled already. */
  readonly passages?: readonly Passage[];
  readonly seed: number;
}

/** A pair without its rejected reply. */
export interface ChosenDraft {
  readonly question: string;
  /** The user's turn: the question and the request to think. */
  readonly prompt: string;
  readonly chosen: string;
  /** The part of `chosen` that answers. */
  readonly answer: string;
  /** Ids of the passages that the question was made from. */
  readonly askedFrom: readonly string[];
  /** Ids of those and of the passages that were retrieved for it. */
  readonly passages: readonly string[];
  readonly teacher: string;
  /** Hash of the prompts that the agents were given. */
  readonly prompts: string;
  readonly topic?: string;
  readonly seed: number;
}

export type DraftOutcome = { readonly kind: "draft"; readonly draft: ChosenDraft } | DraftFailure;

export interface DraftFailure {
  readonly kind: "failure";
  readonly topic: string;
  /** Short, so that it can be counted. */
  readonly reason: string;
  /** What exactly, where that differs from draft to draft. */
  readonly detail?: string;
}

/** The agents that write chosen replies, built once and used for many. */
export interface PairMakers {
  readonly store: PassageStore;
  readonly generator: TaskGenerator;
  readonly writer: AnswerWriter;
  readonly wrongWriter: WrongAnswerWriter;
  /** Passages joined as a question's context; not the k of the enrichment retrieval. */
  readonly contextPassages: number;
}

export interface PairMakerOptions extends AnswerWriterOptions {
  readonly store: PassageStore;
  /** False: answers are written from the question's context alone. Default true. */
  readonly retrieve?: boolean;
  readonly contextPassages?: number;
}

export async function createPairMakers(options: PairMakerOptions): Promise<PairMakers> {
  const { store, contextPassages = 3, retrieve = true } = options;
  const { store: _store, ...closed } = options;
  const [generator, writer, wrongWriter] = await Promise.all([
    createTaskGenerator(options),
    createAnswerWriter(retrieve ? options : closed),
    createWrongAnswerWriter(options),
  ]);
  return { store, generator, writer, wrongWriter, contextPassages };
}

export interface DraftOptions {
  readonly suffix?: string;
  readonly markers?: SectionMarkers;
  /** Teacher calls that run at once. Does not change the result. Default 8. */
  readonly concurrency?: number;
  /** Refuses a question, or a draft, by returning the reason. */
  readonly refuse?: (question: string) => string | undefined;
  readonly refuseDraft?: (question: string, written: WrittenAnswer) => DraftProblem | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

/** Questions and chosen replies, in task order. What fails is told with its reason; an abort throws, and a spent budget. */
export async function makeDrafts(
  makers: PairMakers,
  tasks: readonly PairTask[],
  options: DraftOptions = {},
): Promise<DraftOutcome[]> {
  const { concurrency = 8, signal, onProgress } = options;
  const attempt = async (task: PairTask): Promise<DraftOutcome> => {
    try {
      return await makeDraft(makers, task, options);
    } catch (error) {
      signal?.throwIfAborted();
      return { kind: "failure", topic: task.topic ?? "", ...failureOf(error) };
    }
  };
  return mapInOrder(tasks, attempt, { concurrency, ...(signal && { signal }), ...(onProgress && { onProgress }) });
}

async function makeDraft(makers: PairMakers, task: PairTask, options: DraftOptions): Promise<DraftOutcome> {
  const { generator, writer } = makers;
  const { suffix = PROMPT_SUFFIX, markers = THINKING, refuse, refuseDraft, signal } = options;
  const { topic, seed } = task;
  const failure = (reason: string): DraftOutcome => ({ kind: "failure", topic: topic ?? "", reason });
  const passages = task.passages ?? (await drawn(makers, task, signal));
  const asked = await generator.generate({ passages, variation: seed, ...(topic !== undefined && { topic }) }, signal);
  const refusal = refuse?.(asked.question);
  if (refusal !== undefined) return failure(refusal);
  const written = await writer.write({ question: asked.question, passages }, signal);
  const used = [...passages, ...asked.passages, ...written.passages].map((passage) => passage.id);
  const draft: ChosenDraft = {
    question: asked.question,
    prompt: asked.question + suffix,
    chosen: chosenReply(written, markers),
    answer: written.answer,
    askedFrom: [...new Set(passages.map((passage) => passage.id))],
    passages: [...new Set(used)],
    teacher: writer.modelName,
    prompts: promptsHash(generator.system, writer.system),
    ...(topic !== undefined && { topic }),
    seed,
  };
  const problem = refuseDraft?.(asked.question, written);
  return problem === undefined ? { kind: "draft", draft } : { kind: "failure", topic: topic ?? "", ...problem };
}

const drawn = ({ store, contextPassages }: PairMakers, { topic, seed }: PairTask, signal: AbortSignal | undefined) =>
  drawPassages(store, {
    k: contextPassages,
    seed,
    ...(topic !== undefined && { topic }),
    ...(signal && { signal }),
  });

const promptsHash = (...systems: readonly string[]): string =>
  createHash("sha256").update(systems.join("\0")).digest("hex").slice(0, 16);

/** Thinking, the reflection where there is one, and the answer, as the model shall write them. */
function chosenReply({ thinking, reflection, answer }: WrittenAnswer, markers: SectionMarkers): string {
  const reflected = reflection === undefined ? [] : [prefilledThinking(reflection, REFLECT)];
  return [prefilledThinking(thinking, markers), ...reflected, answer].join("\n");
}

/** Counted by what went wrong, with the words of the error beside it. A spent budget ends the run instead. */
function failureOf(error: unknown): { readonly reason: string; readonly detail?: string } {
  const text = reasonOf(error);
  const { reason, endsAll } = toAgentFailure(error);
  if (endsAll) throw error;
  return reason === "other" ? { reason: text } : { reason: `the teacher failed: ${reason}`, detail: text };
}

/** What an error says, its causes included, on one line. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${reasonOf(error.cause)})`;
  return `${error.message}${cause}`.replace(/\s+/g, " ").trim();
}

export interface RejectedOptions extends Sampling, Pick<ReplyOptions, "signal" | "onProgress"> {
  /** False asks the student the bare question, as the published first phase does; default: the pair's own prompt. */
  readonly askToThink?: boolean;
  /** Samples for each question; default 1. */
  readonly samples?: number;
  /** Which of them is rejected; default the first. */
  readonly rule?: RejectedRule;
  /** Marks the samples; needed by rules that know right from wrong. */
  readonly judge?: SampleJudge;
}

export type PairOutcome = { readonly kind: "pair"; readonly pair: PreferencePair } | DraftFailure;

export interface PairStudent extends Student {
  /** Optimizer steps behind the weights, where the policy's own count began anew in between. */
  readonly trainedSteps?: number;
}

/** Samples the student's replies to all drafts in one batch and completes the pairs, in the order of the drafts. */
export async function completePairs(
  student: PairStudent,
  drafts: readonly ChosenDraft[],
  options: RejectedOptions,
): Promise<PairOutcome[]> {
  const { askToThink = true, samples = 1, rule = "first", judge, ...sampling } = options;
  const { signal } = sampling;
  const turns = drafts.flatMap(({ prompt, question, seed }) =>
    Array.from({ length: samples }, (_, i) => ({ prompt: askToThink ? prompt : question, seed: sampleSeed(seed, i) })),
  );
  const found = await replies(student, turns, sampling);
  const name = await studentName(student);
  const pick = async (draft: ChosenDraft, i: number): Promise<PairOutcome> => {
    const texts = found.slice(i * samples, (i + 1) * samples).map((reply) => reply.text);
    const picked = await pickRejected(draft, texts, { rule, ...(judge && { judge }), ...(signal && { signal }) });
    if (picked.kind === "failure") return { ...picked, topic: topicOrQuestion(draft) };
    const { text, sample, verdict } = picked;
    const sampled = samples === 1 ? {} : { samples, sample, rule };
    return completePair(draft, text, name, { ...sampled, ...(verdict !== undefined && { verdict }) });
  };
  return mapInOrder(drafts, pick, { concurrency: JUDGED_AT_ONCE, ...(signal && { signal }) });
}

/** Judges may be remote; their own limit on calls is lower where it has to be. */
const JUDGED_AT_ONCE = 16;

/** The first sample has the draft's own seed, so that asking for more of them does not change it. */
const sampleSeed = (seed: number, i: number): number => (i === 0 ? seed : createRng(seed, "sample", i).int(2 ** 31));

/** Model and step: the weights that a reply is from. */
async function studentName({ policy, trainedSteps }: PairStudent): Promise<string> {
  return `${policy.info.modelHash.slice(0, 16)}@${trainedSteps ?? (await policy.stepCount())}`;
}

/** Pairs whose rejected reply is a wrong answer that the teacher writes, without reasoning. */
export async function completeByTeacher(
  makers: PairMakers,
  student: PairStudent,
  drafts: readonly ChosenDraft[],
  options: Pick<DraftOptions, "concurrency" | "signal" | "onProgress">,
): Promise<PairOutcome[]> {
  const { concurrency = 8, signal, onProgress } = options;
  const name = await studentName(student);
  const passagesOf = await passageLookup(makers.store);
  const complete = async (draft: ChosenDraft): Promise<PairOutcome> => {
    try {
      const input = { question: draft.question, answer: draft.answer, passages: passagesOf(draft.passages) };
      const wrong = await makers.wrongWriter.write({ ...input, variation: draft.seed }, signal);
      return completePair(draft, wrong, name, { rule: "teacher" });
    } catch (error) {
      signal?.throwIfAborted();
      return { kind: "failure", topic: topicOrQuestion(draft), ...failureOf(error) };
    }
  };
  return mapInOrder(drafts, complete, { concurrency, ...(signal && { signal }), ...(onProgress && { onProgress }) });
}

async function passageLookup(store: PassageStore): Promise<(ids: readonly string[]) => Passage[]> {
  const byId = new Map((await store.list()).map((passage) => [passage.id, passage]));
  return (ids) => ids.flatMap((id) => byId.get(id) ?? []);
}

const topicOrQuestion = ({ topic, question }: ChosenDraft): string => topic ?? question;

function completePair(
  draft: ChosenDraft,
  rejected: string,
  student: string,
  more: Partial<PreferencePair["provenance"]>,
): PairOutcome {
  const { prompt, chosen, question, passages, teacher, prompts, topic, seed } = draft;
  const failure = (reason: string): PairOutcome => ({ kind: "failure", topic: topicOrQuestion(draft), reason });
  if (rejected.trim() === "") return failure("the student's sample is empty");
  if (rejected.trim() === chosen.trim()) return failure("both replies are identical");
  const provenance = {
    passages: [...passages],
    teacher,
    student,
    seed,
    prompts,
    ...(topic !== undefined && { topic }),
    question,
    ...more,
  };
  return { kind: "pair", pair: { prompt, chosen, rejected, provenance } };
}

export interface PairContext extends Student, PairMakerOptions {}

/** A random draw can hold nothing that may be asked about; another one mostly does. */
const MOST_DRAWS = 3;

/** One pair, start to end; what the generate-preference-pair tool calls. Throws with the reason where it fails. */
export async function makePreferencePair(
  context: PairContext,
  task: PairTask,
  options: DraftOptions & RejectedOptions,
): Promise<PreferencePair> {
  const makers = await createPairMakers(context);
  const rng = createRng(task.seed, "draws");
  let reason = "";
  for (let draw = 0; draw < (task.topic === undefined ? MOST_DRAWS : 1); draw++) {
    const [drafted] = await makeDrafts(makers, [draw === 0 ? task : { seed: rng.int(2 ** 31) }], options);
    if (drafted?.kind !== "draft") {
      reason = drafted?.reason ?? "internal: no outcome";
      continue;
    }
    const [outcome] = await completePairs(context, [drafted.draft], options);
    if (outcome?.kind === "pair") return outcome.pair;
    reason = outcome?.reason ?? "internal: no outcome";
  }
  throw new Error(reason);
}
