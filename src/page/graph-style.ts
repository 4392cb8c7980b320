/** @file The question graph in cytoscape's terms: elements, style by look, layout. */
import type { ElementDefinition, LayoutOptions, StylesheetJson } from "cytoscape";
import type { GraphView } from "../tools/views/types.js";
import { LOOKS, lookOf } from "./node-kinds.js";
import { tokenColor } from "./theme.js";

const SHORTEST = 14;
/** Labels of a drawing are read at a glance. */
const LABEL_CHARACTERS = 42;
/** A node asked ten times is twice as wide as one never asked. */
const sizeOf = (asked: number): number => SHORTEST + 4 * Math.log2(1 + asked);

const short = (text: string): string =>
  text.length > LABEL_CHARACTERS ? `${text.slice(0, LABEL_CHARACTERS - 1)}…` : text;

export function graphElements({ nodes, edges }: GraphView): ElementDefinition[] {
  return [
    ...nodes.map((node) => ({
      group: "nodes" as const,
      data: { id: node.id, label: short(node.label), look: lookOf(node), size: sizeOf(node.asked) },
    })),
    ...edges.map(({ source, target, kind, weight }) => ({
      group: "edges" as const,
      data: { id: edgeId({ source, target, kind }), source, target, kind, weight },
    })),
  ];
}

export const edgeId = ({
  source,
  target,
  kind,
}: Pick<GraphView["edges"][number], "source" | "target" | "kind">): string => `${kind} ${source} ${target}`;

export function graphStyle(): StylesheetJson {
  const [text, card, soft, accent] = ["text", "card", "soft", "accent"].map(tokenColor) as [
    string,
    string,
    string,
    string,
  ];
  return [
    {
      selector: "node",
      style: { width: "data(size)", height: "data(size)", "border-width": 1.5, "border-color": card, "z-index": 1 },
    },
    ...Object.entries(LOOKS).map(([look, { shape, color, hollow }]) => ({
      selector: `node[look = "${look}"]`,
      style: {
        shape,
        "background-color": hollow ? card : tokenColor(color),
        ...(hollow && { "border-color": tokenColor(color), "border-width": 2 }),
      },
    })),
    { selector: "edge", style: { width: 1, "line-color": soft, opacity: 0.35, "curve-style": "haystack" } },
    { selector: 'edge[kind = "asked-from"]', style: { opacity: 0.6, width: 1.5 } },
    { selector: 'edge[kind = "similar-to"]', style: { "line-style": "dashed" } },
    { selector: 'edge[kind = "mentions"]', style: { "line-style": "dotted" } },
    { selector: ".near", style: { opacity: 1 } },
    { selector: "edge.near", style: { "line-color": accent, width: 2 } },
    {
      selector: "node.named, node.hover, node:selected",
      style: {
        label: "data(label)",
        color: text,
        "font-size": 11,
        "font-family": "system-ui, sans-serif",
        "text-background-color": card,
        "text-background-opacity": 0.9,
        "text-background-padding": "2px",
        "text-wrap": "wrap",
        "text-max-width": "150px",
        "text-valign": "bottom",
        "text-margin-y": 3,
        "z-index": 10,
      },
    },
    { selector: "node:selected", style: { "border-color": accent, "border-width": 4 } },
    { selector: ".far", style: { opacity: 0.18 } },
  ] as StylesheetJson;
}

/** @param fresh nothing is placed yet; otherwise what has a place keeps about it */
export const graphLayout = (fresh: boolean): LayoutOptions => ({
  name: "cose",
  animate: false,
  randomize: fresh,
  fit: true,
  padding: 24,
  nodeRepulsion: () => 9000,
  idealEdgeLength: () => 46,
  nodeOverlap: 40,
  gravity: 0.6,
  componentSpacing: 50,
  numIter: fresh ? 600 : 150,
});
