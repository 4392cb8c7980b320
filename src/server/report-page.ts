/** @file Style and script of the report page; the script reads the charts from the page's JSON and knows nothing else. */

export const REPORT_STYLE = `
:root{color-scheme:light dark;--page:#f7f7f5;--card:#fff;--text:#1c1d1f;--soft:#62656b;--line:#dedfe2;--think:#eef3fb;--think-edge:#2f6fd0;--good:#1d8a4e;--bad:#c2483d}
@media (prefers-color-scheme:dark){:root{--page:#131416;--card:#1c1e21;--text:#e8e9eb;--soft:#9a9ea6;--line:#34373c;--think:#1b2738;--think-edge:#6ba3f5;--good:#4cc385;--bad:#f0857b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.55 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.6rem;line-height:1.25;margin:8px 0 20px;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:40px 0 12px}
h3{font-size:1rem;margin:0 0 12px;overflow-wrap:anywhere}
h4{font-size:.85rem;margin:0 0 8px;color:var(--soft);font-weight:600}
.scroll{overflow-x:auto}
.scroll table{border-collapse:separate;border-spacing:0;width:100%;font-variant-numeric:tabular-nums;background:var(--card);border:1px solid var(--line);border-radius:8px}
.scroll :is(th,td){text-align:left;padding:7px 12px;border-bottom:1px solid var(--line);vertical-align:top}
.scroll tbody tr:last-child>*{border-bottom:0}
.scroll th{font-weight:500;color:var(--soft);white-space:nowrap}
.closing td{overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px;margin-top:24px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;min-width:0}
figcaption{font-weight:600;margin-bottom:6px}
figcaption .note{display:block}
.pair{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px;margin:0 0 16px}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:20px}
.sides section{min-width:0}
.thinking,.answer{white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 8px}
.thinking{background:var(--think);border-left:3px solid var(--think-edge);border-radius:4px;padding:8px 12px;font-size:.93rem}
.label{display:block;color:var(--soft);font-size:.75rem}
.note{color:var(--soft);font-size:.85rem;font-weight:400;margin:8px 0 0}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:6px}
.good{background:var(--good)}.bad{background:var(--bad)}
.final{border-top:1px solid var(--line);padding-top:12px;margin-top:12px;font-weight:600}
.final .label{font-weight:400}
.u-legend{font-size:.8rem;font-variant-numeric:tabular-nums}
.u-legend th{font-weight:500}
@media (max-width:560px){main{padding:12px 12px 40px}.scroll :is(th,td){padding:6px 8px}.closing th{white-space:normal}body{font-size:15px}}
`;

export const REPORT_SCRIPT = `
"use strict";
const charts = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const palette = () => dark.matches ? ["#6ba3f5", "#f2a65a", "#9a9ea6", "#4cc385"] : ["#2f6fd0", "#c46a10", "#7b7f86", "#1d8a4e"];
let plots = [];
function draw() {
  for (const plot of plots) plot.destroy();
  const css = getComputedStyle(document.documentElement);
  const soft = css.getPropertyValue("--soft"), line = css.getPropertyValue("--line"), colors = palette();
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  plots = charts.map((chart, i) => {
    const host = document.getElementById("chart-" + i);
    const few = chart.x.length <= 30;
    const show = (u, v, j) => (v ??= u.data[j].findLast((x) => x != null)) == null ? "–" : chart.fractions ? (100 * v).toFixed(1) + " %" : v.toFixed(4);
    const series = chart.series.map((s, j) => {
      const chance = s.label === "chance";
      return { label: s.label, stroke: chance ? colors[2] : colors[j === 2 ? 3 : j], width: 2, value: show,
        points: { show: few && !chance, size: 7 }, dash: chance ? [6, 5] : undefined, spanGaps: true };
    });
    const y = { ...axis, size: 62, values: (u, ticks) => ticks.map((t) => chart.fractions ? Math.round(100 * t) + " %" : String(+t.toPrecision(4))) };
    const x = { ...axis, label: chart.xLabel, labelSize: 20, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] };
    const options = { width: host.clientWidth, height: 240, axes: [x, y], series: [{ label: chart.xLabel, value: (u, v) => String(v ?? u.data[0].at(-1)) }, ...series],
      scales: { x: { time: false }, ...(chart.fractions ? { y: { range: [0, 1.02] } } : {}) } };
    return new uPlot(options, [chart.x, ...chart.series.map((s) => s.values)], host);
  });
}
draw();
dark.addEventListener("change", draw);
addEventListener("resize", () => plots.forEach((plot, i) => plot.setSize({ width: document.getElementById("chart-" + i).clientWidth, height: 240 })));
`;
