/** @file `preflexor demo`: one self-teaching iteration from a fresh machine to a report, and nothing left running. */
import { lockRun, pairsOf, type ReleaseRun } from "../agents/index.js";
import { recipeOf } from "../tools/run-settings.js";
import { checkInputs } from "./check-inputs.js";
import { type Config, NANO_MODEL, readConfig } from "./config.js";
import { createContext, type ServerContext } from "./create-context.js";
import { createDisplay, reasoningText, textTable } from "./demo-display.js";
import { demoFlow } from "./demo-flow.js";
import type { DemoOptions } from "./demo-options.js";
import { closingTable, type DemoReasoning, type DemoResult } from "./demo-result.js";
import { type DemoRequest, type DemoRun, discardIfEmpty, homeOf, howToGoOn, resumeRun, startRun } from "./demo-run.js";
import { INTERRUPTED, onInterrupt } from "./interrupt.js";
import { createLog, type Log } from "./log.js";
import { recipeNameOf } from "./models.js";
import { ownCommand } from "./own-command.js";

/** Runs the demo and prints; resolves to the exit code. Every way out stops the engine and the store. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const log = createLog(options.verbose);
  const display = createDisplay(process.stderr);
  const controller = new AbortController();
  const interrupt = onInterrupt(controller, () => display.close("stopping … (Ctrl-C again ends it at once)"));
  let context: ServerContext | undefined;
  let run: DemoRun | undefined;
  let release: ReleaseRun | undefined;
  try {
    const opened = await openRun(options);
    release = await lockRun(opened.run.folder.directory);
    run = opened.run;
    context = createContext(opened.config, (notice) => display.line(notice));
    display.line(`run directory: ${run.folder.directory}`);
    const finished = await demoFlow({ context, run, display, signal: controller.signal });
    display.end();
    await context.close();
    printResult(finished.result, finished.reasoning, options.json);
    return 0;
  } catch (error) {
    display.end();
    const interrupted = controller.signal.aborted;
    if (!interrupted) log.error(error);
    if (run !== undefined) await sayWhatIsKept(run, log, interrupted);
    return interrupted ? INTERRUPTED : 1;
  } finally {
    display.end();
    await context?.close();
    await release?.();
    interrupt.remove();
  }
}

/** A run that failed before it made anything leaves nothing; one that was stopped is kept whatever it has. */
async function sayWhatIsKept(run: DemoRun, log: Log, interrupted: boolean): Promise<void> {
  if (!interrupted && (await discardIfEmpty(run.folder.directory))) return;
  log.info(await howToGoOn(run.folder, interrupted ? "Stopped" : "The run ended early"));
}

async function openRun(options: DemoOptions): Promise<{ config: Config; run: DemoRun }> {
  const environment = readConfig();
  const home = options.home ?? environment.home;
  const threads = options.threads ?? environment.threads;
  const shared = { ...environment, home, ...(threads !== undefined && { threads }) };
  if (options.resume !== undefined) {
    const run = await resumeRun(options.resume);
    await checkInputs({ ...shared, model: run.request.model }, run.request.corpus ?? undefined);
    const itsHome = options.home ?? homeOf(options.resume) ?? home;
    return { config: { ...shared, home: itsHome, model: run.request.model }, run };
  }
  const model = options.model ?? environment.model;
  await checkInputs({ ...shared, model }, options.corpus);
  const recipe = recipeOf(recipeNameOf(model));
  const request: DemoRequest = {
    seed: options.seed,
    model,
    corpus: options.corpus ?? null,
    rounds: options.rounds ?? recipe.phase.iterations,
    pairs: options.pairs ?? pairsOf(recipe.phase),
  };
  return { config: { ...shared, model }, run: await startRun(home, request) };
}

function printResult(result: DemoResult, reasoning: DemoReasoning, json: boolean): void {
  const text = `\n${reasoningText(reasoning)}\n\n${textTable(closingTable(result))}\n\nreport: ${result.runDir}/report.html\n`;
  if (json) {
    process.stderr.write(text);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else {
    const command = ownCommand();
    const next = `\nNext, your own texts and a real model:\n  ${command} demo --corpus <folder> --model <directory>\nor an assistant: start ${command} from its MCP configuration (${command} --help)\n`;
    process.stdout.write(text + (result.model.path === NANO_MODEL ? next : ""));
  }
}
