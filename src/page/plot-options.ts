/** @file A curve as uPlot draws it: axes with names, the palette of the theme, marks of rounds, intervals. */
import type uPlot from "uplot";
import { type Curve, type Series, valueText } from "./curves.js";
import { count } from "./format.js";
import { tokenColor } from "./theme.js";

export const PLOT_HEIGHT = 220;
const PALETTE = ["curve-0", "curve-1", "curve-2", "curve-3"];
const X_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
const DASHES: Readonly<Record<number, number[]>> = { 1: [7, 3], 2: [2, 3] };

interface Drawing {
  readonly width: number;
  /** Index of the x under the pointer, or null. */
  readonly onCursor: (index: number | null) => void;
}

export function plotOptions(curve: Curve, { width, onCursor }: Drawing): uPlot.Options {
  const [soft, line] = [tokenColor("soft"), tokenColor("line")];
  const axis: uPlot.Axis = {
    stroke: soft,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
  };
  const colors = PALETTE.map(tokenColor);
  return {
    width,
    height: PLOT_HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false }, sync: { key: curve.xLabel }, points: { size: 7 } },
    scales: {
      x: { time: false, range: xRange(curve.xLabel) },
      y: { range: curve.unit === "fraction" ? fractionRange : yRange },
    },
    series: [{}, ...curve.series.map((series) => seriesOptions(series, colors, curve.x.length))],
    axes: [
      { ...axis, label: curve.xLabel, labelSize: 18, size: 30, incrs: X_STEPS, values: (_, ticks) => ticks.map(count) },
      {
        ...axis,
        label: curve.yLabel,
        labelSize: 18,
        size: 56,
        values: (_, ticks) =>
          ticks.map((tick) => (curve.unit === "fraction" ? `${Math.round(100 * tick)}\u00a0%` : shortNumber(tick))),
      },
    ],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
      drawClear: [(plot) => drawRounds(plot, curve.roundStarts, line)],
      draw: [(plot) => drawIntervals(plot, curve.series, colors)],
    },
  };
}

function seriesOptions(
  { label, look, color, halfWidths }: Series,
  colors: readonly string[],
  points: number,
): uPlot.Series {
  const stroke = colors[color % colors.length]!;
  const dash = look === "dashed" ? [5, 5] : look === "raw" ? undefined : DASHES[color];
  return {
    label,
    stroke,
    width: look === "raw" ? 1 : 2,
    alpha: look === "raw" ? 0.35 : 1,
    spanGaps: true,
    points: {
      show: halfWidths === undefined && (look === "dots" || (look === "line" && points <= 24)),
      size: 7,
      fill: stroke,
    },
    ...(dash !== undefined && { dash }),
  };
}

const shortNumber = (value: number): string => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
};

/** One x alone still needs a width, and a few rounds room for the bars at both ends. */
const xRange =
  (xLabel: Curve["xLabel"]): uPlot.Range.Function =>
  (_, low, high) => {
    if (low === high) return [low - 0.5, high + 0.5];
    const room = xLabel === "round" ? (high - low) * 0.04 : 0;
    return [low - room, high + room];
  };

/** Shares are shown from 0 to 1 whole: half a scale makes noise look like progress. */
const fractionRange: uPlot.Range.Function = () => [0, 1.02];

const yRange: uPlot.Range.Function = (_, low, high) => {
  if (low === null || high === null || !Number.isFinite(low + high)) return [0, 1];
  const room = high === low ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.08;
  return [low >= 0 && low < (high - low) / 2 ? 0 : low - room, high + room];
};

function drawRounds(plot: uPlot, starts: readonly number[], color: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const start of starts) {
    const x = plot.valToPos(start, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Half the width of an interval's cap, and how far the bars of two series stand apart, in CSS pixels. */
const CAP = 3;
const APART = 8;
const DOT = 3.5;

function drawIntervals(plot: uPlot, series: readonly Series[], colors: readonly string[]): void {
  const { ctx } = plot;
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  const measured = series.filter(({ halfWidths }) => halfWidths !== undefined);
  for (const [place, { values, halfWidths, color }] of measured.entries()) {
    const aside = (place - (measured.length - 1) / 2) * APART * devicePixelRatio;
    ctx.strokeStyle = ctx.fillStyle = colors[color % colors.length]!;
    for (const [i, value] of values.entries()) {
      const half = halfWidths?.[i];
      if (value === null || half === null || half === undefined) continue;
      const x = plot.valToPos(plot.data[0][i]!, "x", true) + aside;
      const [top, bottom] = [Math.min(1, value + half), Math.max(0, value - half)].map((y) =>
        plot.valToPos(y, "y", true),
      ) as [number, number];
      const cap = CAP * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bottom);
      for (const y of [top, bottom]) {
        ctx.moveTo(x - cap, y);
        ctx.lineTo(x + cap, y);
      }
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(x, plot.valToPos(value, "y", true), DOT * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
  ctx.restore();
}

/** What the legend says of a series at an index; of its last value where there is no index. */
export function legendValue({ values, halfWidths }: Series, index: number | null, unit: Curve["unit"]): string {
  const at = index ?? values.findLastIndex((value) => value !== null);
  const value = values[at];
  if (value === undefined || value === null) return "–";
  const half = halfWidths?.[at];
  return valueText(value, unit) + (half === undefined || half === null ? "" : ` ± ${valueText(half, unit)}`);
}
