/** @file A question graph read from JSON that somebody else may have written: all that is wrong with it in one message. */
import { EDGE_ENDS, type SerializedQuestionGraph, serializedSchema } from "./graph-schema.js";
import { KnowledgeGraph } from "./knowledge-graph.js";

/** A message is for reading, and a hostile file may have a problem in every line. */
const MOST_PROBLEMS = 20;
const SHOWN = 60;

/** Throws with all problems (the first twenty, and how many more) where the value is no question graph. */
export function deserialize(value: unknown): KnowledgeGraph {
  const parsed = serializedSchema.safeParse(value);
  if (!parsed.success) {
    throw refusal(
      parsed.error.issues.map((issue) => `${issue.path.map(String).join(".") || "the value"}: ${issue.message}`),
    );
  }
  const problems = [...nodeProblems(parsed.data), ...edgeProblems(parsed.data)];
  if (problems.length > 0) throw refusal(problems);
  return KnowledgeGraph.restore(parsed.data);
}

function refusal(problems: readonly string[]): Error {
  const more = problems.length > MOST_PROBLEMS ? `; and ${problems.length - MOST_PROBLEMS} more` : "";
  return new Error(
    `not a question graph: ${problems.slice(0, MOST_PROBLEMS).join("; ")}${more}. Give what QuestionGraph.toJSON() returned`,
  );
}

function* nodeProblems({ nodes, edges }: SerializedQuestionGraph): Generator<string> {
  const seen = new Set<string>();
  const asked = timesAsked(edges);
  for (const [i, { key, attributes }] of nodes.entries()) {
    const prefix = `${attributes.kind}:`;
    if (!key.startsWith(prefix) || key === prefix)
      yield `nodes.${i}.key: expected ${prefix} and an id, found ${show(key)}`;
    if (seen.has(key)) yield `nodes.${i}.key: ${show(key)} is there twice`;
    seen.add(key);
    if (attributes.kind === "passage" && attributes.asked !== (asked.get(key) ?? 0))
      yield `nodes.${i}.attributes.asked: expected the sum of its asked-from edges, ${asked.get(key) ?? 0}, found ${attributes.asked}`;
  }
}

function timesAsked(edges: SerializedQuestionGraph["edges"]): Map<string, number> {
  const asked = new Map<string, number>();
  for (const { target, attributes } of edges)
    if (attributes.kind === "asked-from") asked.set(target, (asked.get(target) ?? 0) + attributes.weight);
  return asked;
}

function* edgeProblems({ nodes, edges }: SerializedQuestionGraph): Generator<string> {
  const kinds = new Map(nodes.map(({ key, attributes }) => [key, attributes.kind]));
  const seen = new Set<string>();
  for (const [i, { key, source, target, attributes, undirected = false }] of edges.entries()) {
    const { kind, weight } = attributes;
    if (key !== `e${i}`) yield `edges.${i}.key: expected e${i}, found ${show(key)}`;
    const unknown = [source, target].filter((end) => !kinds.has(end));
    if (unknown.length > 0) {
      yield `edges.${i}: no node ${unknown.map(show).join(", ")}`;
      continue;
    }
    if (!EDGE_ENDS[kind].some(([from, to]) => from === kinds.get(source) && to === kinds.get(target)))
      yield `edges.${i}: ${kind} joins ${EDGE_ENDS[kind].map((ends) => ends.join(" and ")).join(" or ")}, found ${kinds.get(source)} and ${kinds.get(target)}`;
    if (source === target) yield `edges.${i}: joins ${show(source)} with itself`;
    if (undirected !== (kind === "similar-to"))
      yield `edges.${i}.undirected: expected on similar-to edges, and only there`;
    const similarity = kind === "similar-to" || kind === "retrieved-for";
    if (similarity ? weight > 1 : !Number.isSafeInteger(weight) || weight < 1)
      yield `edges.${i}.attributes.weight: expected ${similarity ? "a similarity in [0, 1]" : "a count of at least 1"}, found ${weight}`;
    const pair = JSON.stringify(undirected ? [source, target].sort() : [source, target]);
    if (seen.has(`${undirected} ${pair}`))
      yield `edges.${i}: there is another edge from ${show(source)} to ${show(target)}`;
    seen.add(`${undirected} ${pair}`);
  }
}

const show = (text: string): string => JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
