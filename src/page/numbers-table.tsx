/** @file A curve's numbers as a table, for those who read rather than look. */
import { useState } from "preact/hooks";
import type { Curve } from "./curves.js";
import { count } from "./format.js";
import { legendValue } from "./plot-options.js";
import { Scroll } from "./scroll.js";

/** Evenly spread; the first and the last are among them. */
const ROWS = 12;

function spread(length: number): number[] {
  if (length <= ROWS) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: ROWS }, (_, i) => Math.round((i * (length - 1)) / (ROWS - 1)));
}

export function NumbersTable({ curve: { title, xLabel, unit, x, series } }: { readonly curve: Curve }) {
  const [open, setOpen] = useState(false);
  const shown = series.filter(({ look }) => look !== "dashed");
  return (
    <details class="numbers" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Numbers<span class="hidden"> of {title}</span>
      </summary>
      {open && (
        <Scroll label={`Numbers of ${title}`}>
          <table>
            <thead>
              <tr>
                <th scope="col">{xLabel}</th>
                {shown.map(({ label }) => (
                  <th key={label} scope="col">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {spread(x.length).map((i) => (
                <tr key={i}>
                  <th scope="row">{count(x[i]!)}</th>
                  {shown.map((one) => (
                    <td key={one.label}>{legendValue(one, i, unit)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </details>
  );
}
