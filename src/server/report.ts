/** @file The report of a run as one HTML file that needs nothing else: curves, closing table, pairs, reasoning. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { EvaluationResult } from "../agents/index.js";
import type { PreferencePair, SectionMarkers } from "../trainer/index.js";
import { splitName } from "./demo-result.js";
import { REPORT_SCRIPT, REPORT_STYLE } from "./report-page.js";

/** More pairs than this nobody reads. */
const PAIRS_SHOWN = 12;

export interface ReportStep {
  readonly step: number;
  readonly round: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface ReportEvaluation {
  readonly round: number;
  readonly result: Pick<EvaluationResult, "split" | "accuracy" | "n" | "chance" | "byType">;
}

export interface ReportReasoning {
  readonly question: string;
  readonly answer: string;
  readonly rounds: readonly { readonly thinking: string; readonly answer: string; readonly score: number }[];
}

export interface ReportData {
  readonly title: string;
  /** Rows of the closing table. */
  readonly table: readonly (readonly [label: string, value: string])[];
  readonly steps: readonly ReportStep[];
  readonly evaluations: readonly ReportEvaluation[];
  readonly preferenceAccuracies: readonly { readonly round: number; readonly accuracy: number }[];
  readonly pairs: readonly PreferencePair[];
  readonly reasoning?: ReportReasoning;
  readonly markers: SectionMarkers;
}

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => names[c]!);
}

/** JSON that cannot end a script element or open a comment in it. */
export function scriptJson(value: unknown): string {
  const codes: Record<string, string> = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
  };
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => codes[c]!);
}

/** A reply with its thinking section set apart; a section without an end runs to the end of the reply. */
function replyHtml(reply: string, { start, end }: SectionMarkers): string {
  const from = reply.indexOf(start);
  if (from < 0) return `<p class="answer">${escapeHtml(reply)}</p>`;
  const inside = reply.slice(from + start.length);
  const to = inside.indexOf(end);
  const thinking = to < 0 ? inside : inside.slice(0, to);
  const answer = reply.slice(0, from) + (to < 0 ? "" : inside.slice(to + end.length));
  const section = `<div class="thinking"><span class="label">thinking${to < 0 ? " (not closed)" : ""}</span>${escapeHtml(thinking.trim())}</div>`;
  return section + (answer.trim() === "" ? "" : `<p class="answer">${escapeHtml(answer.trim())}</p>`);
}

/** Who wrote a rejected reply: the weights' name, and how far they were trained. */
function studentText(student: string): string {
  const [, weights, step] = /^([0-9a-f]{8})[0-9a-f]*@(\d+)$/.exec(student) ?? [];
  return weights === undefined ? student : `${weights} after ${step} step${step === "1" ? "" : "s"}`;
}

function pairHtml(pair: PreferencePair, markers: SectionMarkers): string {
  const { teacher, student, passages } = pair.provenance;
  return `<article class="pair"><h3>${escapeHtml(pair.prompt)}</h3><div class="sides">
<section><h4><span class="dot good"></span>chosen</h4>${replyHtml(pair.chosen, markers)}</section>
<section><h4><span class="dot bad"></span>rejected</h4>${replyHtml(pair.rejected, markers)}</section>
</div><p class="note">teacher ${escapeHtml(teacher)} · student ${escapeHtml(studentText(student))} · ${passages.length} passages</p></article>`;
}

function reasoningHtml(reasoning: ReportReasoning): string {
  const rounds = reasoning.rounds.map(
    (
      round,
      i,
    ) => `<section class="round"><h4>Round ${i + 1} <span class="note">score ${round.score.toFixed(2)}</span></h4>
<div class="thinking"><span class="label">thinking</span>${escapeHtml(round.thinking || "(no thinking)")}</div><p class="answer">${escapeHtml(round.answer || "(no answer)")}</p></section>`,
  );
  return `<h2>One question, answered with recursion</h2><article class="pair"><h3>${escapeHtml(reasoning.question)}</h3>
<div class="sides">${rounds.join("\n")}</div><p class="answer final"><span class="label">answer</span>${escapeHtml(reasoning.answer)}</p></article>`;
}

/** With a space that does not break. */
const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)}\u00a0%`;

function byTypeHtml(evaluations: readonly ReportEvaluation[]): string {
  const splits = [...new Set(evaluations.map(({ result }) => result.split))];
  const rows = splits.flatMap((split) => {
    const own = evaluations.filter(({ result }) => result.split === split);
    const [first, last] = [own[0]!.result, own.at(-1)!.result];
    return last.byType.map((after) => {
      const before = first.byType.find(({ type }) => type === after.type);
      const share = (x: { right: number; n: number } | undefined) =>
        x === undefined || x.n === 0 ? "–" : percent(x.right / x.n);
      const cells = [
        splitName(split).replace("held-out ", ""),
        after.type.replaceAll("-", " "),
        share(before),
        share(after),
        percent(after.chance),
        String(after.n),
      ];
      return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`;
    });
  });
  if (rows.length === 0) return "";
  const head = ["held out", "question type", "before", "after", "chance", "n"].map((h) => `<th>${h}</th>`).join("");
  return `<h2>Held-out accuracy by question type</h2><div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

interface Chart {
  readonly title: string;
  readonly note: string;
  readonly x: readonly number[];
  readonly xLabel: string;
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
  readonly fractions: boolean;
}

function stepCharts(steps: readonly ReportStep[]): Chart[] {
  const curve = (title: string, note: string, key: string, fractions: boolean): Chart => ({
    title,
    note,
    x: steps.map(({ step }) => step),
    xLabel: "step",
    series: [{ label: title.toLowerCase(), values: steps.map(({ metrics }) => metrics[key] ?? null) }],
    fractions,
  });
  return [
    curve("Loss", "what training lowers: doubt about the chosen reply, and odds of the rejected one", "loss", false),
    curve(
      "Reward margin",
      "log-probability of the chosen less the rejected reply, scaled; above 0 the chosen one leads",
      "rewards/margins",
      false,
    ),
    curve(
      "Pairs ranked right",
      "of the pairs of a step, those whose chosen reply is the likelier",
      "rewards/accuracies",
      true,
    ),
  ];
}

function roundChart(data: ReportData): Chart {
  const rounds = [...data.evaluations.map((e) => e.round), ...data.preferenceAccuracies.map((p) => p.round)];
  const x = [...new Set(rounds)].sort((a, b) => a - b);
  const splits = [...new Set(data.evaluations.map(({ result }) => result.split))];
  const series = splits.map((split) => ({
    label: splitName(split),
    values: x.map(
      (round) => data.evaluations.find((e) => e.round === round && e.result.split === split)?.result.accuracy ?? null,
    ),
  }));
  const chance = data.evaluations[0]?.result.chance;
  if (chance !== undefined) series.push({ label: "chance", values: x.map(() => chance) });
  if (data.preferenceAccuracies.length > 0) {
    const at = (round: number) => data.preferenceAccuracies.find((p) => p.round === round)?.accuracy ?? null;
    series.push({ label: "held-out pairs", values: x.map(at) });
  }
  const note = "questions or pairs never trained on; round 0 is before training";
  return { title: "Held-out accuracy by round", note, x, xLabel: "round", series, fractions: true };
}

function chartsOf(data: ReportData): Chart[] {
  return [...stepCharts(data.steps), roundChart(data)].filter(({ series }) =>
    series.some(({ values }) => values.some((v) => v !== null)),
  );
}

/** uPlot's own browser files, from the installed package. */
async function plotLibrary(): Promise<{ script: string; style: string }> {
  const dist = dirname(createRequire(import.meta.url).resolve("uplot"));
  const read = (name: string) => readFile(join(dist, name), "utf8");
  const [script, style] = await Promise.all([read("uPlot.iife.min.js"), read("uPlot.min.css")]);
  return { script, style };
}

/** Evenly spread over the run, so that early and late pairs both show. */
function sample<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * (items.length - 1)) / (most - 1))]!);
}

const hashOf = (script: string): string => `'sha256-${createHash("sha256").update(script).digest("base64")}'`;

export async function renderReport(data: ReportData): Promise<string> {
  const { script, style } = await plotLibrary();
  // Only these two scripts may run, whatever text came in with the corpus; the JSON is data and never runs.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src ${hashOf(script)} ${hashOf(REPORT_SCRIPT)}`;
  const rows = data.table
    .map(([label, value]) => `<tr><th>${escapeHtml(label)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join("");
  const charts = chartsOf(data);
  const figures = charts.map(
    (chart, i) =>
      `<figure><figcaption>${escapeHtml(chart.title)} <span class="note">${escapeHtml(chart.note)}</span></figcaption><div id="chart-${i}"></div></figure>`,
  );
  const pairs = sample(data.pairs, PAIRS_SHOWN);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="color-scheme" content="light dark">
<title>${escapeHtml(data.title)}</title><style>${style}</style><style>${REPORT_STYLE}</style></head><body><main>
<h1>${escapeHtml(data.title)}</h1>
<div class="scroll"><table class="closing"><tbody>${rows}</tbody></table></div>
<div class="charts">${figures.join("")}</div>
${byTypeHtml(data.evaluations)}
${data.reasoning === undefined ? "" : reasoningHtml(data.reasoning)}
<h2>Pairs <span class="note">${pairs.length} of ${data.pairs.length}</span></h2>
${pairs.map((pair) => pairHtml(pair, data.markers)).join("\n")}
</main><script type="application/json" id="data">${scriptJson(charts)}</script>
<script>${script}</script><script>${REPORT_SCRIPT}</script></body></html>
`;
}
