/** @file The door of the question graph. */

export { AGEING, type Outcome, type Standing, standing } from "./accuracy.js";
export { type ConceptMention, type ExtractConcepts, extractConcepts } from "./concepts.js";
export { DEFAULT_WEIGHTS, type Draw, type DrawsOptions, type Motive } from "./draws.js";
export {
  type EdgeKind,
  type NodeAttributes,
  type NodeId,
  type NodeKind,
  nodeId,
  type SerializedQuestionGraph,
} from "./graph-schema.js";
export { graphMLLines } from "./graphml.js";
export type { Link } from "./knowledge-graph.js";
export type { NeighbourhoodOptions, Subgraph, SubgraphNode } from "./neighbourhood.js";
export {
  MOST_CONCEPTS,
  type NearPassageOptions,
  type NewQuestion,
  QuestionGraph,
  type QuestionGraphOptions,
} from "./question-graph.js";
export { DUPLICATE_SIMILARITY, MOST_COMPARED, type SimilarQuestion } from "./question-index.js";
export { MOST_CANDIDATES, type RelatedPassage } from "./relatedness.js";
export type { Coverage, Subject, TopicCoverage } from "./standings.js";
