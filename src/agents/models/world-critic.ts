/** @file The materials world's retrieval critic as a chat model, and the evidence that it judges by. */
import type { Passage, PassageStore } from "../corpus/types.js";
import { critique, queriesFor, type RevisionOptions, reviseThinking, scoreThinking } from "../environments/index.js";
import { readAnswers, readSection } from "../prompts.js";
import type { Evidence, ThinkingScorer } from "../reasoning/critic.js";
import { allPassages, type JobReply, type JobTurn, ProgrammaticChatModel } from "./programmatic-chat-model.js";

/** With `assisted` it may write the sentence that names the class: an upper bound, named so in provenance. */
export function createWorldCritic(options: RevisionOptions = {}): ProgrammaticChatModel {
  const reply = (turn: JobTurn): JobReply => {
    const question = readSection(turn.user, "question") ?? "";
    const thinking = readSection(turn.user, "thinking") ?? "";
    const passages = allPassages(turn);
    switch (turn.job) {
      case "give-feedback":
        return { submit: { feedback: critique(question, thinking, passages) } };
      case "improve-thinking": {
        const revision = reviseThinking(question, thinking, passages, options);
        return { submit: { thinking: revision.thinking, complete: !revision.open } };
      }
      case "integrate-answers":
        return { submit: { answer: mostFrequent(readAnswers(turn.user)) } };
      default:
        throw new Error(`the world's critic criticises, found the job ${turn.job}: use a teacher for it`);
    }
  };
  return new ProgrammaticChatModel({
    name: options.assisted === true ? "world-critic-assisted" : "world-critic",
    reply,
  });
}

/** The later of equals: it follows from the better thinking. */
function mostFrequent(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] >= best[1] ? entry : best), ["", 0])[0];
}

/** The share of the needed steps that the passages support. */
export const worldScore: ThinkingScorer = ({ question, thinking, passages }) =>
  scoreThinking(question, thinking, passages);

/**
 * Passages on which facts decide, on those facts, and on the rules that join them, as far as each is known by then.
 * Looks at the question, not at the thinking.
 */
export function worldEvidence(store: PassageStore, k: number): Evidence {
  return async ({ question }, signal) => {
    const byId = new Map<string, Passage>();
    const asked = new Set<string>();
    for (;;) {
      const next = queriesFor(question, [...byId.values()]).filter((query) => !asked.has(query));
      if (next.length === 0) return [...byId.values()];
      for (const query of next) {
        signal?.throwIfAborted();
        asked.add(query);
        for (const passage of await store.query(query, k, signal)) byId.set(passage.id, passage);
      }
    }
  };
}
