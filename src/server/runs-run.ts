/** @file `preflexor runs`: lists, shows, reports and removes run directories; resolves to the exit code. */
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import {
  type ListedRun,
  listRuns,
  RunDirectoryError,
  removalProblem,
  removeRun,
  runNames,
  runPath,
  runSummary,
  runsFolder,
} from "../agents/index.js";
import { writeWhole } from "../tools/index.js";
import { NoSuchRunError, runReport } from "../tools/views/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { readConfig } from "./config.js";
import { homeOf } from "./demo-run.js";
import { createLog, messageOf } from "./log.js";
import { bytesText } from "./memory-lines.js";
import { ownCommand, shellWord } from "./own-command.js";
import { reportHtml } from "./page/index.js";
import { countText, listText, removalText, showText, totalBytes } from "./runs-text.js";

interface Shared {
  readonly home?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

export interface RemoveRequest extends Shared {
  readonly action: "remove";
  /** Names or paths; empty where a rule chooses. */
  readonly runs: readonly string[];
  readonly olderThanDays?: number;
  readonly keep?: number;
  readonly yes: boolean;
}

export type RunsRequest =
  | (Shared & { readonly action: "list" })
  | (Shared & { readonly action: "show"; readonly run: string })
  | (Shared & { readonly action: "report"; readonly run: string; readonly out?: string })
  | RemoveRequest;

/** Where a question is put; a test answers in its place. */
export interface Terminal {
  /** Whether somebody can answer. */
  readonly interactive: boolean;
  ask(question: string): Promise<string>;
}

const processTerminal = (): Terminal => ({
  interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  async ask(question) {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      // Ctrl-C or Ctrl-D is no answer.
      const closed = new Promise<string>((done) => lines.once("close", () => done("")));
      return await Promise.race([lines.question(question), closed]);
    } finally {
      lines.close();
    }
  },
});

export async function runRuns(request: RunsRequest, terminal = processTerminal(), now = new Date()): Promise<number> {
  try {
    const home = request.home ?? readConfig().home;
    if (request.action === "list") return await list(home, request);
    if (request.action === "show") return await show(home, request.run, request);
    if (request.action === "report") return await report(home, request);
    return await remove(home, request, terminal, now);
  } catch (error) {
    createLog(request.verbose).error(error);
    return 1;
  }
}

function print(json: boolean, text: string, value: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
}

async function list(home: string, { json }: Shared): Promise<number> {
  const listed = await listRuns(home);
  const runs = listed.map((run) => ("summary" in run ? run.summary : run));
  print(json, listText(listed, runsFolder(home), ownCommand()), {
    command: "runs list",
    folder: runsFolder(home),
    bytes: totalBytes(listed),
    runs,
  });
  return 0;
}

async function show(home: string, name: string, { json }: Shared): Promise<number> {
  const summary = await runSummary(runPath(home, name)).catch(async (error: unknown) => {
    throw isMissing(error) ? new Error(await missing(home, name), { cause: error }) : error;
  });
  print(json, showText(summary), { command: "runs show", ...summary });
  return 0;
}

async function report(home: string, { run, out, json }: Shared & { run: string; out?: string }): Promise<number> {
  const directory = resolve(runPath(home, run));
  const itsHome = homeOf(directory);
  if (itsHome === undefined) throw new Error(`${directory}: expected a run in a folder "runs"; move it into one first`);
  const file = out ?? join(directory, "report.html");
  const found = await runReport(itsHome, basename(directory)).catch(async (error: unknown) => {
    throw error instanceof NoSuchRunError ? new Error(await missing(home, run), { cause: error }) : error;
  });
  const html = await reportHtml(found);
  await writeWhole(file, html);
  print(json, file, { command: "runs report", run: basename(directory), file, bytes: Buffer.byteLength(html) });
  return 0;
}

const isMissing = (error: unknown): boolean => error instanceof RunDirectoryError && error.reason === "missing";

async function missing(home: string, name: string): Promise<string> {
  const guess = nearest(name, await runNames(home));
  return `there is no run ${runPath(home, name)}${guess === undefined ? "" : `: did you mean ${guess}?`}`;
}

interface Target {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

interface Choice {
  readonly targets: readonly Target[];
  /** Runs that a rule means and that stay because they are in use. */
  readonly skipped: readonly Target[];
}

async function remove(home: string, request: RemoveRequest, terminal: Terminal, now: Date): Promise<number> {
  const { runs, olderThanDays, keep, json } = request;
  const byRule = olderThanDays !== undefined || keep !== undefined;
  if (runs.length > 0 && byRule) throw new Error("name runs, or choose them by --older-than and --keep: not both");
  if (runs.length === 0 && !byRule) {
    throw new Error(`which runs? Give their names (${ownCommand()} runs list has them), or --older-than or --keep`);
  }
  const { targets, skipped } = byRule ? choose(await listRuns(home), request, now) : await named(home, runs);
  for (const { name } of skipped) process.stderr.write(`${name} is in use and stays\n`);
  if (targets.length > 0 && !(await isConfirmed(targets, request, terminal))) {
    process.stderr.write("nothing was removed\n");
    return 1;
  }
  const removed: Target[] = [];
  const failed: { readonly path: string; readonly reason: string }[] = [];
  for (const target of targets) {
    try {
      await removeRun(target.path, { home });
      removed.push(target);
    } catch (error) {
      failed.push({ path: target.path, reason: messageOf(error) });
      createLog(request.verbose).error(error);
    }
  }
  const bytes = totalBytes(removed);
  print(json, `removed ${countText(removed.length)}, ${bytesText(bytes)}`, {
    command: "runs remove",
    removed: removed.map(({ name, path, bytes: size }) => ({ name, path, bytes: size })),
    skipped: skipped.map(({ name, path }) => ({ name, path })),
    failed,
    bytes,
  });
  return failed.length > 0 ? 1 : 0;
}

/** What the rules mean: of the runs that can be read, all but the newest `keep`, those that are old enough. */
function choose(listed: readonly ListedRun[], { olderThanDays = 0, keep = 0 }: RemoveRequest, now: Date): Choice {
  const latest = new Date(now.getTime() - olderThanDays * 86_400_000).toISOString();
  const meant = listed
    .flatMap((run) => ("summary" in run ? [run.summary] : []))
    .slice(keep)
    .filter(({ changed }) => changed <= latest);
  return {
    targets: meant.filter(({ inUse }) => inUse === undefined),
    skipped: meant.filter(({ inUse }) => inUse !== undefined),
  };
}

/** Refuses all that cannot be removed, before anything is. */
async function named(home: string, names: readonly string[]): Promise<Choice> {
  const problems: string[] = [];
  const targets = new Map<string, Target>();
  const listed = await listRuns(home);
  for (const name of names) {
    const path = runPath(home, name);
    const run = listed.find((one) => one.path === path) ?? (await runSummary(path).catch((error: Error) => error));
    const problem = isMissing(run) ? await missing(home, name) : await removalProblem(path, { home });
    if (problem !== undefined) problems.push(problem);
    else if (run instanceof Error) problems.push(run.message);
    else targets.set(path, run);
  }
  if (problems.length > 0) throw new Error(`nothing was removed:\n  ${problems.join("\n  ")}`);
  return { targets: [...targets.values()], skipped: [] };
}

async function isConfirmed(targets: readonly Target[], request: RemoveRequest, terminal: Terminal): Promise<boolean> {
  if (request.yes) return true;
  const what = `${countText(targets.length)} (${bytesText(totalBytes(targets))})`;
  if (!terminal.interactive) {
    throw new Error(
      `${what} would be removed:\n${removalText(targets)}\nThere is no terminal to ask at. Type: ${confirmedCommand(request)}`,
    );
  }
  process.stderr.write(`${removalText(targets)}\n`);
  return /^y(?:es)?$/i.test((await terminal.ask(`Remove ${what}, with everything in them? [y/N] `)).trim());
}

function confirmedCommand({ runs, olderThanDays, keep, home }: RemoveRequest): string {
  return [
    `${ownCommand()} runs remove`,
    ...runs.map(shellWord),
    ...(olderThanDays === undefined ? [] : [`--older-than ${olderThanDays}`]),
    ...(keep === undefined ? [] : [`--keep ${keep}`]),
    ...(home === undefined ? [] : [`--home ${shellWord(home)}`]),
    "--yes",
  ].join(" ");
}
