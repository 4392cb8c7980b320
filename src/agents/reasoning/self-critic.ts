/** @file Critics without retrieval, as controls: the student criticises itself, or its own recall stands in for the passages. */
import { extractSection, PROMPT_SUFFIX, THINKING } from "../../trainer/index.js";
import type { Passage } from "../corpus/types.js";
import { giveFeedbackPrompt, improveThinkingPrompt, integrateAnswersPrompt, type Prompt } from "../prompts.js";
import { createRng } from "../rng.js";
import { replies, type Sampling, type Student } from "../student.js";
import type { Critic, StudentSpending } from "./critic.js";
import { readReply, withoutMarkers } from "./read-reply.js";

export interface SelfCriticOptions {
  readonly sampling: Sampling;
  readonly seed: number;
}

/** The student as its own critic: asked in plain text with the critic's prompts, without passages. */
export function selfCritic(student: Student, { sampling, seed }: SelfCriticOptions): Critic {
  const ask = async ({ system, user }: Prompt, signal?: AbortSignal) => {
    // One user turn: not every chat template has a place for a system message.
    const prompt = `${system}\n\n${user}`;
    const turn = { prompt, seed: createRng(seed, "self-critic", prompt).int(2 ** 31) };
    const [reply] = await replies(student, [turn], { ...sampling, ...(signal && { signal }) });
    return { text: reply!.text, spent: { modelCalls: 1, newTokens: reply!.newTokens } };
  };
  return {
    modelName: `self:${student.policy.info.modelHash.slice(0, 16)}`,
    async giveFeedback(input, signal) {
      const { text, spent } = await ask(giveFeedbackPrompt({ ...input, passages: [] }), signal);
      return { feedback: withoutMarkers(text).trim(), spent };
    },
    async improveThinking(input, signal) {
      const { text, spent } = await ask(improveThinkingPrompt({ ...input, passages: [] }), signal);
      const section = extractSection(text, THINKING);
      const thinking = section.kind === "missing" ? text : section.text;
      return { thinking: withoutMarkers(thinking).trim(), complete: true, spent };
    },
    async integrate(input, signal) {
      const { text } = await ask(integrateAnswersPrompt(input), signal);
      const { answer } = readReply(text);
      if (answer === "") throw new Error("expected the model to merge the answers, found no text outside its thinking");
      return answer;
    },
  };
}

export interface ClosedBookOptions extends SelfCriticOptions {
  /** Replies to the question that stand in for passages. */
  readonly samples: number;
  /** Default: the request to think. */
  readonly suffix?: string;
}

/**
 * Any critic without its book: it holds the thinking against what the student itself says of the question in other
 * samples. Beside the same critic with passages it tells what retrieval brings. Samples are drawn once a question.
 */
export function closedBook(critic: Critic, student: Student, options: ClosedBookOptions): Critic {
  const recall = recallOf(student, options);
  return {
    modelName: `${critic.modelName} (closed book)`,
    async giveFeedback(input, signal) {
      const { passages, spent } = await recall(input.question, signal);
      return { ...(await critic.giveFeedback({ ...input, passages }, signal)), ...(spent && { spent }) };
    },
    async improveThinking(input, signal) {
      const { passages, spent } = await recall(input.question, signal);
      return { ...(await critic.improveThinking({ ...input, passages }, signal)), ...(spent && { spent }) };
    },
    integrate: (input, signal) => critic.integrate(input, signal),
  };
}

interface Recall {
  readonly passages: readonly Passage[];
  /** Only where this call drew the samples. */
  readonly spent?: StudentSpending;
}

function recallOf(student: Student, { samples, sampling, seed, suffix = PROMPT_SUFFIX }: ClosedBookOptions) {
  const drawn = new Map<string, Promise<Recall>>();
  const draw = async (question: string, signal?: AbortSignal): Promise<Recall> => {
    const rng = createRng(seed, "recall", question);
    const turns = Array.from({ length: samples }, () => ({ prompt: question + suffix, seed: rng.int(2 ** 31) }));
    const made = await replies(student, turns, { ...sampling, ...(signal && { signal }) });
    const newTokens = made.reduce((sum, reply) => sum + reply.newTokens, 0);
    return { passages: made.map(({ text }, i) => recalled(text, i)), spent: { modelCalls: made.length, newTokens } };
  };
  return async (question: string, signal?: AbortSignal): Promise<Recall> => {
    const known = drawn.get(question);
    if (known !== undefined) return { passages: (await known).passages };
    const drawing = draw(question, signal);
    drawn.set(question, drawing);
    drawing.catch(() => drawn.delete(question));
    return drawing;
  };
}

function recalled(reply: string, i: number): Passage {
  const { thinking, answer } = readReply(reply);
  const text = `${thinking}\n${answer}`.trim();
  return { id: `recall-${i + 1}`, text, source: "the model itself", start: 0, end: text.length };
}
