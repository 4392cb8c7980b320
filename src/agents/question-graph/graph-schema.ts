/** @file Nodes and edges of a question graph, as they are kept and as its JSON holds them. */
import { z } from "zod";

export const GRAPH_FORMAT = "preflexor-question-graph";
export const GRAPH_VERSION = 1;

const name = z.string().min(1);
const whole = z.number().int().nonnegative();

const outcomeSchema = z.strictObject({ round: whole, right: z.boolean().nullable() });

const passageSchema = z.strictObject({
  kind: z.literal("passage"),
  source: z.string(),
  start: whole,
  end: whole,
  /** How often a question was asked from it. */
  asked: whole,
});

const questionSchema = z.strictObject({
  kind: z.literal("question"),
  text: z.string().regex(/\S/, "expected a question, found none"),
  /** The round that asked it first. */
  round: whole,
  /** How often it was asked. */
  asked: whole.min(1),
  topic: name.optional(),
  phase: name.optional(),
  outcomes: z.array(outcomeSchema),
});

/** A concept's name is its id. */
const conceptSchema = z.strictObject({ kind: z.literal("concept") });

const nodeAttributesSchema = z.discriminatedUnion("kind", [passageSchema, questionSchema, conceptSchema]);

const edgeAttributesSchema = z.strictObject({
  kind: z.enum(["asked-from", "retrieved-for", "similar-to", "mentions"]),
  /** asked-from: times asked; retrieved-for and similar-to: similarity in [0, 1]; mentions: times mentioned. */
  weight: z.number().nonnegative(),
});

/** graphology's serialised form, with our attributes. */
export const serializedSchema = z.strictObject({
  options: z.strictObject({
    type: z.literal("mixed"),
    multi: z.literal(true),
    allowSelfLoops: z.literal(false),
  }),
  attributes: z.strictObject({ format: z.literal(GRAPH_FORMAT), version: z.literal(GRAPH_VERSION) }),
  nodes: z.array(z.strictObject({ key: z.string(), attributes: nodeAttributesSchema })),
  edges: z.array(
    z.strictObject({
      key: z.string(),
      source: z.string(),
      target: z.string(),
      attributes: edgeAttributesSchema,
      undirected: z.literal(true).optional(),
    }),
  ),
});

export type PassageNode = z.infer<typeof passageSchema>;
export type QuestionNode = z.infer<typeof questionSchema>;
export type ConceptNode = z.infer<typeof conceptSchema>;
export type NodeAttributes = z.infer<typeof nodeAttributesSchema>;
export type EdgeAttributes = z.infer<typeof edgeAttributesSchema>;
export type SerializedQuestionGraph = z.infer<typeof serializedSchema>;

export type NodeKind = NodeAttributes["kind"];
export type EdgeKind = EdgeAttributes["kind"];
/** Kinds have ids of their own: "passage:a" and "question:a" are two nodes. */
export type NodeId<Kind extends NodeKind = NodeKind> = `${Kind}:${string}`;

export const nodeId = <Kind extends NodeKind>(kind: Kind, id: string): NodeId<Kind> => `${kind}:${id}`;
/** The id without its kind. */
export const bareId = (node: string): string => node.slice(node.indexOf(":") + 1);

/** What each kind of edge joins; similar-to joins two of a kind, in no direction. */
export const EDGE_ENDS: Readonly<Record<EdgeKind, readonly (readonly [NodeKind, NodeKind])[]>> = {
  "asked-from": [["question", "passage"]],
  "retrieved-for": [["passage", "question"]],
  "similar-to": [
    ["question", "question"],
    ["passage", "passage"],
  ],
  mentions: [
    ["passage", "concept"],
    ["question", "concept"],
  ],
};
