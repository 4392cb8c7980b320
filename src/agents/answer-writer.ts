/** @file The answer writer: a LangChain agent that retrieves for a question and lays out thinking and answer. */
import { z } from "zod";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { type AnswerInput, writeAnswerPrompt } from "./prompts.js";
import { createStructuredAgent } from "./structured-agent.js";
import type { WriterOptions } from "./task-generator.js";

export interface WrittenAnswer {
  /** The inside of a thinking section, without delimiters. */
  readonly thinking: string;
  /** The inside of a reflection section, where one was asked for. */
  readonly reflection?: string;
  readonly answer: string;
  /** What the agent retrieved for the question: the enrichment. */
  readonly passages: readonly ScoredPassage[];
}

export interface AnswerWriter {
  readonly modelName: string;
  /** What the model is told, for provenance. */
  readonly system: string;
  write(input: AnswerInput, signal?: AbortSignal): Promise<WrittenAnswer>;
}

const answerSchema = z
  .object({
    thinking: z.string().trim().min(1).describe("The thinking, step by step, without delimiters"),
    answer: z.string().trim().min(1).describe("The answer alone"),
  })
  .meta({ title: "submit-answer", description: "Hands in the thinking and the answer." });

const reflectedSchema = answerSchema
  .extend({ reflection: z.string().trim().min(1).describe("The look back at the thinking, without delimiters") })
  .meta({ title: "submit-answer", description: "Hands in the thinking, the reflection and the answer." });

export interface AnswerWriterOptions extends Omit<WriterOptions, "store"> {
  /** Without one the agent cannot retrieve and sees the question's context alone. */
  readonly store?: PassageStore;
  /** Asks for a reflection section between thinking and answer; default false. */
  readonly reflection?: boolean;
}

export async function createAnswerWriter(options: AnswerWriterOptions): Promise<AnswerWriter> {
  const { reflection = false } = options;
  const { system } = writeAnswerPrompt({ question: "", passages: [], reflection });
  const schema = reflection ? reflectedSchema : answerSchema;
  const agent = await createStructuredAgent<z.infer<typeof answerSchema> & { reflection?: string }>({
    ...options,
    system,
    schema,
  });
  return {
    modelName: agent.modelName,
    system,
    async write(input, signal) {
      const { value, passages } = await agent.run(writeAnswerPrompt({ ...input, reflection }).user, signal);
      return { ...value, passages };
    },
  };
}
