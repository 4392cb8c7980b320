/** @file The question graph as a drawing that can be moved, enlarged and clicked. The list beside it holds the same. */
import cytoscape from "cytoscape";
import { useEffect, useRef } from "preact/hooks";
import type { GraphView } from "../tools/views/types.js";
import { graphElements, graphLayout, graphStyle } from "./graph-style.js";
import { lessMotion, useColors } from "./theme.js";

interface Props {
  readonly graph: GraphView;
  readonly selected: string | undefined;
  onSelect(id: string | undefined): void;
}

export function GraphCanvas({ graph, selected, onSelect }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const drawn = useRef<cytoscape.Core>(null);
  const select = useRef(onSelect);
  select.current = onSelect;
  const colors = useColors();

  useEffect(() => {
    const core = cytoscape({ container: host.current, minZoom: 0.15, maxZoom: 3, boxSelectionEnabled: false });
    core.on("tap", ({ target }) =>
      select.current(target === core ? undefined : target.isNode() ? target.id() : undefined),
    );
    core.on("mouseover", "node", ({ target }) => target.addClass("hover"));
    core.on("mouseout", "node", ({ target }) => target.removeClass("hover"));
    drawn.current = core;
    return () => core.destroy();
  }, []);
  useEffect(() => update(drawn.current!, graph), [graph]);
  useEffect(() => void drawn.current!.style(graphStyle()), [colors]);
  useEffect(() => mark(drawn.current!, selected), [selected, graph]);
  useEffect(() => show(drawn.current!, selected), [selected]);

  const zoom = (factor: number): void => {
    const core = drawn.current!;
    core.zoom({ level: core.zoom() * factor, renderedPosition: { x: core.width() / 2, y: core.height() / 2 } });
  };
  return (
    <div class="graph-box">
      <div
        ref={host}
        class="graph-canvas"
        role="img"
        aria-label={`Drawing of ${graph.nodes.length} nodes and ${graph.edges.length} edges; “List” shows the same as text.`}
      />
      <div class="graph-zoom">
        <button type="button" aria-label="Enlarge" onClick={() => zoom(1.35)}>
          +
        </button>
        <button type="button" aria-label="Make smaller" onClick={() => zoom(1 / 1.35)}>
          −
        </button>
        <button type="button" onClick={() => drawn.current!.fit(undefined, 24)}>
          Fit
        </button>
      </div>
    </div>
  );
}

/** Takes in what is new and out what is gone; what stays keeps about its place. */
function update(core: cytoscape.Core, graph: GraphView): void {
  const elements = graphElements(graph);
  const ids = new Set(elements.map(({ data }) => data.id));
  const fresh = core.nodes().empty();
  core.batch(() => {
    core
      .elements()
      .filter((element) => !ids.has(element.id()))
      .remove();
    for (const element of elements) {
      const known = core.getElementById(element.data.id!);
      if (known.nonempty()) known.data(element.data);
    }
  });
  const added = elements.filter(({ data }) => core.getElementById(data.id!).empty());
  if (added.length === 0) return;
  core.add(added);
  if (added.some(({ group }) => group === "nodes")) core.layout(graphLayout(fresh)).run();
}

/** Brings a node and what it touches into view. */
function show(core: cytoscape.Core, selected: string | undefined): void {
  const node = selected === undefined ? core.collection() : core.getElementById(selected);
  if (node.empty()) return;
  const fit = { eles: node.closedNeighborhood(), padding: 70 };
  if (lessMotion()) core.fit(fit.eles, fit.padding);
  else core.animate({ fit }, { duration: 250 });
}

/** More names than this are not read in a drawing. */
const MOST_NAMED = 9;

/** The node and what it touches stand out. */
function mark(core: cytoscape.Core, selected: string | undefined): void {
  core.batch(() => {
    core.elements().removeClass("near far named").unselect();
    const node = selected === undefined ? core.collection() : core.getElementById(selected);
    if (node.empty()) return;
    const near = node.closedNeighborhood();
    near.addClass("near");
    // Names of many look-alikes would cover each other: those are read beside the drawing, or under the pointer.
    const named =
      near.nodes().length <= MOST_NAMED ? near : node.connectedEdges('[kind != "similar-to"]').connectedNodes();
    named.union(node).nodes().slice(0, MOST_NAMED).addClass("named");
    core.elements().difference(near).addClass("far");
    node.select();
  });
}
