/** @file Which curves a run has, from its metrics: titles, axes, units, series. Knows nothing of how they are drawn. */
import type { MetricPoint, RunMetrics } from "../tools/views/types.js";
import { decimal, percent } from "./format.js";

export type Unit = "number" | "fraction";

export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** `raw`: faint, under its mean · `dots`: measured now and then · `dashed`: what to compare with. */
  readonly look: "line" | "raw" | "dots" | "dashed";
  /** Place in the palette. */
  readonly color: number;
  /** Half of the 95 % interval at each x. */
  readonly halfWidths?: readonly (number | null)[];
}

export interface Curve {
  readonly key: string;
  readonly title: string;
  readonly note: string;
  readonly xLabel: "optimizer step" | "round";
  readonly yLabel: string;
  readonly unit: Unit;
  readonly x: readonly number[];
  readonly series: readonly Series[];
  /** x where a new round begins. */
  readonly roundStarts: readonly number[];
}

interface StepCurve {
  readonly title: string;
  readonly note: string;
  readonly yLabel: string;
  readonly unit?: Unit;
  readonly lines: readonly (readonly [metric: string, label: string])[];
}

const STEP_CURVES: readonly StepCurve[] = [
  {
    title: "Loss",
    note: "what training lowers; dotted lines: a new round begins",
    yLabel: "loss",
    lines: [
      ["loss", "training"],
      ["eval_loss", "held-out pairs"],
    ],
  },
  {
    title: "Reward margin",
    note: "of the chosen over the rejected reply; above 0 the chosen one leads",
    yLabel: "margin (β × nats)",
    lines: [
      ["rewards/margins", "training"],
      ["eval_rewards/margins", "held-out pairs"],
    ],
  },
  {
    title: "Pairs ranked right",
    note: "share of pairs whose chosen reply has the higher reward",
    yLabel: "share of pairs",
    unit: "fraction",
    lines: [
      ["rewards/accuracies", "training"],
      ["eval_rewards/accuracies", "held-out pairs"],
    ],
  },
  {
    title: "Log-probability of the replies",
    note: "both may fall; what counts is the gap between them",
    yLabel: "log-probability (nats)",
    lines: [
      ["logps/chosen", "chosen"],
      ["logps/rejected", "rejected"],
    ],
  },
  {
    title: "Gradient norm",
    note: "before clipping",
    yLabel: "L2 norm",
    lines: [["grad_norm", "gradient"]],
  },
  {
    title: "Learning rate",
    note: "of each optimizer step",
    yLabel: "learning rate",
    lines: [["learning_rate", "learning rate"]],
  },
];

/** Noisy curves of more steps than this are shown faint, under their running mean. */
const STEPS_BEFORE_MEAN = 150;
/** The running mean forgets half of the past in so many points: 1 of 60 of what is shown, so that it lags behind by little. */
const halfLife = (points: number): number => Math.max(3, points / 60);
const WITHOUT_MEAN = new Set(["learning_rate"]);

/** What people read instead of the name of a split. */
const SPLIT_NAMES: Readonly<Record<string, string>> = {
  "unseen-combination": "held-out combinations",
  "unseen-material": "held-out materials",
};
export const splitName = (split: string): string => SPLIT_NAMES[split] ?? split;

/** The curves that have something to show. */
export function curvesOf(metrics: RunMetrics): Curve[] {
  const points = [...metrics.steps, ...metrics.heldOut];
  const x = [...new Set(points.map(({ step }) => step))].sort((a, b) => a - b);
  const roundStarts = metrics.steps
    .filter(({ round }, i, all) => i > 0 && all[i - 1]!.round !== round)
    .map(({ step }) => step);
  const rounds = roundCurve(metrics);
  const curves = STEP_CURVES.map((curve) => stepCurve(curve, metrics, x, roundStarts));
  const [loss, ...rest] = curves as [Curve, ...Curve[]];
  return [loss, ...(rounds === undefined ? [] : [rounds]), ...rest].filter(({ series }) => series.length > 0);
}

function stepCurve(curve: StepCurve, metrics: RunMetrics, x: readonly number[], roundStarts: readonly number[]): Curve {
  const series = curve.lines.flatMap(([metric, label], color): Series[] => {
    const heldOut = metric.startsWith("eval_");
    const values = valuesAt(heldOut ? metrics.heldOut : metrics.steps, metric, x);
    const known = values.filter((value) => value !== null).length;
    if (known === 0) return [];
    if (heldOut) return [{ label, values, look: "dots", color: 1 }];
    if (known <= STEPS_BEFORE_MEAN || WITHOUT_MEAN.has(metric)) return [{ label, values, look: "line", color }];
    return [
      { label: `${label}, each step`, values, look: "raw", color },
      { label: `${label}, running mean`, values: runningMean(values), look: "line", color },
    ];
  });
  const { title, note, yLabel, unit = "number", lines } = curve;
  return { key: lines[0]![0], title, note, xLabel: "optimizer step", yLabel, unit, x, series, roundStarts };
}

function valuesAt(points: readonly MetricPoint[], metric: string, x: readonly number[]): (number | null)[] {
  const at = new Map(points.map(({ step, metrics }) => [step, metrics[metric]]));
  return x.map((step) => {
    const value = at.get(step);
    return value === undefined || value === null || !Number.isFinite(value) ? null : value;
  });
}

/** An exponential mean, corrected for its start (as Adam's moments are: Kingma & Ba 2015, section 3). */
export function runningMean(values: readonly (number | null)[]): (number | null)[] {
  const decay = 0.5 ** (1 / halfLife(values.length));
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = decay * sum + (1 - decay) * value;
    weight = decay * weight + (1 - decay);
    return sum / weight;
  });
}

function roundCurve({ evaluations, preferenceAccuracies }: RunMetrics): Curve | undefined {
  const rounds = [...evaluations.map(({ round }) => round), ...preferenceAccuracies.map(({ round }) => round)];
  if (rounds.length === 0) return undefined;
  const x = [...new Set(rounds)].sort((a, b) => a - b);
  const splits = [...new Set(evaluations.map(({ result }) => result.split))];
  const series: Series[] = splits.map((split, color) => {
    const own = x.map((round) => evaluations.find((e) => e.round === round && e.result.split === split));
    return {
      label: splitName(split),
      values: own.map((e) => e?.result.accuracy ?? null),
      halfWidths: own.map((e) => e?.ci95 ?? null),
      look: "dots",
      color,
    };
  });
  if (preferenceAccuracies.length > 0) {
    const values = x.map((round) => preferenceAccuracies.find((p) => p.round === round)?.accuracy ?? null);
    series.push({ label: "held-out pairs ranked right", values, look: "dots", color: 2 });
  }
  const chance = evaluations[0]?.result.chance;
  if (chance !== undefined) series.push({ label: "chance", values: x.map(() => chance), look: "dashed", color: 3 });
  return {
    key: "held-out-accuracy",
    title: "Held-out accuracy by round",
    note: "questions never trained on; round 0 is before training; bars are 95 % intervals",
    xLabel: "round",
    yLabel: "share right",
    unit: "fraction",
    x,
    series,
    roundStarts: [],
  };
}

export const valueText = (value: number, unit: Unit): string => (unit === "fraction" ? percent(value) : decimal(value));

/** The curve in a sentence, for those who cannot see it. */
export function curveSummary({ title, xLabel, unit, x, series }: Curve): string {
  const said = series
    .filter(({ look }) => look !== "raw")
    .map(({ label, values }) => {
      const known = values.filter((value) => value !== null);
      const [first, last] = [known[0]!, known.at(-1)!];
      return known.length === 1
        ? `${label} ${valueText(last, unit)}`
        : `${label} from ${valueText(first, unit)} to ${valueText(last, unit)}`;
    });
  return `${title}, ${xLabel} ${x[0]} to ${x.at(-1)}: ${said.join("; ")}.`;
}
