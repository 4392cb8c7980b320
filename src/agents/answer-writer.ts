/** @file The answer writer: a LangChain agent that retrieves for a question and lays out thinking and answer. */
import { z } from "zod";
import { extractSection, REFLECT, THINKING } from "../trainer/index.js";
import { AgentFailure } from "./calls/index.js";
import type { PassageStore, ScoredPassage } from "./corpus/types.js";
import { type AnswerForm, type AnswerInput, writeAnswerPrompt } from "./prompts.js";
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
  /** Throws an `AgentFailure` where the model gives up, or where neither the input nor retrieval brought a passage. */
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

/** Asks for a reflection section between thinking and answer where told so; default: none, and the paper's categories. */
export interface AnswerWriterOptions extends Omit<WriterOptions, "store">, AnswerForm {
  /** Without one the agent cannot retrieve and sees the question's context alone. */
  readonly store?: PassageStore;
}

export async function createAnswerWriter(options: AnswerWriterOptions): Promise<AnswerWriter> {
  const { reflection = false, categories } = options;
  const form: AnswerForm = { reflection, ...(categories && { categories }) };
  const { system } = writeAnswerPrompt({ question: "", passages: [] }, form);
  const schema = reflection ? reflectedSchema : answerSchema;
  const agent = await createStructuredAgent<z.infer<typeof answerSchema> & { reflection?: string }>({
    ...options,
    system,
    schema,
    readText: readSections,
  });
  return {
    modelName: agent.modelName,
    system,
    async write(input, signal) {
      const { value, passages } = await agent.run(writeAnswerPrompt(input, form).user, signal);
      if (input.passages.length + passages.length === 0) {
        const text = `expected passages that support an answer to "${input.question}", found none: the model retrieved nothing`;
        throw agent.calls.failed(new AgentFailure("empty-retrieval", text));
      }
      return { ...value, passages };
    },
  };
}

/** The form that trained students write: marked sections, then the answer. */
function readSections(text: string): unknown {
  const thinking = extractSection(text, THINKING);
  if (thinking.kind !== "found") return undefined;
  const reflection = extractSection(thinking.after, REFLECT);
  return {
    thinking: thinking.text,
    answer: reflection.after,
    ...(reflection.kind === "found" && { reflection: reflection.text }),
  };
}
