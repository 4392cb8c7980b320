/** @file Critics and scorers by script, and what a recursion yields, collected. */
import type { Critic, Improvement, RoundScorer } from "../../../src/agents/reasoning/critic.js";
import type {
  ReasoningEvent,
  ReasoningResult,
  ReasoningSettings,
} from "../../../src/agents/reasoning/reasoning-types.js";
import { type ScriptedStudent, scriptedStudent } from "../scripted-student.js";

export const settings: ReasoningSettings = {
  rounds: 3,
  seed: 0,
  sampling: { maxNewTokens: 64, temperature: 0, topP: 1 },
};

/** Fails the recursion that calls it: the result says so. */
export const noCritic = async (): Promise<Critic> => {
  throw new Error("the critic was called");
};

export interface ScriptedCritic extends Critic {
  /** What it was told, in order. */
  readonly seen: string[];
}

/** Hands in one improvement after the other, then leaves the thinking as it is. */
export function scriptedCritic(improvements: readonly Improvement[] = []): ScriptedCritic {
  let call = 0;
  const seen: string[] = [];
  return {
    modelName: "scripted",
    seen,
    async giveFeedback({ thinking }) {
      seen.push(`feedback on ${thinking}`);
      return { feedback: `about: ${thinking}` };
    },
    async improveThinking({ thinking, feedback }) {
      seen.push(`improve ${thinking} by ${feedback}`);
      return improvements[call++] ?? { thinking, complete: true };
    },
    async integrate({ answers }) {
      return `merged: ${answers.join(" + ")}`;
    },
  };
}

export const closed = (thinking: string): Improvement => ({ thinking, complete: true });

export const scoreBy =
  (scores: Readonly<Record<string, number>>): RoundScorer =>
  ({ thinking }) =>
    scores[thinking] ?? 0;

export async function collect(reasoning: AsyncGenerator<ReasoningEvent, ReasoningResult>) {
  const events: ReasoningEvent[] = [];
  for (;;) {
    const next = await reasoning.next();
    if (next.done === true) return { events, result: next.value };
    events.push(next.value);
  }
}

/** What the reply to a prompt begins with: its pre-fill. */
export const openingOf = (prompt: string): string => prompt.split("[assistant] ")[1] ?? "";

/** Answers with the number of the turn; thinks "t0" unless the reply was opened for it. */
export function numbering(): ScriptedStudent {
  let turn = 0;
  return scriptedStudent((prompt) => {
    const answer = `\nanswer ${turn++}`;
    if (prompt.endsWith("<|/thinking|>")) return answer;
    return openingOf(prompt) === "" ? `<|thinking|>\nt0\n<|/thinking|>${answer}` : ` and on\n<|/thinking|>${answer}`;
  });
}
