/** @file The writer of wrong answers: a LangChain agent that answers plausibly, wrongly and without reasoning. */
import { z } from "zod";
import { type WrongAnswerInput, writeWrongAnswerPrompt } from "./prompts.js";
import { createStructuredAgent } from "./structured-agent.js";
import type { WriterOptions } from "./task-generator.js";

export interface WrongAnswerWriter {
  readonly modelName: string;
  write(input: WrongAnswerInput, signal?: AbortSignal): Promise<string>;
}

const wrongAnswerSchema = z
  .object({ answer: z.string().trim().min(1).describe("The wrong answer alone") })
  .meta({ title: "submit-wrong-answer", description: "Hands in the wrong answer." });

/** It is given the right answer, so that it does not write it by chance; an answer equal to it is refused. */
export async function createWrongAnswerWriter(options: Omit<WriterOptions, "store">): Promise<WrongAnswerWriter> {
  const { model, calls } = options;
  const { system } = writeWrongAnswerPrompt({ question: "", answer: "", passages: [], variation: 0 });
  const agent = await createStructuredAgent({
    model,
    ...(calls && { calls }),
    system,
    schema: wrongAnswerSchema,
  });
  const same = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase();
  return {
    modelName: agent.modelName,
    async write(input, signal) {
      const { answer } = (await agent.run(writeWrongAnswerPrompt(input).user, signal)).value;
      if (same(answer, input.answer)) throw new Error("the teacher's wrong answer is the right one");
      return answer;
    },
  };
}
