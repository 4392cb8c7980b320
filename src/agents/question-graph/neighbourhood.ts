/** @file What lies around a node, and the shortest way between two. */
import type { NodeAttributes, NodeId, NodeKind } from "./graph-schema.js";
import type { KnowledgeGraph, Link } from "./knowledge-graph.js";
import { byCode } from "./words.js";

export interface NeighbourhoodOptions {
  /** Edges between the node and the farthest other. Default 1. */
  readonly hops?: number;
  /** Kinds of nodes that are entered; the start belongs in any case. Default: all. */
  readonly kinds?: readonly NodeKind[];
  /** Most nodes, the start included. Default 100. */
  readonly limit?: number;
}

export interface SubgraphNode {
  readonly id: NodeId;
  /** Hops from the start. */
  readonly distance: number;
  readonly attributes: NodeAttributes;
}

export interface Subgraph {
  /** By distance, then by the strongest edge that leads there, then by id. */
  readonly nodes: readonly SubgraphNode[];
  /** All edges among these nodes, by source, target and kind. */
  readonly edges: readonly Link[];
}

const MOST_NODES = 100;

/** A copy: the graph does not change with it. Throws where the node is unknown. */
export function neighbourhood(graph: KnowledgeGraph, start: NodeId, options: NeighbourhoodOptions = {}): Subgraph {
  const { hops = 1, kinds, limit = MOST_NODES } = options;
  checkWhole("hops", hops, 0);
  checkWhole("limit", limit, 1);
  checkKnown(graph, start);
  const distances = new Map<NodeId, number>([[start, 0]]);
  let frontier: NodeId[] = [start];
  for (let distance = 1; distance <= hops && frontier.length > 0 && distances.size < limit; distance++) {
    const next = reached(graph, frontier).filter(
      (node) => !distances.has(node) && (kinds === undefined || kinds.includes(graph.attributes(node).kind)),
    );
    frontier = next.slice(0, limit - distances.size);
    for (const node of frontier) distances.set(node, distance);
  }
  const nodes = Array.from(distances, ([id, distance]) => ({
    id,
    distance,
    attributes: structuredClone(graph.attributes(id)),
  }));
  return { nodes, edges: linksAmong(graph, distances) };
}

/** Nodes next to any of these, by the strongest edge that leads there. */
function reached(graph: KnowledgeGraph, frontier: readonly NodeId[]): NodeId[] {
  const strongest = new Map<NodeId, number>();
  for (const node of frontier) {
    for (const link of graph.linksOf(node)) {
      const other = otherEnd(link, node);
      strongest.set(other, Math.max(strongest.get(other) ?? 0, link.weight));
    }
  }
  return [...strongest].sort(([a, x], [b, y]) => y - x || byCode(a, b)).map(([node]) => node);
}

function linksAmong(graph: KnowledgeGraph, nodes: ReadonlyMap<NodeId, number>): Link[] {
  const links = [...nodes.keys()].flatMap((node) =>
    graph.linksOf(node).filter(({ source, target }) => source === node && nodes.has(target)),
  );
  return links.sort((a, b) => byCode(a.source, b.source) || byCode(a.target, b.target) || byCode(a.kind, b.kind));
}

const otherEnd = ({ source, target }: Link, node: NodeId): NodeId => (source === node ? target : source);

/**
 * The nodes of a shortest path, both ends included, whatever way its edges point; undefined where there is none. Of
 * several, the one that a breadth-first search finds that visits each distance in the order of ids.
 */
export function shortestPath(graph: KnowledgeGraph, from: NodeId, to: NodeId): NodeId[] | undefined {
  checkKnown(graph, from);
  checkKnown(graph, to);
  const cameFrom = new Map<NodeId, NodeId | undefined>([[from, undefined]]);
  for (let frontier: NodeId[] = [from]; frontier.length > 0; ) {
    if (cameFrom.has(to)) return wayBack(cameFrom, to);
    const next: NodeId[] = [];
    for (const node of frontier) {
      for (const link of graph.linksOf(node)) {
        const other = otherEnd(link, node);
        if (cameFrom.has(other)) continue;
        cameFrom.set(other, node);
        next.push(other);
      }
    }
    frontier = next.sort(byCode);
  }
  return undefined;
}

function wayBack(cameFrom: ReadonlyMap<NodeId, NodeId | undefined>, to: NodeId): NodeId[] {
  const path: NodeId[] = [];
  for (let node: NodeId | undefined = to; node !== undefined; node = cameFrom.get(node)) path.unshift(node);
  return path;
}

function checkKnown(graph: KnowledgeGraph, node: NodeId): void {
  if (!graph.has(node))
    throw new Error(`${node}: no such node; expected passage:<id>, question:<id> or concept:<name> of this graph`);
}

export function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw new Error(`${name} is ${value}: expected a whole number of at least ${least}`);
}
