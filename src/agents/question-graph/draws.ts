/** @file Where to ask next: a seeded rule that goes to what was asked least, to what the student gets wrong, and sometimes anywhere. */
import { createRng, type Rng } from "../rng.js";
import { standing } from "./accuracy.js";
import { bareId, type NodeId, nodeId } from "./graph-schema.js";
import type { KnowledgeGraph } from "./knowledge-graph.js";
import { checkWhole } from "./neighbourhood.js";
import { passagesOnTopic, relatedPassages } from "./relatedness.js";
import { standings } from "./standings.js";
import { AskedCounts, pickWeighted } from "./weighted-draw.js";

export type Motive = "coverage" | "weakness" | "exploration";

export interface DrawsOptions {
  readonly count: number;
  /** Passages joined as a question's context: the first is drawn, the others are related to it. */
  readonly k: number;
  /** Give each round its own. */
  readonly seed: number;
  /** Draws one of these each time, instead of any passage. */
  readonly topics?: readonly string[];
  /** Only these passages are drawn: what the store still holds, say. Default: all. */
  readonly only?: ReadonlySet<string>;
  /** How often each motive moves a draw, relative to the others. */
  readonly coverage?: number;
  readonly weakness?: number;
  readonly exploration?: number;
}

export interface Draw {
  readonly motive: Motive;
  /** Ids: the drawn passage and its context, at most k, fewer where fewer are related; none where the graph has none for the topic. */
  readonly passages: readonly string[];
  /** The drawn topic, or the weak one that led to these passages. */
  readonly topic?: string;
  /** The weak concept that led to these passages. */
  readonly concept?: string;
  /** For whatever is drawn when the question is made. */
  readonly seed: number;
}

/** Half of the draws cover, most others go where it hurts, and one in ten goes anywhere, so that no estimate is final. */
export const DEFAULT_WEIGHTS = { coverage: 0.5, weakness: 0.4, exploration: 0.1 } as const;
/** Context is drawn from this many times as many related passages as it needs: the same anchor gets company that changes. */
const CONTEXT_CHOICE = 3;

/**
 * Each draw picks a motive m with probability w_m / Σw, then an anchor by it:
 *
 * - coverage: one of the passages (or topics) that were asked about least, each alike; draws of this call count as asked.
 *   Where none is left that was never asked about, weakness takes its place: going on to level the counts would take back
 *   from the strong what weakness gave to the weak;
 * - weakness: a subject s with probability ∝ need(s)² · specificity(s), where need = 1 − (mean − sd) of the Beta posterior
 *   of its accuracy (accuracy.ts), squared so that many strong subjects do not outweigh a weak one. Subjects are the given
 *   topics, the unmeasured ones too; or else all measured topics (specificity 1) and concepts. The anchor is one of the
 *   subject's passages that were asked about least. Where nothing is measured, coverage takes its place in turn;
 * - exploration: any passage (or topic), each alike.
 *
 * k − 1 of the CONTEXT_CHOICE · (k − 1) most related passages p join the anchor a, drawn without replacement with
 * probability ∝ relation(a, p)² / (1 + asked(p)); relation is that of relatedPassages.
 *
 * The same graph, options and seed give the same draws. Throws where the graph or `only` leaves nothing to draw.
 */
export function nextDraws(graph: KnowledgeGraph, options: DrawsOptions): Draw[] {
  const weights = checkedWeights(options);
  const drawing = new Drawing(graph, options, weights.weakness);
  return Array.from({ length: options.count }, (_, i) => {
    const rng = createRng(options.seed, "question-graph", "draw", i);
    return drawing.draw(pickWeighted(rng, Object.keys(weights) as Motive[], Object.values(weights)), rng);
  });
}

function checkedWeights({ count, k, topics, coverage, weakness, exploration }: DrawsOptions): Record<Motive, number> {
  checkWhole("count", count, 0);
  checkWhole("k", k, 1);
  if (topics?.length === 0) throw new Error("topics: expected at least one, found none; leave it out to draw passages");
  const weights = {
    coverage: coverage ?? DEFAULT_WEIGHTS.coverage,
    weakness: weakness ?? DEFAULT_WEIGHTS.weakness,
    exploration: exploration ?? DEFAULT_WEIGHTS.exploration,
  };
  const wrong = Object.entries(weights).filter(([, weight]) => !Number.isFinite(weight) || weight < 0);
  if (wrong.length > 0)
    throw new Error(wrong.map(([name, weight]) => `${name} is ${weight}: expected a weight of at least 0`).join("; "));
  if (Object.values(weights).every((weight) => weight === 0))
    throw new Error("coverage, weakness and exploration are all 0: expected one above 0");
  return weights;
}

interface WeakSubject {
  readonly topic?: string;
  readonly concept?: string;
  readonly weight: number;
}

class Drawing {
  private readonly passages: AskedCounts<NodeId<"passage">>;
  private readonly topics: AskedCounts<string> | undefined;
  private readonly weak: readonly WeakSubject[];
  /** Passages that a topic's questions were asked from. */
  private readonly askedFrom: ReadonlyMap<string, ReadonlySet<NodeId<"passage">>>;

  constructor(
    private readonly graph: KnowledgeGraph,
    private readonly options: DrawsOptions,
    private readonly weakness: number,
  ) {
    const { topics, only, seed } = options;
    const drawable = graph.passages.filter((node) => only === undefined || only.has(bareId(node)));
    const rng = createRng(seed, "question-graph", "order");
    this.passages = new AskedCounts(drawable, (node) => graph.passage(node).asked, rng);
    this.topics = topics && new AskedCounts([...new Set(topics)], askedByTopic(graph), rng.fork("topics"));
    if (topics === undefined && options.count > 0 && drawable.length === 0)
      throw new Error("no passage to draw: add passages, or let `only` hold ids of this graph");
    this.askedFrom = passagesByTopic(graph);
    this.weak = topics === undefined ? this.measuredSubjects() : this.givenSubjects();
  }

  draw(motive: Motive, rng: Rng): Draw {
    const reached = this.reachable(motive);
    const weak = reached === "weakness" ? this.pickWeak(rng) : undefined;
    const { topic, concept } = weak ?? { topic: this.anyTopic(reached, rng) };
    const anchor = this.anchor(reached, { topic, concept }, rng);
    const passages = anchor === undefined ? [] : this.withContext(anchor, rng);
    for (const node of passages) this.passages.add(node);
    if (topic !== undefined) this.topics?.add(topic);
    return {
      motive: reached,
      passages: passages.map(bareId),
      ...(topic !== undefined && { topic }),
      ...(concept !== undefined && { concept }),
      seed: rng.fork("task").int(2 ** 31),
    };
  }

  private reachable(motive: Motive): Motive {
    if (this.weak.length === 0) return motive === "weakness" ? "coverage" : motive;
    const covered = !(this.topics ?? this.passages).anyUnasked;
    return motive === "coverage" && covered && this.weakness > 0 ? "weakness" : motive;
  }

  private pickWeak(rng: Rng): WeakSubject {
    return pickWeighted(
      rng,
      this.weak,
      this.weak.map(({ weight }) => weight),
    );
  }

  private anyTopic(motive: Motive, rng: Rng): string | undefined {
    if (this.topics === undefined) return undefined;
    return motive === "exploration" ? rng.pick(this.topics.all) : this.topics.least();
  }

  private anchor(motive: Motive, { topic, concept }: Partial<WeakSubject>, rng: Rng): NodeId<"passage"> | undefined {
    if (topic !== undefined) return this.passages.leastOf(this.passagesOf(topic), rng);
    if (concept !== undefined) return this.passages.leastOf(this.graph.passagesAbout(nodeId("concept", concept)), rng);
    return motive === "exploration" ? rng.pick(this.passages.all) : this.passages.least();
  }

  /** Passages that mention what the topic names, and those that its questions were asked from. */
  private passagesOf(topic: string): NodeId<"passage">[] {
    return [...new Set([...passagesOnTopic(this.graph, topic), ...(this.askedFrom.get(topic) ?? [])])];
  }

  private withContext(anchor: NodeId<"passage">, rng: Rng): NodeId<"passage">[] {
    const wanted = this.options.k - 1;
    const related = relatedPassages(this.graph, anchor)
      .map(({ id, score }) => ({ node: nodeId("passage", id), score }))
      .filter(({ node, score }) => score > 0 && this.passages.has(node))
      .slice(0, CONTEXT_CHOICE * wanted);
    const members = [anchor];
    while (members.length <= wanted && related.length > 0) {
      const weights = related.map(({ node, score }) => score ** 2 / (1 + this.passages.of(node)));
      const picked = pickWeighted(rng, related, weights);
      related.splice(related.indexOf(picked), 1);
      members.push(picked.node);
    }
    return members;
  }

  /** A subject of which no passage can be drawn is none; a draw for it would be of something else. */
  private measuredSubjects(): WeakSubject[] {
    const weigh = ({ need }: { need: number }, specificity: number) => need ** 2 * specificity;
    const topics = standings(this.graph, "topic")
      .filter(
        ({ name, answered }) =>
          answered > 0 && [...(this.askedFrom.get(name) ?? [])].some((node) => this.passages.has(node)),
      )
      .map((measured) => ({ topic: measured.name, weight: weigh(measured, 1) }));
    const concepts = standings(this.graph, "concept")
      .map((measured) => ({ ...measured, node: nodeId("concept", measured.name) }))
      .filter(
        ({ node, answered }) =>
          answered > 0 && this.graph.passagesAbout(node).some((about) => this.passages.has(about)),
      )
      .map((measured) => ({ concept: measured.name, weight: weigh(measured, this.graph.specificity(measured.node)) }));
    return [...topics, ...concepts];
  }

  private givenSubjects(): WeakSubject[] {
    const measured = new Map(standings(this.graph, "topic").map((entry) => [entry.name, entry.need]));
    const unknown = standing("", [], 0).need;
    return (this.topics?.all ?? []).map((topic) => ({ topic, weight: (measured.get(topic) ?? unknown) ** 2 }));
  }
}

function askedByTopic(graph: KnowledgeGraph): (topic: string) => number {
  const asked = new Map<string, number>();
  for (const node of graph.questions) {
    const { topic, asked: times } = graph.question(node);
    if (topic !== undefined) asked.set(topic, (asked.get(topic) ?? 0) + times);
  }
  return (topic) => asked.get(topic) ?? 0;
}

function passagesByTopic(graph: KnowledgeGraph): Map<string, Set<NodeId<"passage">>> {
  const found = new Map<string, Set<NodeId<"passage">>>();
  for (const node of graph.questions) {
    const { topic } = graph.question(node);
    if (topic === undefined) continue;
    const passages = found.get(topic) ?? new Set();
    for (const passage of graph.askedFrom(node)) passages.add(passage);
    found.set(topic, passages);
  }
  return found;
}
