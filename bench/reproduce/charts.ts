/** @file Plots of the results as SVG text: points with intervals by condition, and curves over rounds. Light and dark. */

export interface Point {
  readonly label: string;
  /** One a seed, in [0, 1]. */
  readonly values: readonly { readonly share: number; readonly low: number; readonly high: number }[];
}

export interface Line {
  readonly label: string;
  /** Mean over seeds at 1, 2, … rounds. */
  readonly values: readonly number[];
  readonly dashed: boolean;
}

const WIDTH = 760;
const LABELS = 250;
const RIGHT = 24;
const ROW = 30;
const TOP = 48;
const COLOURS = ["#3d7bd9", "#d9753d", "#3da86b", "#a35bd0", "#8a8a8a", "#c94f6d", "#5aa9b8"];

const STYLE =
  "<style>text{font:13px system-ui,sans-serif;fill:#222}.t{font-weight:600}.g{stroke:#ccc}.c{stroke:#b33;stroke-dasharray:4 3}" +
  "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}}</style>";

const escaped = (content: string): string => content.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;

function frame(title: string, height: number, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    STYLE,
    text(16, 24, title, 'class="t"'),
    ...body,
    "</svg>\n",
  ].join("\n");
}

/** A row a condition, a dot a seed, with its 95 % interval; chance as a dashed line. */
export function dotPlot(title: string, points: readonly Point[], chance: number): string {
  const height = TOP + ROW * points.length + 34;
  const x = (share: number): number => LABELS + share * (WIDTH - LABELS - RIGHT);
  const bottom = TOP + ROW * points.length;
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    `<line class="g" x1="${x(share)}" x2="${x(share)}" y1="${TOP - 8}" y2="${bottom}"/>`,
    text(x(share), bottom + 18, `${100 * share} %`, 'text-anchor="middle"'),
  ]);
  const rows = points.flatMap(({ label, values }, row) => {
    const y = TOP + ROW * row + ROW / 2;
    const dots = values.flatMap(({ share, low, high }, seed) => {
      const at = y + (seed - (values.length - 1) / 2) * 7;
      const colour = COLOURS[seed % COLOURS.length];
      return [
        `<line x1="${x(low)}" x2="${x(high)}" y1="${at}" y2="${at}" stroke="${colour}" stroke-width="1.5"/>`,
        `<circle cx="${x(share)}" cy="${at}" r="3.5" fill="${colour}"/>`,
      ];
    });
    return [text(LABELS - 12, y + 4, label, 'text-anchor="end"'), ...dots];
  });
  const guess = `<line class="c" x1="${x(chance)}" x2="${x(chance)}" y1="${TOP - 8}" y2="${bottom}"/>`;
  return frame(title, height, [...grid, guess, ...rows]);
}

/** Accuracy over rounds. */
export function linePlot(title: string, lines: readonly Line[]): string {
  const height = 340;
  const [left, right, top, bottom] = [56, 540, 48, 300];
  const all = lines.flatMap(({ values }) => values);
  const least = Math.max(0, Math.floor(10 * Math.min(...all) - 0.5) / 10);
  const most = Math.max(2, ...lines.map(({ values }) => values.length));
  const x = (i: number): number => left + (i * (right - left)) / (most - 1);
  const y = (share: number): number => bottom - ((share - least) / (1 - least)) * (bottom - top);
  const ticks = Array.from({ length: Math.round((1 - least) * 10) + 1 }, (_, i) => least + i / 10);
  const grid = ticks.flatMap((share) => [
    `<line class="g" x1="${left}" x2="${right}" y1="${y(share)}" y2="${y(share)}"/>`,
    text(left - 8, y(share) + 4, `${Math.round(100 * share)} %`, 'text-anchor="end"'),
  ]);
  const axis = Array.from({ length: most }, (_, i) => text(x(i), bottom + 20, String(i + 1), 'text-anchor="middle"'));
  const drawn = lines.flatMap(({ label, values, dashed }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = values.map((value, at) => `${at === 0 ? "M" : "L"}${x(at)} ${y(value)}`).join("");
    const legend = top + 12 + 22 * i;
    return [
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ""}/>`,
      `<line x1="${right + 16}" x2="${right + 36}" y1="${legend - 4}" y2="${legend - 4}" stroke="${colour}" stroke-width="2"/>`,
      text(right + 42, legend, label),
    ];
  });
  return frame(title, height, [
    ...grid,
    ...axis,
    ...drawn,
    text((left + right) / 2, bottom + 38, "rounds", 'text-anchor="middle"'),
  ]);
}
