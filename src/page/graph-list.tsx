/** @file The nodes of the question graph as a table: the same as the drawing, for keyboard and screen reader. */
import { useState } from "preact/hooks";
import type { GraphView } from "../tools/views/types.js";
import { count, percent } from "./format.js";
import { LOOKS, lookOf } from "./node-kinds.js";
import { NodeMark } from "./node-mark.js";
import { Scroll } from "./scroll.js";

interface Props {
  readonly graph: GraphView;
  readonly selected: string | undefined;
  onSelect(id: string): void;
}

/** Rows at first: a table of hundreds is slow to go through. */
const ROWS = 50;

export function GraphList({ graph, selected, onSelect }: Props) {
  const [rows, setRows] = useState(ROWS);
  const [text, setText] = useState("");
  const word = text.trim().toLowerCase();
  const nodes = graph.nodes.filter(({ label, topic = "" }) => `${label} ${topic}`.toLowerCase().includes(word));
  return (
    <div class="graph-list">
      <label class="search">
        <span>Find a node</span>
        <input
          type="search"
          value={text}
          placeholder="question, passage or concept"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <Scroll label="Nodes of the question graph">
        <table>
          <thead>
            <tr>
              <th scope="col">node</th>
              <th scope="col">kind</th>
              <th scope="col" class="number">
                asked
              </th>
              <th scope="col" class="number">
                right
              </th>
            </tr>
          </thead>
          <tbody>
            {nodes.slice(0, rows).map((node) => (
              <tr key={node.id} data-selected={node.id === selected}>
                <td>
                  <button
                    type="button"
                    class="plain"
                    aria-pressed={node.id === selected}
                    onClick={() => onSelect(node.id)}
                  >
                    {node.label}
                  </button>
                </td>
                <td class="soft kind">
                  <NodeMark look={lookOf(node)} /> {LOOKS[lookOf(node)].name}
                </td>
                <td class="number">{count(node.asked)}</td>
                <td class="number">{node.right === undefined || node.right === null ? "–" : percent(node.right)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {nodes.length > rows && (
        <button type="button" onClick={() => setRows(rows + ROWS)}>
          Show more ({count(nodes.length - rows)} left)
        </button>
      )}
    </div>
  );
}
