/** @file An evaluation as Markdown: every share with its interval, chance beside accuracy, and the command that made it. */
import type { BootstrapMean } from "./bootstrap.js";
import type { EvaluationReport, OpenReport, PairsReport, SplitReport } from "./evaluation-report.js";
import type { Proportion } from "./intervals.js";
import type { JudgedComparison } from "./judge-replies.js";
import type { MarkSummary } from "./mark-replies.js";
import type { PairedComparison } from "./paired-comparison.js";

type Row = readonly [label: string, value: string];

export function evaluationMarkdown(report: EvaluationReport): string {
  const sections = [
    head(report),
    ...report.splits.map(splitSection),
    ...(report.pairs === null ? [] : [pairsSection(report.pairs)]),
    ...report.openQuestions.map(openSection),
  ];
  return `${sections.join("\n\n")}\n`;
}

function head({
  model,
  against,
  environment,
  seed,
  sampling,
  limit,
  critic,
  invocation,
  version,
}: EvaluationReport): string {
  const rows: Row[] = [
    ["model", `${model.name} (${model.hash.slice(0, 12)})`],
    ...(model.adapter === null
      ? []
      : [["adapter", `${model.adapter.path} (${model.adapter.sha256.slice(0, 12)})`] as const]),
    ...(against === null ? [] : [["against", against.name] as const]),
    ...(environment === null ? [] : [["environment", `${environment.name}, seed ${environment.seed}`] as const]),
    ...(critic === null ? [] : [["critic", critic] as const]),
    ["seed", String(seed)],
    ["replies", `greedy, at most ${sampling.maxNewTokens} tokens`],
    ...(sampling.samples === 0
      ? []
      : [
          [
            "samples",
            `${sampling.samples} a question, temperature ${sampling.temperature}, top-p ${sampling.topP}`,
          ] as const,
        ]),
    ...(limit === null ? [] : [["limit", `the first ${limit} of each`] as const]),
    ["ran on", `${model.device}, ${model.precision}, weights ${model.weights}`],
  ];
  return `# Evaluation\n\n${table(["", ""], rows)}\n\nMade by preflexor ${version} with\n\n    ${invocation}\n\nIn brackets: 95 % intervals.`;
}

const THINKING_WORDS = { on: "thinking asked", off: "thinking not asked", "forced-off": "thinking ruled out" } as const;

function splitSection({ split, thinking, greedy, passAtK, byDepth, against }: SplitReport): string {
  const rows: Row[] = [
    ...markRows(greedy),
    ...passAtK.map(({ k, ...mean }): Row => [`pass@${k}`, meanText(mean)]),
    ...byDepth.flatMap(({ rounds, accuracy, meanRounds, change }): Row[] => [
      [`best of ${rounds} round${rounds === 1 ? "" : "s"}`, `${percent(accuracy)}, ${meanRounds.toFixed(2)} made`],
      ...(change === null ? [] : [["· change", changeText(change)] as const]),
    ]),
    ...(against === null ? [] : againstRows(against)),
  ];
  return `## ${split}, ${THINKING_WORDS[thinking]}\n\n${table(["", `n = ${greedy.n}`], rows)}`;
}

function markRows(marks: MarkSummary): Row[] {
  return [
    ["accuracy", `${percent(marks.accuracy)}, chance ${(100 * marks.chance).toFixed(1)} %`],
    ...marks.byType.map(
      (type): Row => [`· ${type.type}`, `${percent(type)}, chance ${(100 * type.chance).toFixed(1)} %`],
    ),
    ...marks.byGoldPosition.map((each): Row => [`· right one at place ${each.position + 1}`, percent(each)]),
    ...(marks.bothOrders === null ? [] : [["· right in both orders", percent(marks.bothOrders)] as const]),
    ["names one candidate", percent(marks.markable)],
    ["ended by the model", percent(marks.ended)],
    ["thinks", percent(marks.thinks)],
    ["thinking is right", percent(marks.thinkingRight)],
    ["right answer, wrong thinking", percent(marks.rightWithWrongThinking)],
    ["wrong answer, right thinking", percent(marks.wrongWithRightThinking)],
    ["tokens of thinking, mean", tokensText(marks.meanThinkingTokens)],
  ];
}

function againstRows({ other, change, judged }: NonNullable<SplitReport["against"]>): Row[] {
  return [
    ["the other: accuracy", percent(other.accuracy)],
    ...(change === null ? [] : [["· change", changeText(change)] as const]),
    ...(judged === null ? [] : judgedRows(judged)),
  ];
}

function judgedRows({ judge, wins, losses, ties, unjudged, winRate, p }: JudgedComparison): Row[] {
  return [
    [`judged by ${judge}`, `${wins} wins, ${losses} losses, ${ties} ties, ${unjudged} not judged`],
    ["· win rate", `${percent(winRate)}, sign test p = ${pText(p)}`],
  ];
}

function pairsSection({ file, n, leftOut, referenceFree, againstBase, change }: PairsReport): string {
  const rows: Row[] = [
    ["chosen is likelier", percent(referenceFree.accuracy)],
    ["margin a token, nats", meanText(referenceFree.margin)],
    ...(againstBase === null
      ? []
      : [
          ["reward accuracy (over the base)", percent(againstBase.accuracy)] as const,
          ["reward margin, nats (times β)", meanText(againstBase.margin)] as const,
        ]),
    ...(change === null ? [] : [["base to model", changeText(change)] as const]),
    ...(leftOut.length === 0 ? [] : [["left out", `${leftOut.length} rows`] as const]),
  ];
  return `## Pairs of ${file}\n\n${table(["", `n = ${n}`], rows)}`;
}

function openSection(open: OpenReport): string {
  const rows: Row[] = [
    ["thinks", percent(open.thinks)],
    ["comes to an answer", percent(open.answered)],
    ["ended by the model", percent(open.ended)],
    ["tokens of thinking, mean", tokensText(open.meanThinkingTokens)],
    ...(open.overlap === null
      ? []
      : [[`word overlap with the reference (n ${open.overlap.n})`, meanText(open.overlap)] as const]),
    ...(open.judged === null ? [] : judgedRows(open.judged)),
  ];
  return `## Questions of ${open.file}, ${THINKING_WORDS[open.thinking]}\n\n${table(["", `n = ${open.n}`], rows)}`;
}

const NOTHING = "–";

function percent(proportion: Proportion | null): string {
  if (proportion === null) return NOTHING;
  const { share, low, high, count, n } = proportion;
  return `${(100 * share).toFixed(1)} % [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}] (${count} of ${n})`;
}

const meanText = ({ mean, low, high }: Omit<BootstrapMean, "n">): string =>
  `${decimal(mean)} [${decimal(low)}, ${decimal(high)}]`;

const decimal = (value: number): string => value.toFixed(3).replace("-", "−");

function changeText({ difference, low, high, gained, lost, p }: PairedComparison): string {
  const points = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;
  return `${points(difference)} points [${points(low)}, ${points(high)}]: ${gained} gained, ${lost} lost, McNemar p = ${pText(p)}`;
}

const pText = (p: number): string => (p < 0.001 ? p.toExponential(1) : p.toFixed(3));
const tokensText = (tokens: number | null): string => (tokens === null ? NOTHING : tokens.toFixed(1));

/** File names and types come from outside: a bar would end the cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function table([left, right]: Row, rows: readonly Row[]): string {
  const line = ([label, value]: Row): string => `| ${cell(label)} | ${cell(value)} |`;
  return [line([left, right]), "|---|---|", ...rows.map(line)].join("\n");
}
