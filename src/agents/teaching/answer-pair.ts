/** @file Preference pairs: a question from drawn passages, the teacher's reply as chosen, the student's sample as rejected. */
import { PROMPT_SUFFIX, type PreferencePair, prefilledThinking, REFLECT } from "../../trainer/index.js";
import {
  type AnswerWriter,
  type AnswerWriterOptions,
  createAnswerWriter,
  type WrittenAnswer,
} from "../answer-writer.js";
import { drawPassages } from "../corpus/index.js";
import type { PassageStore } from "../corpus/types.js";
import { mapInOrder } from "../map-in-order.js";
import { createRng } from "../rng.js";
import { type ReplyOptions, replies, type Sampling, type Student } from "../student.js";
import { createTaskGenerator, type TaskGenerator } from "../task-generator.js";

/** One pair to make. Without a topic its context is a random draw of passages. */
export interface PairTask {
  readonly topic?: string;
  readonly seed: number;
}

/** A pair without its rejected reply. */
export interface ChosenDraft {
  readonly question: string;
  /** The user's turn: the question and the request to think. */
  readonly prompt: string;
  readonly chosen: string;
  /** Ids of the passages that the question was made from and of those retrieved for it. */
  readonly passages: readonly string[];
  readonly teacher: string;
  readonly topic?: string;
  readonly seed: number;
}

export type DraftOutcome =
  | { readonly kind: "draft"; readonly draft: ChosenDraft }
  | { readonly kind: "failure"; readonly topic: string; readonly reason: string };

/** The agents that write chosen replies, built once and used for many. */
export interface PairMakers {
  readonly store: PassageStore;
  readonly generator: TaskGenerator;
  readonly writer: AnswerWriter;
  /** Passages joined as a question's context; not the k of the enrichment retrieval. */
  readonly contextPassages: number;
}

export interface PairMakerOptions extends AnswerWriterOptions {
  readonly contextPassages?: number;
}

export async function createPairMakers(options: PairMakerOptions): Promise<PairMakers> {
  const { store, contextPassages = 3 } = options;
  const [generator, writer] = await Promise.all([createTaskGenerator(options), createAnswerWriter(options)]);
  return { store, generator, writer, contextPassages };
}

export interface DraftOptions {
  readonly suffix?: string;
  /** Teacher calls that run at once. Does not change the result. Default 8. */
  readonly concurrency?: number;
  /** Refuses a question by returning the reason. */
  readonly refuse?: (question: string) => string | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

/** Questions and chosen replies, in task order. What fails is told with its reason; only an abort throws. */
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
      return { kind: "failure", topic: task.topic ?? "", reason: reasonOf(error) };
    }
  };
  return mapInOrder(tasks, attempt, { concurrency, ...(signal && { signal }), ...(onProgress && { onProgress }) });
}

async function makeDraft(makers: PairMakers, task: PairTask, options: DraftOptions): Promise<DraftOutcome> {
  const { store, generator, writer, contextPassages } = makers;
  const { suffix = PROMPT_SUFFIX, refuse, signal } = options;
  const { topic, seed } = task;
  const passages = await drawPassages(store, {
    k: contextPassages,
    seed,
    ...(topic !== undefined && { topic }),
    ...(signal && { signal }),
  });
  const asked = await generator.generate({ passages, variation: seed, ...(topic !== undefined && { topic }) }, signal);
  const refusal = refuse?.(asked.question);
  if (refusal !== undefined) return { kind: "failure", topic: topic ?? "", reason: refusal };
  const written = await writer.write({ question: asked.question, passages }, signal);
  const used = [...passages, ...asked.passages, ...written.passages].map((passage) => passage.id);
  const draft: ChosenDraft = {
    question: asked.question,
    prompt: asked.question + suffix,
    chosen: chosenReply(written),
    passages: [...new Set(used)],
    teacher: writer.modelName,
    ...(topic !== undefined && { topic }),
    seed,
  };
  return { kind: "draft", draft };
}

/** Thinking, the reflection where there is one, and the answer, as the model shall write them. */
function chosenReply({ thinking, reflection, answer }: WrittenAnswer): string {
  const sections = [prefilledThinking(thinking), ...(reflection ? [prefilledThinking(reflection, REFLECT)] : [])];
  return [...sections, answer].join("\n");
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
}

export type PairOutcome =
  | { readonly kind: "pair"; readonly pair: PreferencePair }
  | { readonly kind: "failure"; readonly topic: string; readonly reason: string };

/** Samples the student's replies to all drafts in one batch and completes the pairs, in the order of the drafts. */
export async function completePairs(
  student: Student,
  drafts: readonly ChosenDraft[],
  options: RejectedOptions,
): Promise<PairOutcome[]> {
  const { askToThink = true } = options;
  const turns = drafts.map(({ prompt, question, seed }) => ({ prompt: askToThink ? prompt : question, seed }));
  const samples = await replies(student, turns, options);
  const name = `${student.policy.info.modelHash.slice(0, 16)}@${await student.policy.stepCount()}`;
  return drafts.map((draft, i) => completePair(draft, samples[i]?.text ?? "", name));
}

function completePair(draft: ChosenDraft, rejected: string, student: string): PairOutcome {
  const { prompt, chosen, question, passages, teacher, topic, seed } = draft;
  const failure = (reason: string): PairOutcome => ({ kind: "failure", topic: topic ?? question, reason });
  if (rejected.trim() === "") return failure("the student's sample is empty");
  if (rejected.trim() === chosen.trim()) return failure("both replies are identical");
  const provenance = {
    passages: [...passages],
    teacher,
    student,
    seed,
    ...(topic !== undefined && { topic }),
    question,
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
