/** @file The answer writer: a LangChain agent that retrieves for a question and lays out thinking and answer. */
import { z } from "zod";
import type { ScoredPassage } from "./corpus/types.js";
import { type AnswerInput, writeAnswerPrompt } from "./prompts.js";
import { createStructuredAgent } from "./structured-agent.js";
import type { WriterOptions } from "./task-generator.js";

export interface WrittenAnswer {
  /** The inside of a thinking section, without delimiters. */
  readonly thinking: string;
  readonly answer: string;
  /** What the agent retrieved for the question: the enrichment. */
  readonly passages: readonly ScoredPassage[];
}

export interface AnswerWriter {
  readonly modelName: string;
  write(input: AnswerInput, signal?: AbortSignal): Promise<WrittenAnswer>;
}

const answerSchema = z
  .object({
    thinking: z.string().trim().min(1).describe("The thinking, step by step, without delimiters"),
    answer: z.string().trim().min(1).describe("The answer alone"),
  })
  .meta({ title: "submit-answer", description: "Hands in the thinking and the answer." });

export async function createAnswerWriter(options: WriterOptions): Promise<AnswerWriter> {
  const { system } = writeAnswerPrompt({ question: "", passages: [] });
  const agent = await createStructuredAgent({ ...options, system, schema: answerSchema });
  return {
    modelName: agent.modelName,
    async write(input, signal) {
      const { value, passages } = await agent.run(writeAnswerPrompt(input).user, signal);
      return { ...value, passages };
    },
  };
}
