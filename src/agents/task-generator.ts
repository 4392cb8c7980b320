/** @file The task generator: a LangChain agent that writes a hard, self-contained question from passages. */
import { z } from "zod";
import { AgentFailure } from "./calls/index.js";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { type QuestionInput, writeQuestionPrompt } from "./prompts.js";
import { type AgentOptions, createStructuredAgent } from "./structured-agent.js";

export interface WriterOptions extends AgentOptions {
  readonly store: PassageStore;
  /** Passages a retrieval returns unless the model says otherwise. */
  readonly k?: number;
}

export interface GeneratedTask {
  readonly question: string;
  /** What the agent retrieved for itself, beyond the passages it was given. */
  readonly passages: readonly ScoredPassage[];
}

export interface TaskGenerator {
  readonly modelName: string;
  /** What the model is told, for provenance. */
  readonly system: string;
  /** Throws an `AgentFailure` where the model gives up, calls tools without end, or writes no question. */
  generate(input: QuestionInput, signal?: AbortSignal): Promise<GeneratedTask>;
}

const questionSchema = z
  .object({ question: z.string().trim().min(1).describe("The question alone, self-contained") })
  .meta({ title: "submit-question", description: "Hands in the question." });

export async function createTaskGenerator(options: WriterOptions): Promise<TaskGenerator> {
  const { system } = writeQuestionPrompt({ passages: [], variation: 0 });
  const agent = await createStructuredAgent({ ...options, system, schema: questionSchema });
  return {
    modelName: agent.modelName,
    system,
    async generate(input, signal) {
      if (input.passages.length === 0) {
        const text = "expected passages to write a question from, found none: ingest a corpus first";
        throw agent.calls.failed(new AgentFailure("empty-retrieval", text));
      }
      const { value, passages } = await agent.run(writeQuestionPrompt(input).user, signal);
      return { question: value.question, passages };
    },
  };
}
