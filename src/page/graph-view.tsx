/** @file The question graph: what was asked from where, and how it was answered; as a drawing or a list. */
import { useState } from "preact/hooks";
import type { GraphView as Graph, RunDetail } from "../tools/views/types.js";
import { count, counted } from "./format.js";
import { GraphCanvas } from "./graph-canvas.js";
import { GraphDetails } from "./graph-details.js";
import { GraphList } from "./graph-list.js";
import { LOOKS, type Look, lookOf } from "./node-kinds.js";
import { NodeMark } from "./node-mark.js";
import { pathOf, useRoute } from "./router.js";
import { Empty, WithData } from "./states.js";
import { uriOf, useData } from "./use-data.js";

function Legend({ graph }: { readonly graph: Graph }) {
  const counts = Map.groupBy(graph.nodes, lookOf);
  return (
    <ul class="legend">
      {(Object.keys(LOOKS) as Look[])
        .filter((look) => counts.has(look))
        .map((look) => (
          <li key={look}>
            <NodeMark look={look} /> {LOOKS[look].name} <b class="nums">{count(counts.get(look)!.length)}</b>
          </li>
        ))}
    </ul>
  );
}

const SHOWN_AS = ["drawing", "list"] as const;

function Drawn({ run, graph, at }: { readonly run: string; readonly graph: Graph; readonly at: string | undefined }) {
  const { go } = useRoute();
  const [shownAs, setShownAs] = useState<(typeof SHOWN_AS)[number]>("drawing");
  const select = (id: string | undefined): void =>
    go(id === undefined ? pathOf("runs", run, "graph") : pathOf("runs", run, "graph", id));
  const node = graph.nodes.find(({ id }) => id === at);
  return (
    <>
      <div class="graph-bar">
        <fieldset class="choice">
          <legend class="hidden">Show as</legend>
          {SHOWN_AS.map((name) => (
            <button key={name} type="button" aria-pressed={name === shownAs} onClick={() => setShownAs(name)}>
              {name === "drawing" ? "Drawing" : "List"}
            </button>
          ))}
        </fieldset>
        <span class="soft nums">
          {graph.nodes.length < graph.totalNodes ? `${count(graph.nodes.length)} of ` : ""}
          {counted(graph.totalNodes, "node")}
          {graph.nodes.length < graph.totalNodes && ", those asked most"}, {counted(graph.edges.length, "edge")}
        </span>
      </div>
      <Legend graph={graph} />
      <div class="graph" data-shown={shownAs}>
        {shownAs === "drawing" ? (
          <GraphCanvas graph={graph} selected={node?.id} onSelect={select} />
        ) : (
          <GraphList graph={graph} selected={node?.id} onSelect={select} />
        )}
        <div class="graph-about" aria-live="polite">
          {node === undefined ? (
            <p class="soft">Choose a node to see what it touches. Its size grows with how often it was asked.</p>
          ) : (
            <GraphDetails graph={graph} node={node} onSelect={select} />
          )}
        </div>
      </div>
    </>
  );
}

export function GraphView({ run, at }: { readonly run: RunDetail; readonly at: string | undefined }) {
  const load = useData(`graph ${run.id}`, uriOf(run.id, "graph"), (source) => source.graph(run.id));
  return (
    <WithData what="question graph" load={load}>
      {(graph) =>
        graph.nodes.length === 0 ? (
          <Empty title="No question yet">
            <p>
              {graph.problem ??
                "The graph grows as questions are asked from the texts: each joins the passages it came from."}
            </p>
          </Empty>
        ) : (
          <Drawn run={run.id} graph={graph} at={at} />
        )
      }
    </WithData>
  );
}
