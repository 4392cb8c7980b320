/** @file The self critic: the model that learns criticises itself. It retrieves nothing, so it is a control of the retrieval critic. */
import type { ChatMessage } from "../../trainer/index.js";
import { readAnswers, readSection } from "../prompts.js";
import { askForField } from "./plain-fields.js";
import type { PlainTextModel } from "./plain-text-model.js";
import { type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";
import { feedbackTurn, improvementTurn, integrationTurn } from "./self-prompts.js";

export interface SelfCriticOptions {
  readonly model: PlainTextModel;
  /** "hidden" keeps even the passages of the job's message from the model. Default "shown". */
  readonly passages?: "shown" | "hidden";
  /** Default "self-critic". */
  readonly name?: string;
}

/** Its name is "self-critic", or "self-critic(no passages)" where it sees question and thinking alone. */
export function createSelfCritic({
  model,
  passages = "shown",
  name = "self-critic",
}: SelfCriticOptions): ProgrammaticChatModel {
  const isBlind = passages === "hidden";
  return new ProgrammaticChatModel({
    name: isBlind ? `${name}(no passages)` : name,
    reply: (turn, signal) => criticise(model, isBlind ? { ...turn, context: [] } : turn, signal),
  });
}

const NO_FEEDBACK = "The model has nothing to say about it.";

async function criticise(model: PlainTextModel, turn: JobTurn, signal: AbortSignal | undefined): Promise<JobReply> {
  const [question, thinking, feedback] = (["question", "thinking", "feedback"] as const).map(
    (name) => readSection(turn.user, name) ?? "",
  ) as [string, string, string];
  const ask = (field: string, messages: (shown: readonly string[]) => ChatMessage[]): Promise<string> => {
    const passages = turn.context.map(({ text }) => text);
    return askForField(model, turn, { field, passages, leastPassages: 0, messages }, signal);
  };
  switch (turn.job) {
    case "give-feedback": {
      const said = await ask("feedback", (shown) => [feedbackTurn(shown, question, thinking)]);
      return { submit: { feedback: said || NO_FEEDBACK } };
    }
    case "improve-thinking": {
      const improved = await ask("thinking", (shown) => [improvementTurn(shown, { question, thinking, feedback })]);
      return { submit: { thinking: improved || thinking, complete: true } };
    }
    case "integrate-answers": {
      const answers = readAnswers(turn.user);
      const merged = await ask("answer", () => [integrationTurn(question, answers)]);
      return { submit: { answer: merged || (answers.at(-1) ?? "") } };
    }
    default:
      throw new Error(`the self critic criticises, found the job ${turn.job}: use a teacher for it`);
  }
}
