/** @file The same jobs in the words that a small model can follow: one plain question a field, no schema. Pure functions. */
import type { ChatMessage } from "../../trainer/index.js";

const user = (...parts: readonly string[]): ChatMessage => ({
  role: "user",
  content: parts.filter((part) => part !== "").join("\n\n"),
});

const passagesPart = (passages: readonly string[]): string =>
  passages.length === 0 ? "" : `Passages:\n\n${passages.join("\n\n")}`;

export function questionTurn(passages: readonly string[], topic: string | undefined): ChatMessage {
  const about = topic === undefined ? "an important fact in these passages" : `this topic: ${topic}`;
  return user(
    passagesPart(passages),
    `Write one question about ${about}. Name what it is about, and do not mention the passages. Reply with the question alone.`,
  );
}

export function thinkingTurn(passages: readonly string[], question: string): ChatMessage {
  return user(
    passagesPart(passages),
    `Question: ${question}`,
    "Write down briefly, step by step, what the passages say that leads to the answer. Do not answer yet.",
  );
}

export const reflectionTurn = (): ChatMessage =>
  user(
    "Look back at these steps. In one or two sentences: what in them is wrong or missing? If nothing is, say that they stand.",
  );

export const answerTurn = (): ChatMessage =>
  user(
    "Now answer the question from these steps, in one to three complete sentences. Do not mention passages or steps.",
  );

export function wrongAnswerTurn(
  passages: readonly string[],
  { question, right }: { readonly question: string; readonly right: string },
): ChatMessage {
  return user(
    passagesPart(passages),
    `Question: ${question}`,
    `Right answer: ${right}`,
    "Write another answer that sounds plausible and is wrong, about as long as the right one. Give no reasons. Reply with the wrong answer alone.",
  );
}

export function feedbackTurn(passages: readonly string[], question: string, thinking: string): ChatMessage {
  return user(
    passagesPart(passages),
    `Question: ${question}`,
    `Thinking:\n${thinking}`,
    "Criticise this thinking in a few sentences: what is wrong, unsupported or missing, and how should it be changed? Do not answer the question.",
  );
}

export function improvementTurn(
  passages: readonly string[],
  { question, thinking, feedback }: { readonly question: string; readonly thinking: string; readonly feedback: string },
): ChatMessage {
  return user(
    passagesPart(passages),
    `Question: ${question}`,
    `Thinking:\n${thinking}`,
    `Criticism:\n${feedback}`,
    "Rewrite the thinking so that the criticism is carried out. Reply with the thinking alone.",
  );
}

export function integrationTurn(question: string, answers: readonly string[]): ChatMessage {
  return user(
    `Question: ${question}`,
    ...answers.map((answer, i) => `Answer ${i + 1}:\n${answer}`),
    "Merge these answers into one. Keep every correct point once and add nothing. Reply with the merged answer alone.",
  );
}
