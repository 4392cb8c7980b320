/** @file The question graph of a run, or the part of it that was asked most where it is large. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type SerializedQuestionGraph, serializedSchema } from "../../agents/question-graph/graph-schema.js";
import { readPlainJson, readPlainText } from "./read-file.js";
import { runPlace } from "./run-place.js";
import type { GraphEdge, GraphNode, GraphView } from "./types.js";

export const DEFAULT_NODES = 300;
export const MOST_NODES = 5000;
/** Edges for each node that is shown, the heaviest first. */
const EDGES_PER_NODE = 4;
/** A label is read in a drawing. */
const LABEL_CHARACTERS = 300;

export interface GraphOptions {
  /** At most {@link MOST_NODES}. */
  readonly nodes?: number;
}

/** Empty where the run has none yet, as those of single tool calls. Throws {@link NoSuchRunError} where there is no such run. */
export async function graphView(
  home: string,
  id: string,
  { nodes = DEFAULT_NODES }: GraphOptions = {},
): Promise<GraphView> {
  const directory = await runPlace(home, id);
  const name = await graphName(directory);
  if (name === undefined) return NO_GRAPH;
  try {
    const graph = await readGraph(join(directory, name));
    return graph === undefined ? NO_GRAPH : viewOf(graph, Math.min(MOST_NODES, Math.max(1, Math.floor(nodes))));
  } catch (error) {
    return { ...NO_GRAPH, problem: `${name} cannot be read: ${(error as Error).message}` };
  }
}

const NO_GRAPH: GraphView = { nodes: [], edges: [], totalNodes: 0 };
const GRAPH_NAME = /^question-graph-\d+\.json$/;
const stateSchema = z.object({ graph: z.string().regex(GRAPH_NAME) });

/** The one that the state names, or the latest that there is while the state is being written. */
async function graphName(directory: string): Promise<string | undefined> {
  const state = stateSchema.safeParse((await readPlainJson(join(directory, "state.json")))?.json);
  const names = (await readdir(directory)).filter((name) => GRAPH_NAME.test(name));
  if (state.success && names.includes(state.data.graph)) return state.data.graph;
  return names.sort((a, b) => Number(/\d+/.exec(a)?.[0]) - Number(/\d+/.exec(b)?.[0])).at(-1);
}

/** The graph that was asked for last; a page asks again and again. */
let latest: { readonly key: string; readonly graph: SerializedQuestionGraph } | undefined;

async function readGraph(file: string): Promise<SerializedQuestionGraph | undefined> {
  const info = await lstat(file).catch(() => undefined);
  if (info === undefined) return undefined;
  const key = `${file} ${info.ino} ${info.size} ${info.mtimeMs}`;
  if (latest?.key === key) return latest.graph;
  const read = await readPlainText(file);
  if (read === undefined) return undefined;
  const graph = serializedSchema.parse(JSON.parse(read.text));
  latest = { key, graph };
  return graph;
}

function viewOf({ nodes: all, edges }: SerializedQuestionGraph, most: number): GraphView {
  const degrees = new Map<string, number>();
  for (const { source, target } of edges)
    for (const end of [source, target]) degrees.set(end, (degrees.get(end) ?? 0) + 1);
  const ranked = all
    .map(({ key, attributes }) => ({ node: shownNode(key, attributes), degree: degrees.get(key) ?? 0 }))
    .sort((a, b) => b.node.asked - a.node.asked || b.degree - a.degree || (a.node.id < b.node.id ? -1 : 1));
  const nodes = ranked.slice(0, most).map(({ node }) => node);
  const shown = new Set(nodes.map(({ id }) => id));
  const between = edges
    .filter(({ source, target }) => shown.has(source) && shown.has(target))
    .map(({ source, target, attributes: { kind, weight } }): GraphEdge => ({ source, target, kind, weight }))
    .sort((a, b) => IMPORTANCE[a.kind] - IMPORTANCE[b.kind] || b.weight - a.weight);
  return { nodes, edges: between.slice(0, EDGES_PER_NODE * nodes.length), totalNodes: all.length };
}

/** Which edges are left out last. */
const IMPORTANCE: Readonly<Record<GraphEdge["kind"], number>> = {
  "asked-from": 0,
  "retrieved-for": 1,
  "similar-to": 2,
  mentions: 3,
};

function shownNode(id: string, attributes: SerializedQuestionGraph["nodes"][number]["attributes"]): GraphNode {
  if (attributes.kind === "concept")
    return { id, kind: "concept", label: short(id.slice("concept:".length)), asked: 0 };
  if (attributes.kind === "passage") {
    const { source, start, end, asked } = attributes;
    return { id, kind: "passage", label: short(`${source} ${start}–${end}`), asked };
  }
  const { text, asked, topic, outcomes } = attributes;
  const right = latestShare(outcomes);
  return { id, kind: "question", label: short(text), asked, right, ...(topic !== undefined && { topic }) };
}

/** Of the answers of the latest round that were judged. */
function latestShare(outcomes: readonly { readonly round: number; readonly right: boolean | null }[]): number | null {
  const judged = outcomes.filter(({ right }) => right !== null);
  const round = Math.max(...judged.map((outcome) => outcome.round));
  const latestOnes = judged.filter((outcome) => outcome.round === round);
  return latestOnes.length === 0 ? null : latestOnes.filter(({ right }) => right).length / latestOnes.length;
}

const short = (text: string): string =>
  text.length > LABEL_CHARACTERS ? `${text.slice(0, LABEL_CHARACTERS - 1)}…` : text;
