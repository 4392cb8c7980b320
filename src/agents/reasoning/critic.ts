/** @file The critic: a LangChain agent that criticises a thinking section, improves it, and merges answers; and scorers. */
import { z } from "zod";
import type { Passage, PassageStore } from "../corpus/types.js";
import { type CritiqueInput, giveFeedbackPrompt, improveThinkingPrompt, integrateAnswersPrompt } from "../prompts.js";
import { type AgentOptions, createStructuredAgent } from "../structured-agent.js";
import { sentences, support, supportedShare } from "../support.js";
import { createDirectAgent } from "./direct-agent.js";

/** What a critic drew from the student itself; absent where it drew nothing. */
export interface StudentSpending {
  readonly modelCalls: number;
  readonly newTokens: number;
}

export interface Feedback {
  readonly feedback: string;
  readonly spent?: StudentSpending;
}

export interface Improvement {
  /** The improved inside of the thinking section. Where it is not complete, the model goes on right after its last character. */
  readonly thinking: string;
  /** False where the thinking breaks off and the model shall go on thinking; true closes the section. */
  readonly complete: boolean;
  readonly spent?: StudentSpending;
}

export interface ImproveInput extends CritiqueInput {
  /** The critic's own, or the model's reflection. */
  readonly feedback: string;
}

export interface IntegrateInput {
  readonly question: string;
  readonly answers: readonly string[];
}

export interface Critic {
  /** Named in results. A critic that may write the answer into the thinking says so here. */
  readonly modelName: string;
  giveFeedback(input: CritiqueInput, signal?: AbortSignal): Promise<Feedback>;
  improveThinking(input: ImproveInput, signal?: AbortSignal): Promise<Improvement>;
  integrate(input: IntegrateInput, signal?: AbortSignal): Promise<string>;
}

export interface ScoreInput extends CritiqueInput {
  readonly answer: string;
}

/** How good a round is, in [0, 1]. Sees question, thinking, answer and what retrieval returned, never an answer key. */
export type RoundScorer = (input: ScoreInput, signal?: AbortSignal) => number | Promise<number>;

/** A scorer that looks at the thinking alone. */
export type ThinkingScorer = (input: CritiqueInput) => number;

/** The passages that a critic and a scorer judge a thinking section by. */
export type Evidence = (
  input: { readonly question: string; readonly thinking: string },
  signal?: AbortSignal,
) => Promise<Passage[]>;

const feedbackSchema = z
  .object({ feedback: z.string().trim().min(1).describe("Critique and suggestions only") })
  .meta({ title: "submit-feedback", description: "Hands in the critique." });

const improvedSchema = z
  .object({
    thinking: z.string().min(1).describe("The improved thinking alone"),
    complete: z.boolean().default(true).describe("False if the author should go on from where the thinking ends"),
  })
  .meta({ title: "submit-thinking", description: "Hands in the improved thinking." });

const integratedSchema = z
  .object({ answer: z.string().trim().min(1).describe("The merged answer alone") })
  .meta({ title: "submit-merged-answer", description: "Hands in the merged answer." });

export interface CriticOptions extends AgentOptions {
  /** With a store the critic can retrieve more than it is given. */
  readonly store?: PassageStore;
  readonly k?: number;
  /** One model call a job instead of an agent: for models of this process and thousands of calls. Takes no store. */
  readonly direct?: boolean;
}

export async function createCritic(options: CriticOptions): Promise<Critic> {
  const nothing = { question: "", thinking: "", passages: [], feedback: "", answers: [] };
  const { store, direct = false, ...alone } = options;
  if (direct && store !== undefined)
    throw new Error("store: expected none for a direct critic, which cannot retrieve: leave out store or direct");
  const create = direct ? createDirectAgent : createStructuredAgent;
  const retrieving = { ...alone, ...(store && { store }) };
  const [feedbackAgent, improveAgent, integrateAgent] = await Promise.all([
    create({ ...retrieving, system: giveFeedbackPrompt(nothing).system, schema: feedbackSchema }),
    create({ ...retrieving, system: improveThinkingPrompt(nothing).system, schema: improvedSchema }),
    create({ ...alone, system: integrateAnswersPrompt(nothing).system, schema: integratedSchema }),
  ]);
  return {
    modelName: feedbackAgent.modelName,
    async giveFeedback(input, signal) {
      return (await feedbackAgent.run(giveFeedbackPrompt(input).user, signal)).value;
    },
    async improveThinking(input, signal) {
      return (await improveAgent.run(improveThinkingPrompt(input).user, signal)).value;
    },
    async integrate(input, signal) {
      return (await integrateAgent.run(integrateAnswersPrompt(input).user, signal)).value.answer;
    },
  };
}

/** The scorer for any text: share of the sentences whose words stand together in one passage. */
export const supportScore: ThinkingScorer = ({ thinking, passages }) => supportedShare(thinking, support(passages));

/** Evidence for any text: what is nearest to the question, and to each sentence of the thinking. */
export function nearestEvidence(store: PassageStore, k: number, mostSentences = 8): Evidence {
  return async ({ question, thinking }, signal) => {
    const byId = new Map<string, Passage>();
    for (const query of [question, ...sentences(thinking).slice(0, mostSentences)]) {
      signal?.throwIfAborted();
      for (const passage of await store.query(query, k, signal)) byId.set(passage.id, passage);
    }
    return [...byId.values()];
  };
}
