/** @file One chart: drawn once, then only its data moves; a legend with values, and the numbers as a table. */
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type Curve, curveSummary } from "./curves.js";
import { count } from "./format.js";
import { NumbersTable } from "./numbers-table.js";
import { legendValue, PLOT_HEIGHT, plotOptions } from "./plot-options.js";
import { useColors } from "./theme.js";

export function Plot({ curve }: { readonly curve: Curve }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const colors = useColors();
  // Data alone does not make a new plot: another series, theme or mark of a round does.
  const shape = JSON.stringify([
    curve.series.map(({ label, look }) => [label, look]),
    curve.x.length <= 24,
    curve.roundStarts,
    colors,
  ]);
  const data = [curve.x, ...curve.series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef({ curve, data });
  latest.current = { curve, data };
  // `shape` stands for what makes a new plot.
  useEffect(() => {
    const node = host.current!;
    const drawn = new uPlot(
      plotOptions(latest.current.curve, { width: Math.max(node.clientWidth, 120), onCursor: setCursor }),
      latest.current.data,
      node,
    );
    plot.current = drawn;
    const resized = new ResizeObserver(() =>
      drawn.setSize({ width: Math.max(node.clientWidth, 120), height: PLOT_HEIGHT }),
    );
    resized.observe(node);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [shape]);
  // `data` is made anew at each rendering, `curve` is not.
  useEffect(() => plot.current?.setData(data), [curve]);

  const at = cursor === null ? undefined : curve.x[cursor];
  return (
    <figure class="plot" data-curve={curve.key} data-points={curve.x.length}>
      <figcaption>
        <h2>{curve.title}</h2>
        <span class="soft">{curve.note}</span>
      </figcaption>
      <div ref={host} class="plot-canvas" role="img" aria-label={curveSummary(curve)} />
      <ul class="legend">
        {curve.series.map((series) => (
          <li key={series.label}>
            <svg
              viewBox="0 0 22 8"
              width="22"
              height="8"
              aria-hidden="true"
              class={`swatch ${series.look} curve-${series.color % 4}`}
            >
              <line x1="1" y1="4" x2="21" y2="4" />
              {series.look === "dots" && <circle cx="11" cy="4" r="3" />}
            </svg>
            {series.label} <b class="nums">{legendValue(series, cursor, curve.unit)}</b>
          </li>
        ))}
        {at !== undefined && (
          <li class="soft nums">
            at {curve.xLabel} {count(at)}
          </li>
        )}
      </ul>
      <NumbersTable curve={curve} />
    </figure>
  );
}
