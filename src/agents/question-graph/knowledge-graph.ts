/** @file The graph as it is kept: typed nodes and edges on graphology, in the order in which they came. Knows no rule. */
import graphology, { type MultiGraph } from "graphology";
import {
  type EdgeAttributes,
  type EdgeKind,
  GRAPH_FORMAT,
  GRAPH_VERSION,
  type NodeAttributes,
  type NodeId,
  type NodeKind,
  nodeId,
  type PassageNode,
  type QuestionNode,
  type SerializedQuestionGraph,
} from "./graph-schema.js";

type GraphAttributes = SerializedQuestionGraph["attributes"];

/** An edge as seen from one of its ends. */
export interface Link {
  readonly source: NodeId;
  readonly target: NodeId;
  readonly kind: EdgeKind;
  readonly weight: number;
  readonly undirected: boolean;
}

export class KnowledgeGraph {
  readonly passages: NodeId<"passage">[] = [];
  readonly questions: NodeId<"question">[] = [];
  private readonly graph: MultiGraph<NodeAttributes, EdgeAttributes, GraphAttributes>;
  /** Passages that mention a concept, in the order of adding: graphology's own lists also hold its questions. */
  private readonly mentioning = new Map<NodeId<"concept">, NodeId<"passage">[]>();

  constructor() {
    this.graph = new graphology.MultiGraph({ type: "mixed", multi: true, allowSelfLoops: false });
    this.graph.replaceAttributes({ format: GRAPH_FORMAT, version: GRAPH_VERSION });
  }

  has(node: NodeId): boolean {
    return this.graph.hasNode(node);
  }

  /** Throws where the node is none of this graph. */
  attributes(node: NodeId): NodeAttributes {
    return this.graph.getNodeAttributes(node);
  }

  passage(node: NodeId<"passage">): PassageNode {
    return this.graph.getNodeAttributes(node) as PassageNode;
  }

  question(node: NodeId<"question">): QuestionNode {
    return this.graph.getNodeAttributes(node) as QuestionNode;
  }

  get conceptCount(): number {
    return this.graph.order - this.passages.length - this.questions.length;
  }

  addNode(kind: NodeKind, id: string, attributes: NodeAttributes): void {
    this.graph.addNode(nodeId(kind, id), attributes);
    if (kind === "passage") this.passages.push(nodeId(kind, id));
    if (kind === "question") this.questions.push(nodeId(kind, id));
  }

  /** Between two nodes there is one edge of a direction. A second asked-from counts on; otherwise the first weight stays. */
  link(kind: EdgeKind, source: NodeId, target: NodeId, weight: number): void {
    const existing =
      kind === "similar-to"
        ? this.graph.undirectedEdges(source, target)[0]
        : this.graph.directedEdges(source, target).find((edge) => this.graph.source(edge) === source);
    if (existing !== undefined) {
      if (kind === "asked-from") this.graph.updateEdgeAttribute(existing, "weight", (before = 0) => before + weight);
      return;
    }
    this.addEdge(kind, source, target, weight);
  }

  /** `link` where there is no such edge yet. */
  private addEdge(kind: EdgeKind, source: NodeId, target: NodeId, weight: number): void {
    const key = `e${this.graph.size}`;
    if (kind === "similar-to") this.graph.addUndirectedEdgeWithKey(key, source, target, { kind, weight });
    else this.graph.addDirectedEdgeWithKey(key, source, target, { kind, weight });
    if (kind === "mentions" && source.startsWith("passage:")) this.index(source as NodeId<"passage">, target);
  }

  private index(passage: NodeId<"passage">, target: NodeId): void {
    const concept = target as NodeId<"concept">;
    const list = this.mentioning.get(concept);
    if (list) list.push(passage);
    else this.mentioning.set(concept, [passage]);
  }

  passagesAbout(concept: NodeId<"concept">): readonly NodeId<"passage">[] {
    return this.mentioning.get(concept) ?? [];
  }

  /** ln(1 + N / n) / ln(1 + N) for n of N passages: 1 where one passage alone mentions the concept. */
  specificity(concept: NodeId<"concept">): number {
    const N = Math.max(1, this.passages.length);
    return Math.log(1 + N / Math.max(1, this.passagesAbout(concept).length)) / Math.log(1 + N);
  }

  conceptsOf(node: NodeId): NodeId<"concept">[] {
    return this.outOf(node, "mentions") as NodeId<"concept">[];
  }

  askedFrom(question: NodeId<"question">): NodeId<"passage">[] {
    return this.outOf(question, "asked-from") as NodeId<"passage">[];
  }

  private outOf(node: NodeId, kind: EdgeKind): NodeId[] {
    const targets: NodeId[] = [];
    this.graph.forEachOutEdge(node, (_, attributes, __, target) => {
      if (attributes.kind === kind) targets.push(target as NodeId);
    });
    return targets;
  }

  similarTo(node: NodeId): { readonly node: NodeId; readonly weight: number }[] {
    const found: { node: NodeId; weight: number }[] = [];
    this.graph.forEachUndirectedEdge(node, (_, { weight }, source, target) => {
      found.push({ node: (source === node ? target : source) as NodeId, weight });
    });
    return found;
  }

  /** All edges at a node, in either direction. */
  linksOf(node: NodeId): Link[] {
    return this.graph.mapEdges(node, toLink);
  }

  /** All edges, in the order of adding. */
  *links(): Generator<Link> {
    for (const { attributes, source, target, undirected, ...ends } of this.graph.edgeEntries())
      yield toLink(ends.edge, attributes, source, target, undefined, undefined, undirected);
  }

  *nodes(): Generator<{ readonly id: NodeId; readonly attributes: NodeAttributes }> {
    for (const { node, attributes } of this.graph.nodeEntries()) yield { id: node as NodeId, attributes };
  }

  /** The same sequence of calls gives the same value, property by property. Shares nothing with the graph. */
  export(): SerializedQuestionGraph {
    const exported = this.graph.export() as SerializedQuestionGraph;
    for (const { attributes } of exported.nodes)
      if (attributes.kind === "question") attributes.outcomes = [...attributes.outcomes];
    return exported;
  }

  /** Takes over what it is given, which must have been checked. */
  static restore({ nodes, edges }: SerializedQuestionGraph): KnowledgeGraph {
    const restored = new KnowledgeGraph();
    for (const { key, attributes } of nodes)
      restored.addNode(attributes.kind, key.slice(attributes.kind.length + 1), attributes);
    for (const { source, target, attributes } of edges)
      restored.addEdge(attributes.kind, source as NodeId, target as NodeId, attributes.weight);
    return restored;
  }
}

function toLink(
  _edge: string,
  { kind, weight }: EdgeAttributes,
  source: string,
  target: string,
  _from: unknown,
  _to: unknown,
  undirected: boolean,
): Link {
  return { source: source as NodeId, target: target as NodeId, kind, weight, undirected };
}
