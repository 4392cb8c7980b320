/** @file What a run of the demo collected, and the result that is made of it. */
import { pairedInterval, type RunLog } from "../agents/index.js";
import type { RecipeName } from "../tools/run-settings.js";

export interface AccuracyChange {
  readonly before: number;
  readonly after: number;
  readonly n: number;
  readonly chance: number;
  /** Half-width of the 95 % interval of after − before, paired. */
  readonly ci95: number;
}

export interface TypeChange {
  readonly split: string;
  readonly type: string;
  readonly before: number;
  readonly after: number;
  readonly n: number;
  readonly chance: number;
}

export interface DemoResult {
  readonly seconds: number;
  readonly seed: number;
  readonly pairs: number;
  readonly steps: number;
  readonly loss: { readonly first: number; readonly last: number } | null;
  readonly rewardMargin: { readonly first: number; readonly last: number } | null;
  /** Held-out material × type combinations; null where the corpus has no checker. */
  readonly accuracy: AccuracyChange | null;
  readonly unseenMaterials: AccuracyChange | null;
  readonly byType: readonly TypeChange[];
  readonly preferenceAccuracy: { readonly before: number; readonly after: number; readonly n: number } | null;
  readonly failures: Readonly<Record<string, number>>;
  readonly store: { readonly name: string; readonly version: string };
  readonly model: {
    readonly path: string;
    readonly parameters: number;
    readonly trainedParameters: number;
    readonly recipe: RecipeName;
  };
  readonly runDir: string;
  readonly checkpoint: string | null;
}

export function accuracyChange({ evaluations }: RunLog, split: string): AccuracyChange | null {
  const own = evaluations.filter(({ result }) => result.split === split).sort((a, b) => a.round - b.round);
  const [before, after] = [own[0]?.result, own.at(-1)?.result];
  if (before === undefined || after === undefined) return null;
  const { halfWidth95 } = pairedInterval(before.verdicts, after.verdicts);
  return { before: before.accuracy, after: after.accuracy, n: after.n, chance: after.chance, ci95: halfWidth95 };
}

export function changesByType({ evaluations }: RunLog): TypeChange[] {
  const splits = [...new Set(evaluations.map(({ result }) => result.split))];
  return splits.flatMap((split) => {
    const own = evaluations.filter(({ result }) => result.split === split).sort((a, b) => a.round - b.round);
    return own.at(-1)!.result.byType.map((after) => {
      const before = own[0]!.result.byType.find(({ type }) => type === after.type);
      const share = (right = 0) => (after.n === 0 ? 0 : right / after.n);
      return {
        split,
        type: after.type,
        before: share(before?.right),
        after: share(after.right),
        n: after.n,
        chance: after.chance,
      };
    });
  });
}

export function preferenceChange({ preferenceAccuracies }: RunLog): DemoResult["preferenceAccuracy"] {
  const own = [...preferenceAccuracies].sort((a, b) => a.round - b.round);
  const [before, after] = [own[0], own.at(-1)];
  return before === undefined || after === undefined
    ? null
    : { before: before.accuracy, after: after.accuracy, n: after.n };
}

/** First and last value of a step metric, or null where no step has it. */
export function endsOf({ steps }: Pick<RunLog, "steps">, metric: string): { first: number; last: number } | null {
  const values = steps.map(({ metrics }) => metrics[metric]).filter((value) => value !== undefined);
  return values.length === 0 ? null : { first: values[0]!, last: values.at(-1)! };
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

function changeText({ before, after, n, chance, ci95 }: AccuracyChange): string {
  return `${percent(before)} → ${percent(after)}  (± ${percent(ci95)}, n ${n}, chance ${percent(chance)})`;
}

/** What people read instead of the name of a split. */
const SPLIT_NAMES: Readonly<Record<string, string>> = {
  "unseen-combination": "held-out combinations",
  "unseen-material": "held-out materials",
};
export const splitName = (split: string): string => SPLIT_NAMES[split] ?? split;

/** "52 s" or "3 min 5 s". */
function durationText(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** The closing table, for the terminal and the report. */
export function closingTable(result: DemoResult): [label: string, value: string][] {
  const { loss, rewardMargin, accuracy, unseenMaterials, preferenceAccuracy, model } = result;
  const arrow = (ends: { first: number; last: number }) => `${ends.first.toFixed(3)} → ${ends.last.toFixed(3)}`;
  return [
    [
      "model",
      `${model.path} (${model.trainedParameters.toLocaleString("en")} of ${model.parameters.toLocaleString("en")} parameters trained)`,
    ],
    ["passages in", `${result.store.name} ${result.store.version}`],
    ["pairs", String(result.pairs)],
    ["optimizer steps", String(result.steps)],
    ...(loss === null ? [] : [["loss", arrow(loss)] as [string, string]]),
    ...(rewardMargin === null ? [] : [["reward margin", arrow(rewardMargin)] as [string, string]]),
    ...(accuracy === null ? [] : [["held-out combinations", changeText(accuracy)] as [string, string]]),
    ...(unseenMaterials === null ? [] : [["held-out materials", changeText(unseenMaterials)] as [string, string]]),
    ...(preferenceAccuracy === null
      ? []
      : [
          [
            "held-out pairs ranked right",
            `${percent(preferenceAccuracy.before)} → ${percent(preferenceAccuracy.after)}  (n ${preferenceAccuracy.n})`,
          ] as [string, string],
        ]),
    ["time", durationText(result.seconds)],
    ["run directory", result.runDir],
  ];
}
