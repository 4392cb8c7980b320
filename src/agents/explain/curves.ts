/** @file A run's curves as rules read them: stretches of one loss, and what stands at their beginning and end. */

export interface CurvePoint {
  readonly step: number;
  readonly round: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** By the metrics that a step has: a run of single calls does not say which loss it was. */
export type LossKind = "sft" | "orpo" | "exo_pair" | "preference";

export interface Stretch {
  readonly kind: LossKind;
  readonly points: readonly CurvePoint[];
}

export interface Ends {
  readonly first: number;
  readonly last: number;
  readonly change: number;
}

function kindOf({ metrics }: CurvePoint): LossKind {
  if (metrics["log_odds_ratio"] !== undefined) return "orpo";
  if (metrics["exo/vanishing"] !== undefined) return "exo_pair";
  return metrics["rewards/margins"] === undefined ? "sft" : "preference";
}

/** Points in a row with one loss, in order. */
export function stretches(points: readonly CurvePoint[]): Stretch[] {
  const found: { kind: LossKind; points: CurvePoint[] }[] = [];
  for (const point of points) {
    const kind = kindOf(point);
    const last = found.at(-1);
    if (last?.kind === kind) last.points.push(point);
    else found.push({ kind, points: [point] });
  }
  return found;
}

/** Mean of the first and of the last few values, since single steps are noise. Undefined where there are no two values. */
export function ends(points: readonly CurvePoint[], name: string): Ends | undefined {
  const values = valuesOf(points, name);
  if (values.length < 2) return undefined;
  const few = Math.max(1, Math.min(MOST_JOINED, Math.floor(values.length / 4)));
  const [first, last] = [mean(values.slice(0, few)), mean(values.slice(-few))];
  return { first, last, change: last - first };
}

const MOST_JOINED = 5;

export const valuesOf = (points: readonly CurvePoint[], name: string): number[] =>
  points.flatMap(({ metrics }) => metrics[name] ?? []);

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
