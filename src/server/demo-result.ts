/** @file What a run of the demo collected, and the result that is made of it. */
import type { RunLog } from "../agents/index.js";
import { type AccuracyChange, changeText, percent } from "../agents/teaching/log-changes.js";
import type { RecipeName } from "../tools/run-settings.js";

export {
  type AccuracyChange,
  accuracyChange,
  endsOf,
  preferenceChange,
  splitName,
} from "../agents/teaching/log-changes.js";

/** The question that the demo answers with recursion. */
export interface DemoReasoning {
  readonly question: string;
  readonly answer: string;
  readonly rounds: readonly { readonly thinking: string; readonly answer: string; readonly score: number }[];
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
