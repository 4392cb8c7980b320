/** @file The question graph: what was asked from which passages and how it was answered; it says where to ask next. Knows no store, model or file. */
import type { Passage } from "../corpus/types.js";
import type { Standing } from "./accuracy.js";
import { type ConceptMention, type ExtractConcepts, extractConcepts, knownConcepts } from "./concepts.js";
import { deserialize } from "./deserialize.js";
import { type Draw, type DrawsOptions, nextDraws } from "./draws.js";
import {
  bareId,
  type NodeId,
  nodeId,
  type PassageNode,
  type QuestionNode,
  type SerializedQuestionGraph,
} from "./graph-schema.js";
import { graphMLLines } from "./graphml.js";
import { KnowledgeGraph } from "./knowledge-graph.js";
import { checkWhole, type NeighbourhoodOptions, neighbourhood, type Subgraph, shortestPath } from "./neighbourhood.js";
import { QuestionIndex, type SimilarQuestion } from "./question-index.js";
import { type RelatedPassage, relatedPassages } from "./relatedness.js";
import { type Coverage, coverage, type Subject, standings } from "./standings.js";

export interface QuestionGraphOptions {
  /** Default: names, headings and repeated words. Not part of the JSON: give the same one again to `fromJSON`. */
  readonly extractConcepts?: ExtractConcepts;
}

export interface NewQuestion {
  /** Default: "q1", "q2" and so on. */
  readonly id?: string;
  readonly text: string;
  /** Ids of the passages that it was asked from. */
  readonly passages: readonly string[];
  /** What was retrieved for it, with similarities where they are known; negative ones count as 0. */
  readonly retrieved?: readonly (string | { readonly id: string; readonly score?: number })[];
  readonly round: number;
  readonly topic?: string;
  /** The phase of training that it was asked in. */
  readonly phase?: string;
}

export interface NearPassageOptions {
  readonly limit?: number;
  /** Of two passages, by their ids, in [0, 1]; only passages that share a concept or an edge are compared. */
  readonly similarity?: (a: string, b: string) => number;
}

/** Concepts kept of one text; with more, frequent words would join everything to everything, and 50,000 passages would not fit. */
export const MOST_CONCEPTS = 10;
/** Similar questions that a new one is joined to, and how similar they must be. */
const SIMILAR_QUESTIONS = 4;
const SIMILAR_FROM = 0.3;

/**
 * Grows by calls; the same sequence of calls gives the same graph, byte by byte. Made for up to 50,000 passages and as many
 * questions: adding either costs the same however large the graph is, but for the lists of its concepts.
 */
export class QuestionGraph {
  private readonly extract: ExtractConcepts;
  private readonly asked = new QuestionIndex();

  private constructor(
    private readonly graph: KnowledgeGraph,
    { extractConcepts: extract = extractConcepts }: QuestionGraphOptions,
  ) {
    this.extract = extract;
    for (const node of graph.questions) this.asked.add(bareId(node), graph.question(node).text);
  }

  static fromPassages(passages: readonly Passage[], options: QuestionGraphOptions = {}): QuestionGraph {
    const made = new QuestionGraph(new KnowledgeGraph(), options);
    made.addPassages(passages);
    return made;
  }

  /** Goes on exactly like the graph that `value` was made of. Throws with all problems where it is no such thing. */
  static fromJSON(value: unknown, options: QuestionGraphOptions = {}): QuestionGraph {
    return new QuestionGraph(deserialize(value), options);
  }

  /**
   * Adds what is not there yet and returns how many were new. A passage gets the concepts that the extractor finds, and then
   * those of other passages that its text names: of passages added later only if they are added together.
   */
  addPassages(passages: readonly Passage[]): number {
    const fresh = [...new Map(passages.map((passage) => [passage.id, passage])).values()].filter(
      ({ id }) => !this.graph.has(nodeId("passage", id)),
    );
    const problems = fresh.flatMap(passageProblems);
    if (problems.length > 0) throw new Error(`cannot add passages: ${problems.slice(0, 20).join("; ")}`);
    const extracted = fresh.map(({ text }) => this.extracted(text));
    for (const { id, source, start, end } of fresh)
      this.graph.addNode("passage", id, { kind: "passage", source, start, end, asked: 0 });
    for (const mentions of extracted) for (const { name } of mentions) this.addConcept(name);
    for (const [i, { id, text }] of fresh.entries()) this.mention(nodeId("passage", id), text, extracted[i] ?? []);
    return fresh.length;
  }

  /**
   * Adds a question and returns its id. One that is equal to a question of the graph (`exactForm`) is the same one asked
   * again: its id is returned, and it is joined to the further passages. Near duplicates are added: ask `isDuplicate` before.
   */
  addQuestion(question: NewQuestion): string {
    const { text, round, topic, phase } = question;
    const from = [...new Set(question.passages)].map((id) => nodeId("passage", id));
    const retrieved = (question.retrieved ?? []).map((entry) => (typeof entry === "string" ? { id: entry } : entry));
    this.checkQuestion(question, [...from, ...retrieved.map(({ id }) => nodeId("passage", id))]);
    checkScores(retrieved);
    const id = this.asked.equal(text) ?? question.id ?? this.freeId();
    const node = nodeId("question", id);
    const extracted = this.extracted(text);
    if (this.graph.has(node)) {
      this.graph.question(node).asked += 1;
    } else {
      const labels = { ...(topic !== undefined && { topic }), ...(phase !== undefined && { phase }) };
      this.graph.addNode("question", id, { kind: "question", text, round, asked: 1, ...labels, outcomes: [] });
      this.linkSimilarQuestions(id, text);
      this.mention(node, text, extracted);
      this.asked.add(id, text);
    }
    for (const passage of from) {
      this.graph.passage(passage).asked += 1;
      this.graph.link("asked-from", node, passage, 1);
    }
    for (const { id: passage, score = 1 } of retrieved)
      this.graph.link("retrieved-for", nodeId("passage", passage), node, similarityWeight(score));
    return id;
  }

  private checkQuestion({ id, text, round, topic, phase }: NewQuestion, passages: readonly NodeId[]): void {
    const problems: string[] = [];
    if (text.trim() === "") problems.push("text: expected a question, found none");
    if (!Number.isSafeInteger(round) || round < 0) problems.push(`round: expected a whole number, found ${round}`);
    for (const [name, value] of Object.entries({ id, topic, phase }))
      if (value === "") problems.push(`${name}: expected a text, found an empty one; leave it out`);
    const unknown = passages.filter((passage) => !this.graph.has(passage)).map(bareId);
    if (unknown.length > 0) problems.push(`no such passages: ${unknown.join(", ")}; call addPassages first`);
    if (id !== undefined && this.asked.equal(text) === undefined && this.graph.has(nodeId("question", id)))
      problems.push(`id: ${id} is another question's`);
    if (problems.length > 0) throw new Error(`cannot add the question: ${problems.join("; ")}`);
  }

  /** How a reply to the question was marked; leave `right` out where nobody could tell. */
  recordOutcome(questionId: string, { right, round }: { readonly right?: boolean; readonly round: number }): void {
    checkWhole("round", round, 0);
    this.question(questionId).outcomes.push({ round, right: right ?? null });
  }

  /** See draws.ts for the rule. */
  nextDraws(options: DrawsOptions): Draw[] {
    return nextDraws(this.graph, options);
  }

  coverage(): Coverage {
    return coverage(this.graph);
  }

  /** Measured accuracy, the subject first that needs asking most. */
  standings(by: Subject): Standing[] {
    return standings(this.graph, by);
  }

  /** Topics with at least one marked answer, the weakest first. */
  weakTopics(limit = Number.POSITIVE_INFINITY): Standing[] {
    return standings(this.graph, "topic")
      .filter(({ answered }) => answered > 0)
      .slice(0, limit);
  }

  /** The question that this one repeats, word by word or nearly; see `isNearDuplicate` in question-index.ts. */
  duplicateOf(text: string): string | undefined {
    return this.asked.equal(text) ?? this.asked.similar(text).find(({ duplicate }) => duplicate)?.id;
  }

  isDuplicate(text: string): boolean {
    return this.duplicateOf(text) !== undefined;
  }

  /** Undefined where no question shares a content word. */
  nearestQuestion(text: string): SimilarQuestion | undefined {
    return this.asked.similar(text)[0];
  }

  /** Passages that belong with one, the nearest first. With `similarity` it decides; otherwise concepts and edges do. */
  nearPassages(passageId: string, { limit = 10, similarity }: NearPassageOptions = {}): RelatedPassage[] {
    checkWhole("limit", limit, 1);
    this.passage(passageId);
    return relatedPassages(this.graph, nodeId("passage", passageId), similarity).slice(0, limit);
  }

  /**
   * Joins a passage to those that were found similar: what `nearPassages` or a store's `query` returned. Itself, passages that
   * are not here and scores not above 0 are passed over; a pair that is joined already keeps its weight. Nothing is joined at insert.
   */
  linkPassages(passageId: string, near: readonly { readonly id: string; readonly score: number }[]): void {
    this.passage(passageId);
    checkScores(near);
    const others = near.filter(
      ({ id, score }) => id !== passageId && score > 0 && this.graph.has(nodeId("passage", id)),
    );
    for (const { id, score } of others)
      this.graph.link("similar-to", nodeId("passage", passageId), nodeId("passage", id), similarityWeight(score));
  }

  neighbourhood(node: NodeId, options?: NeighbourhoodOptions): Subgraph {
    return neighbourhood(this.graph, node, options);
  }

  aroundQuestion(questionId: string, options: NeighbourhoodOptions = {}): Subgraph {
    return neighbourhood(this.graph, nodeId("question", questionId), { hops: 2, ...options });
  }

  shortestPath(from: NodeId, to: NodeId): NodeId[] | undefined {
    return shortestPath(this.graph, from, to);
  }

  /** By the names of two concepts. Undefined where nothing joins them. */
  pathBetweenConcepts(from: string, to: string): NodeId[] | undefined {
    return shortestPath(this.graph, nodeId("concept", from), nodeId("concept", to));
  }

  /** graphology's serialised form; `JSON.stringify` of it is canonical. */
  toJSON(): SerializedQuestionGraph {
    return this.graph.export();
  }

  toGraphML(): string {
    return `${[...graphMLLines(this.graph.nodes(), this.graph.links())].join("\n")}\n`;
  }

  /** A live view of a question's attributes. Throws where there is none. */
  private question(id: string): QuestionNode {
    const node = nodeId("question", id);
    if (!this.graph.has(node)) throw new Error(`no question ${id}: expected an id that addQuestion returned`);
    return this.graph.question(node);
  }

  private passage(id: string): PassageNode {
    const node = nodeId("passage", id);
    if (!this.graph.has(node)) throw new Error(`no passage ${id}: call addPassages first`);
    return this.graph.passage(node);
  }

  private freeId(): string {
    let n = this.graph.questions.length + 1;
    while (this.graph.has(nodeId("question", `q${n}`))) n += 1;
    return `q${n}`;
  }

  private extracted(text: string): readonly ConceptMention[] {
    const found = this.extract(text).slice(0, MOST_CONCEPTS);
    const wrong = found.find(({ name, count }) => name === "" || !Number.isSafeInteger(count) || count < 1);
    if (wrong)
      throw new Error(`extractConcepts: expected names with counts of at least 1, found ${JSON.stringify(wrong)}`);
    return found;
  }

  private addConcept(name: string): void {
    if (!this.graph.has(nodeId("concept", name))) this.graph.addNode("concept", name, { kind: "concept" });
  }

  /** What the text is about, and then what others are about that it names, the most specific first. */
  private mention(node: NodeId, text: string, extracted: readonly ConceptMention[]): void {
    const own = new Set(extracted.map(({ name }) => name));
    const known = knownConcepts(text, (name) => this.graph.has(nodeId("concept", name)))
      .filter(({ name }) => !own.has(name))
      .map((mention) => ({ ...mention, spread: this.graph.passagesAbout(nodeId("concept", mention.name)).length }))
      .sort((a, b) => a.spread - b.spread);
    for (const { name, count } of [...extracted, ...known].slice(0, MOST_CONCEPTS)) {
      this.addConcept(name);
      this.graph.link("mentions", node, nodeId("concept", name), count);
    }
  }

  private linkSimilarQuestions(id: string, text: string): void {
    const near = this.asked.similar(text).filter(({ similarity }) => similarity >= SIMILAR_FROM);
    for (const { id: other, similarity } of near.slice(0, SIMILAR_QUESTIONS))
      this.graph.link("similar-to", nodeId("question", id), nodeId("question", other), similarity);
  }
}

/** Cosine similarities can be negative, and exceed 1 by rounding. */
const similarityWeight = (score: number): number => Math.min(1, Math.max(0, score));

function checkScores(scored: readonly { readonly id: string; readonly score?: number }[]): void {
  const wrong = scored.filter(({ score = 1 }) => !Number.isFinite(score)).map(({ id, score }) => `${id}: ${score}`);
  if (wrong.length > 0) throw new Error(`scores: expected finite similarities, found ${wrong.join("; ")}`);
}

function passageProblems({ id, start, end }: Passage): string[] {
  const offsets = [start, end].every((at) => Number.isSafeInteger(at) && at >= 0);
  return [
    ...(id === "" ? ["id: expected an id, found an empty one"] : []),
    ...(offsets ? [] : [`${id}: expected offsets of at least 0, found ${start} and ${end}`]),
  ];
}
