/** @file `preflexor teach`: settings to a run, its events to the terminal, and how to go on after a stop. */
import { join, resolve } from "node:path";
import { readDocuments } from "../agents/corpus/index.js";
import type { MaterialsWorld } from "../agents/environments/index.js";
import {
  createAgentCalls,
  createRunDirectory,
  type Judge,
  lockRun,
  openRunDirectory,
  parseTeachConfig,
  type RunDirectory,
  readRunLog,
  runPath,
  type TeachConfig,
  type TeachPlan,
  teach,
  teachPlan,
} from "../agents/index.js";
import { type ActiveCorpus, BUILT_IN_WORLD } from "../tools/index.js";
import { ingestCorpus } from "../tools/ingest.js";
import { passageReplay, replayOf } from "../tools/replay.js";
import { teachSettings } from "../tools/run-settings.js";
import { ensureHubRepo, type Policy } from "../trainer/index.js";
import { type CommandFrame, runInFrame } from "./command-frame.js";
import { type Config, readConfig } from "./config.js";
import { createContext } from "./create-context.js";
import { snapshotName } from "./demo-run.js";
import { LEXICAL, openJudge } from "./eval-judge.js";
import { closeWhenStopped, openModel, recipeNameOf } from "./models.js";
import { ownCommand, shellWord } from "./own-command.js";
import { showTeaching, teachResult, teachTable } from "./teach-display.js";
import { publisher } from "./teach-publish.js";
import { gatherTeachSettings } from "./teach-sources.js";
import { teachingModels } from "./teaching-models.js";

export interface TeachRunOptions {
  /** Settings given as flags. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly config?: string;
  readonly resume?: string;
  readonly home?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Teaches and prints; resolves to the exit code. */
export async function runTeach(options: TeachRunOptions): Promise<number> {
  let kept: RunDirectory | undefined;
  const code = await runInFrame(
    { ...options, stopping: "stopping … (Ctrl-C again ends it at once)" },
    async (frame) => {
      const prepared = await prepare(options, frame);
      kept = prepared.directory;
      await teachThrough(prepared, frame);
      kept = undefined;
      frame.display.end();
      await printResult(prepared, options.json);
      return 0;
    },
  );
  if (kept !== undefined) process.stderr.write(howToGoOn(kept));
  return code;
}

function howToGoOn({ path }: RunDirectory): string {
  return [
    "The run is kept.",
    `  go on    ${ownCommand()} teach --resume ${shellWord(path)}`,
    `  look     ${ownCommand()} runs show ${shellWord(path)}`,
    "",
  ].join("\n");
}

interface Prepared {
  readonly config: Config;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly teachConfig: TeachConfig;
  readonly directory: RunDirectory;
  readonly corpus: ActiveCorpus;
}

/** Everything that can be wrong with the settings is found here, before a model is opened or a directory made. */
async function prepare(options: TeachRunOptions, frame: CommandFrame): Promise<Prepared> {
  const environment = readConfig();
  const home = options.home === undefined ? environment.home : resolve(options.home);
  const resumed = options.resume === undefined ? undefined : await openRunDirectory(runPath(home, options.resume));
  if (resumed !== undefined && resumed.kind !== "teach")
    throw new Error(`${resumed.path} is a run of ${resumed.kind}, which teach cannot go on with`);
  const { settings, source } = await gatherTeachSettings({
    flags: options.flags,
    ...(options.config !== undefined && { file: options.config }),
    ...(resumed && { kept: resumed.request }),
    defaults: (model, corpus = BUILT_IN_WORLD) => teachSettings(recipeNameOf(model), corpus === BUILT_IN_WORLD),
    environment,
  });
  const teachConfig = parseTeachConfig(settings, source);
  const { run } = teachConfig;
  const config: Config = {
    ...environment,
    home,
    model: run.model ?? environment.model,
    offline: run.offline ?? environment.offline,
    ...(run.teacher !== undefined && { teacher: run.teacher }),
    ...(run.teacher_base_url !== undefined && { teacherBaseUrl: run.teacher_base_url }),
    ...(run.threads !== undefined && { threads: run.threads }),
  };
  if (config.offline && run.push_to_hub !== undefined)
    throw new Error("offline and push_to_hub exclude each other: leave one of them out");
  const corpus = await corpusOf(run.corpus ?? BUILT_IN_WORLD, frame.signal);
  if (run.push_to_hub !== undefined)
    await ensureHubRepo({ ...config.hub, repo: run.push_to_hub, signal: frame.signal });
  const directory = resumed ?? (await newDirectory(home, run.output_dir, settings));
  return { config, settings, teachConfig, directory, corpus };
}

/** A collection of its own for exactly these documents: a seed then gives the same pairs whatever else was ingested. */
async function corpusOf(path: string, signal: AbortSignal): Promise<ActiveCorpus> {
  if (path === BUILT_IN_WORLD) return { kind: "world", path };
  return { kind: "folder", path, collection: snapshotName(await readDocuments(path, { signal })) };
}

async function newDirectory(
  home: string,
  output: string | undefined,
  settings: Readonly<Record<string, unknown>>,
): Promise<RunDirectory> {
  return createRunDirectory(home, { kind: "teach", request: settings, ...(output !== undefined && { at: output }) });
}

async function teachThrough(prepared: Prepared, frame: CommandFrame): Promise<void> {
  const { config, corpus, directory, teachConfig } = prepared;
  const { display, signal, onEnd } = frame;
  const release = await lockRun(directory.path);
  onEnd(release);
  display.line(`run directory: ${directory.path}`);
  const context = createContext(config, (notice) => display.line(notice));
  onEnd(() => context.close());
  const { run, trainable } = teachConfig;
  display.phase("ingest the corpus", 100);
  const world = corpus.kind === "world" ? await context.world() : undefined;
  const { openCorpus } = context;
  await ingestCorpus({ openCorpus, world: context.world, activate: async () => {} }, corpus, {
    signal,
    onProgress: display.progress,
  });
  const store = await openCorpus(corpus);
  display.phase("open the model", 1);
  const student = await openModel(config, run.seed ?? DEFAULT_SEED, {
    trainable,
    ...(run.gradient_checkpointing !== undefined && { gradientCheckpointing: run.gradient_checkpointing }),
    ...(run.device !== undefined && { device: run.device }),
    ...(run.precision !== undefined && { precision: run.precision }),
  });
  onEnd(() => student.policy.close());
  onEnd(closeWhenStopped(student.policy, signal));
  if (run.adapter !== undefined) await student.policy.loadAdapter(resolve(run.adapter));
  const models = teachingModels(config, {
    world: context.world,
    student: async () => student,
    signal,
    onNotice: (sentence) => display.line(sentence),
  });
  onEnd(() => models.close());
  const judge = await judgeFor(run.judge ?? config.judge ?? (world === undefined ? LEXICAL : undefined), config, frame);
  const plan = planFor(teachConfig, student.policy, world);
  const replay = world === undefined ? await passageReplay(student, store) : replayOf(student, world);
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
      ...(judge && { judge }),
      ...(world && { environment: world }),
      ...(replay && { replay }),
      ...(run.push_to_hub !== undefined && {
        publish: publisher({ config, repo: run.push_to_hub, directory: directory.path, trained, library, plan }),
      }),
    },
    plan,
  );
  await showTeaching(events, display, plan);
  await student.policy.saveAdapter(trained);
}

const DEFAULT_SEED = 42;

function planFor(config: TeachConfig, { info }: Policy, world: MaterialsWorld | undefined): TeachPlan {
  const questions = world && [...world.questions("unseen-combination"), ...world.questions("unseen-material")];
  return teachPlan(config, { parameters: info.parameters, ...(questions && { evaluationQuestions: questions }) });
}

async function judgeFor(
  name: string | undefined,
  config: Config,
  { display, signal, onEnd }: CommandFrame,
): Promise<Judge | undefined> {
  if (name === undefined) return undefined;
  const opened = await openJudge(name, config, (sentence) => display.line(sentence), signal);
  onEnd(opened.close);
  return opened.judge;
}

async function printResult({ directory, config }: Prepared, json: boolean): Promise<void> {
  const result = teachResult(await readRunLog(directory.path), directory.path, config.model);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`\n${teachTable(result)}\n`);
}
