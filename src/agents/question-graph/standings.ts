/** @file What was measured so far: accuracy by topic, concept and passage, and how much of the corpus was asked about. */
import { type Outcome, type Standing, standing } from "./accuracy.js";
import { bareId } from "./graph-schema.js";
import type { KnowledgeGraph } from "./knowledge-graph.js";
import { byCode } from "./words.js";

export type Subject = "topic" | "concept" | "passage";

/** Standings of all subjects that a question was asked about, the neediest first. Evidence ages by the latest round. */
export function standings(graph: KnowledgeGraph, by: Subject): Standing[] {
  const outcomes = new Map<string, Outcome[]>();
  let now = 0;
  for (const node of graph.questions) {
    const question = graph.question(node);
    for (const { round } of question.outcomes) now = Math.max(now, round);
    for (const name of subjectsOf(graph, node, by)) {
      const list = outcomes.get(name) ?? [];
      list.push(...question.outcomes);
      outcomes.set(name, list);
    }
  }
  const all = Array.from(outcomes, ([name, list]) => standing(name, list, now));
  return all.sort((a, b) => b.need - a.need || byCode(a.name, b.name));
}

function subjectsOf(graph: KnowledgeGraph, node: KnowledgeGraph["questions"][number], by: Subject): string[] {
  if (by === "concept") return graph.conceptsOf(node).map(bareId);
  if (by === "passage") return graph.askedFrom(node).map(bareId);
  const { topic } = graph.question(node);
  return topic === undefined ? [] : [topic];
}

export interface TopicCoverage {
  readonly topic: string;
  /** Different questions. */
  readonly questions: number;
  /** Passages that these were asked from. */
  readonly passages: number;
  readonly answered: number;
  readonly right: number;
}

export interface Coverage {
  readonly passages: number;
  /** Passages from which a question was asked. */
  readonly asked: number;
  /** asked / passages; 0 where there are none. */
  readonly share: number;
  readonly questions: number;
  readonly concepts: number;
  /** By topic name. */
  readonly byTopic: readonly TopicCoverage[];
}

export function coverage(graph: KnowledgeGraph): Coverage {
  const passages = graph.passages.length;
  const asked = graph.passages.filter((node) => graph.passage(node).asked > 0).length;
  const topics = new Map<string, { questions: number; passages: Set<string> }>();
  for (const node of graph.questions) {
    const { topic } = graph.question(node);
    if (topic === undefined) continue;
    const entry = topics.get(topic) ?? { questions: 0, passages: new Set<string>() };
    entry.questions += 1;
    for (const passage of graph.askedFrom(node)) entry.passages.add(passage);
    topics.set(topic, entry);
  }
  const byTopic = standings(graph, "topic").map(({ name, answered, right }): TopicCoverage => {
    const { questions = 0, passages: from } = topics.get(name) ?? {};
    return { topic: name, questions, passages: from?.size ?? 0, answered, right };
  });
  return {
    passages,
    asked,
    share: passages === 0 ? 0 : asked / passages,
    questions: graph.questions.length,
    concepts: graph.conceptCount,
    byTopic: byTopic.sort((a, b) => byCode(a.topic, b.topic)),
  };
}
