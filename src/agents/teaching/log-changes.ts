/** @file What a run changed, from before its first round to after its last, as its log tells. */
import { pairedInterval } from "../evaluation/intervals.js";
import type { RunLog } from "./read-run.js";

export interface AccuracyChange {
  readonly before: number;
  readonly after: number;
  readonly n: number;
  readonly chance: number;
  /** Half-width of the 95 % interval of after − before, paired. */
  readonly ci95: number;
}

export function accuracyChange({ evaluations }: Pick<RunLog, "evaluations">, split: string): AccuracyChange | null {
  const own = evaluations.filter(({ result }) => result.split === split).sort((a, b) => a.round - b.round);
  const [before, after] = [own[0]?.result, own.at(-1)?.result];
  if (before === undefined || after === undefined) return null;
  const { halfWidth95 } = pairedInterval(before.verdicts, after.verdicts);
  return { before: before.accuracy, after: after.accuracy, n: after.n, chance: after.chance, ci95: halfWidth95 };
}

export interface PreferenceChange {
  readonly before: number;
  readonly after: number;
  readonly n: number;
}

export function preferenceChange({
  preferenceAccuracies,
}: Pick<RunLog, "preferenceAccuracies">): PreferenceChange | null {
  const own = [...preferenceAccuracies].sort((a, b) => a.round - b.round);
  const [before, after] = [own[0], own.at(-1)];
  return before === undefined || after === undefined
    ? null
    : { before: before.accuracy, after: after.accuracy, n: after.n };
}

/** First and last value of a step metric, or null where no step has it. */
export function endsOf({ steps }: Pick<RunLog, "steps">, metric: string): Ends | null {
  const values = steps.map(({ metrics }) => metrics[metric]).filter((value) => value !== undefined);
  return values.length === 0 ? null : { first: values[0]!, last: values.at(-1)! };
}

export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

export function changeText({ before, after, n, chance, ci95 }: AccuracyChange): string {
  return `${percent(before)} → ${percent(after)}  (± ${percent(ci95)}, n ${n}, chance ${percent(chance)})`;
}

/** What people read instead of the name of a split. */
const SPLIT_NAMES: Readonly<Record<string, string>> = {
  "unseen-combination": "held-out combinations",
  "unseen-material": "held-out materials",
};
export const splitName = (split: string): string => SPLIT_NAMES[split] ?? split;

export interface LogChanges {
  readonly loss: Ends | null;
  readonly heldOutLoss: Ends | null;
  readonly rewardMargin?: Ends | null;
  readonly accuracy: AccuracyChange | null;
  readonly unseenMaterials: AccuracyChange | null;
  readonly preferenceAccuracy: PreferenceChange | null;
}

export interface Ends {
  readonly first: number;
  readonly last: number;
}

/** What changed, as rows of a closing table; what was not measured has none. */
export function changeRows(changes: LogChanges): (readonly [label: string, value: string])[] {
  const { loss, heldOutLoss, rewardMargin = null, accuracy, unseenMaterials, preferenceAccuracy: ranked } = changes;
  const row = <T>(label: string, value: T | null, text: (value: T) => string) =>
    value === null ? [] : [[label, text(value)] as const];
  const ends = ({ first, last }: Ends): string => `${first.toFixed(4)} → ${last.toFixed(4)}`;
  return [
    ...row("loss", loss, ends),
    ...row("held-out loss", heldOutLoss, ends),
    ...row("reward margin", rewardMargin, ends),
    ...row(splitName("unseen-combination"), accuracy, changeText),
    ...row(splitName("unseen-material"), unseenMaterials, changeText),
    ...row(
      "held-out pairs ranked right",
      ranked,
      ({ before, after, n }) => `${percent(before)} → ${percent(after)}  (n ${n})`,
    ),
  ];
}
