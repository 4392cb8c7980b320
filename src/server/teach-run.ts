/** @file `preflexor teach`: settings to a run, its events to the terminal, and how to go on after a stop. */
import { join } from "node:path";
import type { MaterialsWorld } from "../agents/environments/index.js";
import {
  type ActivityLog,
  createAgentCalls,
  type Judge,
  type RunDirectory,
  readRunLog,
  type TeachConfig,
  type TeachPlan,
  teach,
  teachPlan,
} from "../agents/index.js";
import { ingestCorpus } from "../tools/ingest.js";
import { passageReplay, replayOf } from "../tools/replay.js";
import type { Policy } from "../trainer/index.js";
import { type CommandFrame, runInFrame } from "./command-frame.js";
import type { Config } from "./config.js";
import { createContext } from "./create-context.js";
import { discardIfEmpty } from "./demo-run.js";
import { LEXICAL, openJudge } from "./eval-judge.js";
import { INTERRUPTED } from "./interrupt.js";
import { closeWhenStopped, openModel } from "./models.js";
import { ownCommand, shellWord } from "./own-command.js";
import { holdRun, toldIn, withOutcome } from "./teach-activity.js";
import { showTeaching, teachResult, teachTable } from "./teach-display.js";
import { type Prepared, prepareTeaching, resumedRun, type TeachRunOptions } from "./teach-prepare.js";
import { publisher } from "./teach-publish.js";
import { teachingModels } from "./teaching-models.js";

/** Teaches and prints; resolves to the exit code. */
export async function runTeach(options: TeachRunOptions): Promise<number> {
  let begun: Prepared | undefined;
  const stopping = "stopping … (Ctrl-C again ends it at once)";
  const code = await runInFrame({ ...options, stopping }, async (frame) => {
    const resumed = await resumedRun(options);
    const held = resumed && (await holdRun(resumed.path, frame));
    const whole = async (): Promise<Prepared> => {
      const prepared = await prepareTeaching(options, frame.signal);
      begun = prepared;
      const { path } = prepared.directory;
      const activity = held ?? (await holdRun(path, frame));
      await withOutcome(path, frame.signal, () => teachThrough({ ...options, ...prepared }, activity, frame));
      return prepared;
    };
    const ended = resumed ? await withOutcome(resumed.path, frame.signal, whole) : await whole();
    begun = undefined;
    frame.display.end();
    await printResult(ended, options.json);
    return 0;
  });
  if (begun !== undefined) await sayWhatIsKept(begun, code === INTERRUPTED);
  return code;
}

/** A run that failed before it made anything leaves nothing; one that was stopped is kept whatever it has. */
async function sayWhatIsKept({ directory, isNew, teachConfig }: Prepared, interrupted: boolean): Promise<void> {
  const isOurs = isNew && teachConfig.run.output_dir === undefined;
  if (isOurs && !interrupted && (await discardIfEmpty(directory.path))) return;
  process.stderr.write(howToGoOn(directory));
}

function howToGoOn({ path }: RunDirectory): string {
  return [
    "The run is kept.",
    `  go on    ${ownCommand()} teach --resume ${shellWord(path)}`,
    `  look     ${ownCommand()} runs show ${shellWord(path)}`,
    "",
  ].join("\n");
}

async function teachThrough(
  prepared: Prepared & Pick<TeachRunOptions, "paths" | "limits">,
  activity: ActivityLog,
  frame: CommandFrame,
): Promise<void> {
  const { config, corpus, directory, teachConfig } = prepared;
  const { display, signal, onEnd } = frame;
  display.line(`run directory: ${directory.path}`);
  const context = createContext(config, (notice) => display.line(notice));
  onEnd(() => context.close());
  const { run, trainable } = teachConfig;
  display.phase("ingest the corpus", 100);
  activity.report({ stage: "ingest", done: 0, total: 1 });
  const world = corpus.kind === "world" ? await context.world() : undefined;
  const { openCorpus } = context;
  await ingestCorpus({ openCorpus, world: context.world, activate: async () => {} }, corpus, {
    signal,
    onProgress: display.progress,
    problemOf: prepared.paths?.problemOf,
    limits: prepared.limits,
  });
  const store = await openCorpus(corpus);
  display.phase("open the model", 1);
  activity.report({ stage: "open", done: 0, total: 1, note: config.model });
  const student = await openModel(config, run.seed ?? DEFAULT_SEED, {
    trainable,
    ...(run.gradient_checkpointing !== undefined && { gradientCheckpointing: run.gradient_checkpointing }),
    ...(run.device !== undefined && { device: run.device }),
    ...(run.precision !== undefined && { precision: run.precision }),
  });
  onEnd(() => student.policy.close());
  onEnd(closeWhenStopped(student.policy, signal));
  if (run.adapter !== undefined) await student.policy.loadAdapter(run.adapter);
  const models = teachingModels(config, {
    world: context.world,
    student: async () => student,
    signal,
    onNotice: (sentence) => display.line(sentence),
  });
  onEnd(() => models.close());
  const plan = planFor(teachConfig, student.policy, world);
  const judge = await judgeFor(plan, { run, config, isWorld: world !== undefined }, frame);
  const longest = Math.max(...plan.phases.map(({ maxLength }) => maxLength));
  const replay = world === undefined ? await passageReplay(student, store, longest) : replayOf(student, world);
  const library = trainable.kind === "lora" ? "peft" : "transformers";
  const trained = join(directory.path, library === "peft" ? "adapter" : "model");
  const calls = createAgentCalls({
    cacheFolder: join(directory.path, "teacher-calls"),
    concurrency: plan.concurrency,
    ...(run.timeout_seconds !== undefined && { timeoutMs: 1000 * run.timeout_seconds }),
    ...(run.token_budget !== undefined && { tokenBudget: run.token_budget }),
  });
  const events = teach(
    {
      ...student,
      store,
      teacher: await models.open("teacher", corpus),
      directory: directory.path,
      signal,
      calls,
      ...(run.report_to !== undefined && { reportTo: run.report_to }),
      ...(judge && { judge }),
      ...(world && { environment: world }),
      ...(replay && { replay }),
      ...(run.push_to_hub !== undefined && {
        publish: publisher({ config, repo: run.push_to_hub, directory: directory.path, trained, library, plan }),
      }),
    },
    plan,
  );
  await showTeaching(toldIn(activity, events), display, plan);
  await student.policy.saveAdapter(trained);
}

const DEFAULT_SEED = 42;

function planFor(config: TeachConfig, { info }: Policy, world: MaterialsWorld | undefined): TeachPlan {
  const questions = world && [...world.questions("unseen-combination"), ...world.questions("unseen-material")];
  return teachPlan(config, { parameters: info.parameters, ...(questions && { evaluationQuestions: questions }) });
}

/** The lexical one where a phase needs one, nothing checks answers and nobody was named: a run works without a key. */
async function judgeFor(
  plan: TeachPlan,
  { run, config, isWorld }: { readonly run: TeachConfig["run"]; readonly config: Config; readonly isWorld: boolean },
  { display, signal, onEnd }: CommandFrame,
): Promise<Judge | undefined> {
  const isNeeded = plan.phases.some(({ onlyWrong, rejectedRule }) => onlyWrong || rejectedRule === "wrong-first");
  const named = run.judge ?? config.judge;
  const name = named ?? (isNeeded && !isWorld ? LEXICAL : undefined);
  if (name === undefined) return undefined;
  if (named === undefined) display.line("answers are judged by their words (--judge names a model that reads them)");
  const opened = await openJudge(name, config, (sentence) => display.line(sentence), signal);
  onEnd(opened.close);
  return opened.judge;
}

async function printResult({ directory, config }: Prepared, json: boolean): Promise<void> {
  const result = teachResult(await readRunLog(directory.path), directory.path, config.model);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`\n${teachTable(result)}\n`);
}
