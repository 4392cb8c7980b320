/** @file Which passages belong together: by the concepts they share, and by similarities that were measured. */
import { knownConcepts } from "./concepts.js";
import { bareId, type NodeId, nodeId } from "./graph-schema.js";
import type { KnowledgeGraph } from "./knowledge-graph.js";
import { byCode } from "./words.js";

export interface RelatedPassage {
  readonly id: string;
  /** In [0, 1]. */
  readonly score: number;
}

/** Passages looked at for one: those that share its most specific concepts. Bounds the work of a draw. */
export const MOST_CANDIDATES = 256;

/**
 * Passages related to one, the most related first. Their relation is the larger of a measured similarity (a similar-to
 * edge) and the weighted Jaccard of both passages' concepts, Σ specificity(shared) / Σ specificity(any).
 */
export function relatedPassages(
  graph: KnowledgeGraph,
  passage: NodeId<"passage">,
  similarity?: (a: string, b: string) => number,
): RelatedPassage[] {
  const own = new Set(graph.conceptsOf(passage));
  const measured = new Map(graph.similarTo(passage).map(({ node, weight }) => [node, weight]));
  const candidates = new Set<NodeId>([...measured.keys(), ...sharing(graph, passage)]);
  const scored = Array.from(candidates, (candidate): RelatedPassage => {
    const id = bareId(candidate);
    if (similarity !== undefined) return { id, score: similarity(bareId(passage), id) };
    return { id, score: Math.max(measured.get(candidate) ?? 0, sharedConcepts(graph, own, candidate)) };
  });
  return scored.sort((a, b) => b.score - a.score || byCode(a.id, b.id));
}

function sharedConcepts(graph: KnowledgeGraph, own: ReadonlySet<NodeId<"concept">>, other: NodeId): number {
  let [shared, any] = [0, 0];
  for (const concept of own) any += graph.specificity(concept);
  for (const concept of graph.conceptsOf(other)) {
    const specificity = graph.specificity(concept);
    if (own.has(concept)) shared += specificity;
    else any += specificity;
  }
  return any === 0 ? 0 : shared / any;
}

/** Of a concept that many passages mention, those nearest in the order of the corpus: mostly the same document's. */
function sharing(graph: KnowledgeGraph, passage: NodeId<"passage">): Set<NodeId<"passage">> {
  const found = new Set<NodeId<"passage">>();
  for (const list of specificFirst(graph, graph.conceptsOf(passage))) {
    const room = MOST_CANDIDATES - found.size;
    if (room <= 0) break;
    const start = list.length <= room ? 0 : Math.max(0, list.indexOf(passage) - Math.floor(room / 2));
    for (const other of list.slice(start, start + room)) if (other !== passage) found.add(other);
  }
  return found;
}

const specificFirst = (graph: KnowledgeGraph, concepts: readonly NodeId<"concept">[]) =>
  concepts.map((concept) => graph.passagesAbout(concept)).sort((a, b) => a.length - b.length);

/** Concepts of the graph that a text mentions. */
export const conceptsIn = (graph: KnowledgeGraph, text: string): NodeId<"concept">[] =>
  knownConcepts(text, (name) => graph.has(nodeId("concept", name))).map(({ name }) => nodeId("concept", name));

/** Passages that a topic is about: Σ specificity of the topic's concepts that they mention, at least half of the best. */
export function passagesOnTopic(graph: KnowledgeGraph, topic: string): NodeId<"passage">[] {
  const scores = new Map<NodeId<"passage">, number>();
  const concepts = conceptsIn(graph, topic).sort(
    (a, b) => graph.passagesAbout(a).length - graph.passagesAbout(b).length || byCode(a, b),
  );
  for (const concept of concepts) {
    for (const passage of graph.passagesAbout(concept)) {
      if (!scores.has(passage) && scores.size >= MOST_CANDIDATES) continue;
      scores.set(passage, (scores.get(passage) ?? 0) + graph.specificity(concept));
    }
  }
  const best = Math.max(...scores.values());
  return [...scores].filter(([, score]) => score >= best / 2).map(([passage]) => passage);
}
