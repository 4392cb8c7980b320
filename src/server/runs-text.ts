/** @file What `preflexor runs` prints for people: a table of runs, one run in full, and what is to be removed. */
import { basename } from "node:path";
import type { ListedRun, RunSummary } from "../agents/index.js";
import { textTable } from "./demo-display.js";
import { bytesText } from "./memory-lines.js";

export interface Sized {
  readonly name: string;
  readonly bytes: number;
}

export const totalBytes = (runs: readonly Sized[]): number => runs.reduce((sum, { bytes }) => sum + bytes, 0);
export const countText = (count: number): string => `${count} ${count === 1 ? "run" : "runs"}`;

export function listText(listed: readonly ListedRun[], folder: string, command: string): string {
  if (listed.length === 0) return `no runs in ${folder}`;
  const runs = listed.flatMap((run) => ("summary" in run ? [run.summary] : []));
  const others = listed.filter((run) => "problem" in run);
  const lines = runs.length === 0 ? [] : columns([HEADER, ...runs.map(row)], NUMBERS);
  return [
    ...lines,
    ...(others.length > 0 ? ["", "not read:", ...others.map((run) => `  ${run.name}: ${run.problem}`)] : []),
    "",
    `${countText(runs.length)}, ${bytesText(totalBytes(listed))} in ${folder}`,
    `to bound it: ${command} runs remove --keep 5, or --older-than 30 (days), or the names of runs`,
  ].join("\n");
}

const HEADER = ["run", "kind", "made (UTC)", "model", "reached", "pairs", "loss", "size", ""];
const NUMBERS = new Set([5, 6, 7]);

function row(run: RunSummary): string[] {
  const { name, kind, created, model, pairs, loss, bytes } = run;
  const shortModel = model === undefined ? "" : /^(?:[\\/.]|[A-Za-z]:)/.test(model) ? basename(model) : model;
  return [
    name,
    kind,
    minute(created),
    shortModel,
    reached(run),
    String(pairs),
    loss === undefined ? "" : loss.toFixed(3),
    bytesText(bytes),
    stateOf(run),
  ];
}

const minute = (iso: string): string => iso.slice(0, 16).replace("T", " ");

function reached({ phase, round, step }: RunSummary): string {
  const parts = [
    phase,
    round === undefined ? undefined : `round ${round}`,
    step === undefined ? undefined : `step ${step}`,
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

function stateOf({ inUse, finished }: RunSummary): string {
  if (inUse !== undefined) return `in use (process ${inUse.pid})`;
  return finished === undefined ? "" : finished ? "finished" : "not finished";
}

/** Columns of the width of their widest cell; those in `right` end at one edge. */
function columns(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((cells) => (cells[i] ?? "").length)));
  return rows.map((cells) =>
    cells
      .map((cell, i) => (right.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

export function showText(run: RunSummary): string {
  const { path, kind, version, created, changed, model, seed, checkpoints, pairs, loss, bytes, inUse } = run;
  const request = Object.entries(run.request).map(([name, value]) => [`  ${name}`, asText(value)] as const);
  const optional = (label: string, value: string | undefined) =>
    value === undefined || value === "" ? [] : [[label, value] as const];
  const table = textTable([
    ["run", path],
    ["kind", version === 0 ? `${kind} (from before runs had a format version)` : `${kind}, format ${version}`],
    ["made", created],
    ["last written", changed],
    ...optional("model", model),
    ...optional("seed", seed?.toString()),
    ...optional("reached", reached(run)),
    ...optional(
      "state",
      inUse === undefined ? stateOf(run) : `in use by process ${inUse.pid} on ${inUse.host}, since ${inUse.since}`,
    ),
    ["pairs", String(pairs)],
    ...optional("last loss", loss?.toFixed(4)),
    ["checkpoints", checkpoints.map((step) => `checkpoint-${step}`).join(", ") || "none"],
    ["size", bytesText(bytes)],
    ...(request.length > 0 ? [["asked for", ""] as const, ...request] : []),
  ]);
  return table.replace(/ +$/gm, "");
}

const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** What is about to go, one a line. */
export const removalText = (runs: readonly Sized[]): string =>
  runs.map(({ name, bytes }) => `  ${name}  ${bytesText(bytes)}`).join("\n");
