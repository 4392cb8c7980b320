/** @file Whether the corpus says anything about a topic. */
import { type PassageStore, retrieveContext } from "../agents/index.js";

/** Enough of a word to match its other forms. */
const STEM = 5;
const LOOKED_AT = 5;

const wordsOf = (text: string): string[] =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** Throws where no word of the topic occurs in the passages nearest to it: a pair made from those would be about something else. */
export async function requireTopic(store: PassageStore, topic: string, signal?: AbortSignal): Promise<void> {
  const all = wordsOf(topic);
  const long = all.filter((word) => word.length > 3);
  const wanted = (long.length > 0 ? long : all).map((word) => word.slice(0, STEM));
  const passages = await retrieveContext(store, { query: topic, k: LOOKED_AT }, signal);
  const there = new Set(passages.flatMap(({ text }) => wordsOf(text).map((word) => word.slice(0, STEM))));
  if (wanted.some((stem) => there.has(stem))) return;
  throw new Error(
    `no passage of the corpus is about "${topic.slice(0, 80)}": call retrieve-context to see what it holds, or leave topic out`,
  );
}
