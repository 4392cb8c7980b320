/** @file A run's numbers read by rules: what stands out, why that is so, and what to do about it. */
import { type CurvePoint, ends, stretches } from "./curves.js";
import { type Finding, LEVELS, num } from "./finding.js";
import { metricDefinition } from "./metric-definitions.js";
import { STRETCH_RULES } from "./rules.js";
import { RUN_RULES } from "./run-rules.js";

export interface RunCurves {
  readonly steps: readonly CurvePoint[];
  readonly heldOut: readonly CurvePoint[];
  readonly evaluations: readonly {
    readonly round: number;
    readonly split: string;
    readonly accuracy: number;
    readonly n: number;
    readonly chance: number;
    /** Half of the 95 % interval. */
    readonly ci95: number;
  }[];
  readonly preferenceAccuracies: readonly { readonly round: number; readonly accuracy: number; readonly n: number }[];
  readonly pairs: number;
  /** What came to nothing, by reason. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface MetricReading {
  readonly name: string;
  readonly definition: string;
  readonly first?: number;
  readonly last?: number;
}

export interface Explanation {
  /** The worst first. */
  readonly findings: readonly Finding[];
  /** Every metric that the run has. */
  readonly metrics: readonly MetricReading[];
}

export function explainRun(run: RunCurves): Explanation {
  const found = run.steps.length === 0 ? [NO_STEPS] : stretches(run.steps).flatMap(findingsOf);
  const all = [...found, ...RUN_RULES.flatMap((rule) => rule(run) ?? [])];
  const findings = all.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  return { findings, metrics: readings([...run.steps, ...run.heldOut]) };
}

const NO_STEPS: Finding = {
  id: "no-steps",
  level: "note",
  metrics: [],
  what: "no optimizer step was taken yet",
  why: "There is no curve to read.",
  advice: ["call get-run to see what it does, or train-iteration where it is the run of tools"],
};

/** A run of several losses says of which stretch it speaks. */
function findingsOf(stretch: ReturnType<typeof stretches>[number], _: number, all: readonly unknown[]): Finding[] {
  const { points, kind } = stretch;
  const where = all.length === 1 ? "" : `steps ${points[0]?.step} to ${points.at(-1)?.step} (${kind}): `;
  return STRETCH_RULES.flatMap((rule) => {
    const finding = rule(stretch);
    return finding === undefined ? [] : [{ ...finding, what: where + finding.what }];
  });
}

function readings(points: readonly CurvePoint[]): MetricReading[] {
  const names = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))];
  return names.flatMap((name) => {
    const definition = metricDefinition(name);
    const span = ends(points, name);
    return definition === undefined
      ? []
      : [{ name, definition, ...(span && { first: Number(num(span.first)), last: Number(num(span.last)) }) }];
  });
}
