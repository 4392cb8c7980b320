/** @file One node of the question graph, and its neighbours to go on to. */
import type { GraphView } from "../tools/views/types.js";
import { counted, percent } from "./format.js";
import { LOOKS, lookOf, type Node } from "./node-kinds.js";
import { NodeMark } from "./node-mark.js";

interface Props {
  readonly graph: GraphView;
  readonly node: Node;
  onSelect(id: string): void;
}

/** More than this nobody goes through one by one. */
const NEIGHBOURS_SHOWN = 12;

/** Neighbours by the kind of their edge. */
function neighbours({ nodes, edges }: GraphView, id: string): [kind: string, nodes: Node[]][] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const groups = Map.groupBy(
    edges.filter(({ source, target }) => source === id || target === id),
    ({ kind }) => kind,
  );
  return [...groups].map(([kind, own]) => [
    kind.replaceAll("-", " "),
    own.map(({ source, target }) => byId.get(source === id ? target : source)).filter((node) => node !== undefined),
  ]);
}

export function GraphDetails({ graph, node, onSelect }: Props) {
  const look = lookOf(node);
  return (
    <section class="graph-details" aria-label="Chosen node">
      <p class="soft">
        <NodeMark look={look} /> {LOOKS[look].name}
      </p>
      <h2>{node.label}</h2>
      <p class="nums">
        {node.kind === "passage" ? "asked from" : "asked"} {counted(node.asked, "time")}
        {node.right !== undefined && node.right !== null && ` · ${percent(node.right)} right in its latest round`}
      </p>
      {node.topic !== undefined && <p class="soft">topic: {node.topic}</p>}
      {neighbours(graph, node.id).map(([kind, nodes]) => (
        <div key={kind}>
          <h3>
            {kind} <span class="soft">{nodes.length}</span>
          </h3>
          <ul class="neighbours">
            {nodes.slice(0, NEIGHBOURS_SHOWN).map((other) => (
              <li key={other.id}>
                <button type="button" class="plain" onClick={() => onSelect(other.id)}>
                  <NodeMark look={lookOf(other)} /> {other.label}
                </button>
              </li>
            ))}
          </ul>
          {nodes.length > NEIGHBOURS_SHOWN && <p class="soft">and {nodes.length - NEIGHBOURS_SHOWN} more</p>}
        </div>
      ))}
    </section>
  );
}
