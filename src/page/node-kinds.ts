/** @file How nodes of the question graph look: each kind and verdict has a shape of its own, so that none needs its colour. */
import type { GraphView } from "../tools/views/types.js";

export type Node = GraphView["nodes"][number];
export type Look = "passage" | "concept" | "right" | "partly" | "wrong" | "unjudged";

interface NodeLook {
  readonly name: string;
  /** As cytoscape names it. */
  readonly shape: "round-rectangle" | "hexagon" | "ellipse" | "diamond" | "triangle";
  /** A colour token. */
  readonly color: string;
  /** The same shape in an 18 × 18 box, for legend and list. */
  readonly path: string;
  /** Drawn as an outline. */
  readonly hollow?: boolean;
}

export const LOOKS: Readonly<Record<Look, NodeLook>> = {
  right: {
    name: "question, answered right",
    shape: "ellipse",
    color: "good",
    path: "M9 2a7 7 0 1 1 0 14A7 7 0 0 1 9 2",
  },
  partly: { name: "question, answered partly right", shape: "diamond", color: "warn", path: "M9 1 17 9 9 17 1 9z" },
  wrong: { name: "question, answered wrong", shape: "triangle", color: "bad", path: "M9 2 17 16H1z" },
  unjudged: {
    name: "question, not judged",
    shape: "ellipse",
    color: "soft",
    path: "M9 2a7 7 0 1 1 0 14A7 7 0 0 1 9 2",
    hollow: true,
  },
  passage: {
    name: "passage",
    shape: "round-rectangle",
    color: "curve-0",
    path: "M4 4h10a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2",
  },
  concept: { name: "concept", shape: "hexagon", color: "think-edge", path: "M5 2.5h8L17 9l-4 6.5H5L1 9z" },
};

export function lookOf({ kind, right }: Node): Look {
  if (kind !== "question") return kind;
  if (right === undefined || right === null) return "unjudged";
  return right === 1 ? "right" : right === 0 ? "wrong" : "partly";
}
