/** @file docs/results.md from the raw data: tables with intervals, plots, and the command that made them. */
import { pairedInterval } from "../../dist/agents/index.js";
import { dotPlot, type Line, linePlot, type Point } from "./charts.js";
import type { ChoiceResult, Condition, SeedResult, TaughtFacts } from "./experiment.js";
import type { Measured, Share, Split } from "./measure.js";
import { SPLITS } from "./measure.js";
import type { Curve } from "./recursion.js";

export interface Results {
  readonly command: string;
  readonly version: string;
  readonly model: { readonly path: string; readonly parameters: number };
  readonly worldSeed: number;
  readonly seconds: number;
  readonly seeds: readonly SeedResult[];
}

const SPLIT_NAMES: Readonly<Record<Split, string>> = {
  "unseen-combination": "unseen combinations",
  "unseen-material": "unseen materials",
};

const percent = (share: number): string => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)}`);
const shown = ({ share, low, high }: Share): string => `${percent(share)} [${percent(low)}, ${percent(high)}]`;
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export interface Page {
  readonly markdown: string;
  /** By file name. */
  readonly plots: Readonly<Record<string, string>>;
}

export function resultsPage(results: Results, comment: string): Page {
  const plots = plotsOf(results);
  const sections = [
    heading(results),
    comment.trim(),
    accuracySection(results),
    typeSection(results),
    recursionSection(results),
    choiceSection(results),
    ablationSection(results),
    reflectionSection(results),
    trainingSection(results),
  ];
  return { markdown: `${sections.filter((part) => part !== "").join("\n\n")}\n`, plots };
}

function heading({ command, version, model, worldSeed, seconds, seeds }: Results): string {
  const list = seeds.map(({ seed }) => seed).join(", ");
  return [
    "# Results: the materials world",
    "",
    `Made by \`${command}\` (version ${version}) in ${(seconds / 60).toFixed(0)} minutes on two shared cores: \`${model.path}\`, ` +
      `${model.parameters.toLocaleString("en")} parameters, world ${worldSeed}, seeds ${list}. Raw data: [results/raw.json](results/raw.json).`,
    "Percentages of right answers, closed book, greedy, with Wilson's 95 % interval over questions. Each seed draws pairs, samples and the first LoRA anew; world, base and questions are the same for all.",
  ].join("\n");
}

const conditionsOf = (results: Results): string[] => [
  ...new Set(results.seeds.flatMap(({ conditions }) => conditions.map(({ name }) => name))),
];
const find = (seed: SeedResult, name: string): Condition | undefined =>
  seed.conditions.find((condition) => condition.name === name);

function accuracySection(results: Results): string {
  const { seeds } = results;
  const rows = conditionsOf(results).flatMap((name) =>
    (["asked", "direct"] as const).flatMap((how) => {
      const found = seeds.map((seed) => find(seed, name)?.[how]);
      if (found.every((of) => of === undefined)) return [];
      const label = how === "asked" ? name : `${name}, bare question`;
      return [[label, ...SPLITS.flatMap((split) => found.map((of) => (of ? shown(of[split].accuracy) : "–")))]];
    }),
  );
  const head = ["", ...SPLITS.flatMap((split) => seeds.map(({ seed }) => `${SPLIT_NAMES[split]}, seed ${seed}`))];
  const [first] = seeds as readonly [SeedResult];
  const { accuracy, chance } = (first.conditions[0] as Condition).asked["unseen-combination"];
  return [
    "## Accuracy on two-fact questions",
    "",
    `n = ${accuracy.n} a split and seed; chance ${percent(chance)} %. Thinking is asked for, except where a row says otherwise.`,
    "",
    table(head, rows),
    "",
    "![accuracy by condition](results/accuracy.svg)",
    "",
    differences(results),
  ].join("\n");
}

/** Paired differences from ORPO to what follows it, over the questions of all seeds. */
function differences({ seeds }: Results): string {
  const later = ["EXO", "further ORPO", "on-policy ORPO"];
  const pairs = [
    ...later.map((name) => ["ORPO", name] as const),
    ["further ORPO", "EXO"] as const,
    ["on-policy ORPO", "EXO"] as const,
  ];
  const rows = pairs.flatMap(([from, to]) =>
    SPLITS.flatMap((split) => {
      const verdicts = (name: string): number[] =>
        seeds.flatMap((seed) => Array.from(find(seed, name)?.asked[split].verdicts ?? "", Number));
      const [before, after] = [verdicts(from), verdicts(to)];
      if (before.length === 0 || before.length !== after.length) return [];
      const { difference, halfWidth95 } = pairedInterval(before, after);
      return [[`${from} → ${to}`, SPLIT_NAMES[split], `${percent(difference)} ± ${percent(halfWidth95)}`]];
    }),
  );
  if (rows.length === 0) return "";
  return [
    "Differences in points, paired by question over all seeds (questions of one seed recur in the others, so the intervals are somewhat too narrow):",
    "",
    table(["", "split", "difference"], rows),
  ].join("\n");
}

function typeSection(results: Results): string {
  const [first] = results.seeds as readonly [SeedResult];
  const types = Object.keys((first.conditions[0] as Condition).asked["unseen-combination"].byType);
  const rows = conditionsOf(results).map((name) => [
    name,
    ...SPLITS.flatMap((split) =>
      types.map((type) => {
        const shares = results.seeds.flatMap((seed) => find(seed, name)?.asked[split].byType[type]?.share ?? []);
        return percent(mean(shares));
      }),
    ),
    percent(mean(measuredOf(results, name).map(({ markable }) => markable))),
    percent(mean(measuredOf(results, name).map(({ thinkingRight }) => thinkingRight ?? 0))),
    percent(mean(measuredOf(results, name).flatMap(({ rightWithWrongThinking }) => rightWithWrongThinking ?? []))),
  ]);
  const head = [
    "",
    ...SPLITS.flatMap((split) => types.map((type) => `${type}, ${SPLIT_NAMES[split]}`)),
    "names one class",
    "thinking right",
    "right answers with wrong thinking",
  ];
  return [
    "## By question type, and what the thinking is worth",
    "",
    "Means over seeds, thinking asked for; the last three over both splits.",
    "",
    table(head, rows),
  ].join("\n");
}

const measuredOf = ({ seeds }: Results, name: string): Measured[] =>
  seeds.flatMap((seed) => SPLITS.flatMap((split) => find(seed, name)?.asked[split] ?? []));

/** Curves of one checkpoint and split, a row a method. */
function recursionSection({ seeds }: Results): string {
  const groups = [...new Set(seeds.flatMap(({ recursion }) => recursion.map((r) => `${r.checkpoint}|${r.split}`)))];
  const tables = groups.map((group) => {
    const [checkpoint, split] = group.split("|") as [string, Split];
    const curves = seeds.flatMap(({ recursion }) =>
      recursion.filter((r) => r.checkpoint === checkpoint && r.split === split).map((r) => r.curves),
    );
    const plot =
      split === "unseen-combination" && curves[0] && curves[0].length > 1
        ? `\n\n![recursion](results/${plotName(checkpoint)})`
        : "";
    return `**${checkpoint}, ${SPLIT_NAMES[split]}**\n\n${curveTable(curves)}${plot}`;
  });
  return [
    "## Recursion",
    "",
    "Accuracy of the best of the first N answers by the score, which sees question, thinking, answer and retrieved passages, never the key. Means over seeds. " +
      "The last three columns are of N = 4: the paired difference to one answer (points, over all seeds), new tokens of the model and calls of the critic a question.",
    "",
    tables.join("\n\n"),
  ].join("\n");
}

function curveTable(seeds: readonly (readonly Curve[])[]): string {
  const methods = seeds[0]?.map(({ method }) => method) ?? [];
  const rows = methods.map((method) => {
    const of = seeds.flatMap((curves) => curves.find((curve) => curve.method === method) ?? []);
    const depths = (of[0] as Curve).depths.map((_, i) => mean(of.map(({ depths: d }) => d[i]!.accuracy.share)));
    const digits = (at: number): number[] => of.flatMap(({ depths: d }) => [...d.at(at)!.verdicts].map(Number));
    const { difference, halfWidth95 } = pairedInterval(digits(0), digits(-1));
    const last = of.map(({ depths: d }) => d.at(-1)!);
    return [
      method,
      ...depths.map(percent),
      `${percent(difference)} ± ${percent(halfWidth95)}`,
      mean(last.map(({ newTokens }) => newTokens)).toFixed(0),
      mean(last.map(({ criticCalls }) => criticCalls)).toFixed(1),
    ];
  });
  return table(["", "N = 1", "2", "3", "4", "4 against 1", "tokens", "critic calls"], rows);
}

function choiceSection({ seeds }: Results): string {
  const found = seeds.flatMap(({ seed, choices }) => (choices === undefined ? [] : [{ seed, ...choices }]));
  if (found.length === 0) return "";
  const share = ({ right, n }: { right: number; n: number }): string => `${percent(right / n)} (${right} of ${n})`;
  const rows = found.flatMap((result) =>
    SPLITS.map((split) => {
      const of: ChoiceResult["splits"][Split] = result.splits[split];
      const [first, second] = of.byGoldPosition;
      return [
        `seed ${result.seed}, ${SPLIT_NAMES[split]}`,
        share(of.couples),
        share(of.questions),
        share(first),
        share(second),
        percent(of.measured.thinkingRight ?? 0),
        percent(result.singles[split].accuracy.share),
      ];
    }),
  );
  const head = [
    "",
    "both orders right",
    "single questions",
    "right one first",
    "right one second",
    "thinking right",
    "questions about one material",
  ];
  return [
    "## Two candidates",
    "",
    '"Which of A and B is of the … class?", each in both orders. A couple counts where both orders are right: always taking the first gives 0, guessing 25 %. ' +
      "A model of its own, trained on both kinds of question.",
    "",
    table(head, rows),
  ].join("\n");
}

function ablationSection({ seeds }: Results): string {
  const [first] = seeds as readonly [SeedResult];
  const { ablations = [] } = first;
  if (ablations.length === 0) return "";
  const base = first.conditions.filter(({ name }) => name === "ORPO" || name === "EXO");
  const rows = [...base, ...ablations].map(({ name, taught, asked }) => [
    name,
    ...SPLITS.map((split) => shown(asked[split].accuracy)),
    taught === undefined ? "–" : String(taught.pairs),
    taught === undefined ? "–" : percent(taught.rejectedRight),
    taught === undefined ? "–" : percent(taught.sameAnswers),
  ]);
  return [
    `## Left out, one at a time (seed ${first.seed})`,
    "",
    table(
      [
        "",
        ...SPLITS.map((split) => SPLIT_NAMES[split]),
        "pairs",
        "rejected answers that are right",
        "pairs whose answers are identical",
      ],
      rows,
    ),
  ].join("\n");
}

function reflectionSection({ seeds }: Results): string {
  const of = seeds.find(({ reflection }) => reflection !== undefined)?.reflection;
  if (of === undefined) return "";
  return [
    "## Reflection (variant B)",
    "",
    `After a phase with a reflect section ${percent(of.reflects)} % of the replies to unseen combinations have one, and ${percent(of.reflectionRight ?? 0)} % of these are right; ` +
      `accuracy ${shown(of.asked["unseen-combination"].accuracy)} on unseen combinations, ${shown(of.asked["unseen-material"].accuracy)} on unseen materials. Recursion of that model, on unseen combinations:`,
    "",
    curveTable([of.curves]),
  ].join("\n");
}

function trainingSection({ seeds }: Results): string {
  const row = (label: string, taught: TaughtFacts): string[] => [
    label,
    String(taught.pairs),
    String(taught.steps),
    taught.loss.map((loss) => loss.toFixed(3)).join(" → "),
    taught.heldOut.map(({ loss, kept }) => `${loss.toFixed(3)}${kept ? "" : " (taken back)"}`).join(", "),
    percent(taught.rejectedRight),
    taught.vanishing === null ? "–" : percent(taught.vanishing),
    taught.seconds.toFixed(0),
  ];
  const rows = seeds.flatMap(({ seed, conditions, ablations = [], choices, reflection }) => [
    ...[...conditions, ...ablations].flatMap(({ name, taught }) => (taught ? [row(`${seed}: ${name}`, taught)] : [])),
    ...(choices ? [row(`${seed}: two candidates`, choices.taught)] : []),
    ...(reflection ? [row(`${seed}: reflection`, reflection.taught)] : []),
  ]);
  return [
    "## Training",
    "",
    "Held-out loss is that of the phase on 32 pairs that were never trained on; a round that raised it was taken back.",
    "",
    table(
      ["seed: what", "pairs", "steps", "loss", "held-out loss by round", "rejected right", "z < −8", "seconds"],
      rows,
    ),
  ].join("\n");
}

const plotName = (checkpoint: string): string =>
  `recursion-${checkpoint.toLowerCase().replaceAll(/[^a-z]+/g, "-")}.svg`;

function plotsOf(results: Results): Record<string, string> {
  const { seeds } = results;
  const points: Point[] = conditionsOf(results).flatMap((name) =>
    SPLITS.map((split) => ({
      label: `${name}, ${split === "unseen-combination" ? "combinations" : "materials"}`,
      values: seeds.flatMap((seed) => find(seed, name)?.asked[split].accuracy ?? []),
    })),
  );
  const plots: Record<string, string> = {
    "accuracy.svg": dotPlot("Right answers to two-fact questions, thinking asked", points, 0.25),
  };
  const checkpoints = [...new Set(seeds.flatMap(({ recursion }) => recursion.map(({ checkpoint }) => checkpoint)))];
  for (const checkpoint of checkpoints) {
    const curves = seeds.flatMap(({ recursion }) =>
      recursion.filter((r) => r.checkpoint === checkpoint && r.split === "unseen-combination").flatMap((r) => r.curves),
    );
    const methods = [...new Set(curves.map(({ method }) => method))];
    const lines: Line[] = methods.map((method) => {
      const of = curves.filter((curve) => curve.method === method);
      const values = (of[0] as Curve).depths.map((_, i) => mean(of.map(({ depths }) => depths[i]!.accuracy.share)));
      return { label: method, values, dashed: method.startsWith("assisted") };
    });
    plots[plotName(checkpoint)] = linePlot(`Recursion of ${checkpoint}: right answers, unseen combinations`, lines);
  }
  return plots;
}
