/** @file The steps of the demo, in order; knows nothing of the terminal. */
import { basename, join } from "node:path";
import { drawPassages, readDocuments } from "../agents/corpus/index.js";
import type { Environment } from "../agents/environments/index.js";
import {
  createTaskGenerator,
  openActivityLog,
  type PassageStore,
  parseTeachConfig,
  type RunLog,
  readRunLog,
  recursiveReason,
  type Student,
  type TeachPlan,
  teach,
  teachPlan,
} from "../agents/index.js";
import { createRng } from "../agents/rng.js";
import type { ActiveCorpus } from "../tools/index.js";
import { writeWhole } from "../tools/index.js";
import { ingestCorpus } from "../tools/ingest.js";
import { replayOf } from "../tools/replay.js";
import { type Recipe, reasoningSampling, recipeOf } from "../tools/run-settings.js";
import { runReport } from "../tools/views/index.js";
import type { ServerContext } from "./create-context.js";
import type { Display } from "./demo-display.js";
import {
  accuracyChange,
  changesByType,
  closingTable,
  type DemoReasoning,
  type DemoResult,
  endsOf,
  preferenceChange,
} from "./demo-result.js";
import { type DemoRun, homeOf, snapshotName } from "./demo-run.js";
import { closeWhenStopped, judgeOf, openModel } from "./models.js";
import { reportHtml } from "./page/index.js";
import { toldIn } from "./teach-activity.js";
import { showEvent } from "./teach-display.js";
import { type TeachingModels, teachingModels } from "./teaching-models.js";

export interface FlowOptions {
  readonly context: ServerContext;
  readonly run: DemoRun;
  readonly display: Display;
  readonly signal: AbortSignal;
}

export interface Finished {
  readonly result: DemoResult;
  readonly reasoning: DemoReasoning;
}

/** Throws where a step fails or `signal` is aborted; what was made until then stays in the run directory. */
export async function demoFlow(options: FlowOptions): Promise<Finished> {
  const { context, run, display, signal } = options;
  const started = performance.now();
  const corpus = await corpusOf(options);
  const store = await ingestPhase(options, corpus);
  display.phase("open the model", 1);
  const student = await openModel(context.config, run.request.seed);
  const stay = closeWhenStopped(student.policy, signal);
  const models = teachingModels(context.config, {
    world: context.world,
    student: async () => student,
    signal,
    onNotice: (sentence) => display.line(`  ${sentence}`),
  });
  try {
    signal.throwIfAborted();
    const log = await teachPhase(options, { student, store, corpus, models });
    await student.policy.saveAdapter(run.folder.adapterDirectory);
    const reasoning = await reasonPhase(options, { student, store, corpus, models });
    const seconds = Math.round((performance.now() - started) / 10) / 100;
    const result = resultOf(options, { log, student, store, seconds });
    await writeReport(options, result, reasoning);
    return { result, reasoning };
  } finally {
    stay();
    await models.close();
    await student.policy.close();
  }
}

/** A collection of its own for exactly these documents: a seed then gives the same pairs whatever else was ingested. */
async function corpusOf({ context, run, signal }: FlowOptions): Promise<ActiveCorpus> {
  const { corpus } = run.request;
  if (corpus === null)
    return { kind: "world", path: "materials-world", collection: snapshotName((await context.world()).documents) };
  return { kind: "folder", path: corpus, collection: snapshotName(await readDocuments(corpus, { signal })) };
}

async function ingestPhase({ context, display, signal }: FlowOptions, corpus: ActiveCorpus): Promise<PassageStore> {
  display.phase("ingest the corpus", 100);
  // The demo leaves the corpus that the user's assistant works on as it is.
  const activate = async (): Promise<void> => {
    if ((await context.activeCorpus()) === undefined) await context.activate(corpus);
  };
  const { openCorpus, world } = context;
  const { passages, documents } = await ingestCorpus({ openCorpus, world, activate }, corpus, {
    signal,
    onProgress: display.progress,
  });
  display.line(`  ${documents} document(s), ${passages} passage(s)`);
  return openCorpus(corpus);
}

interface Opened {
  readonly student: Student;
  readonly store: PassageStore;
  readonly corpus: ActiveCorpus;
  readonly models: TeachingModels;
}

/** Environment, and recipe for what is trained. */
async function settingsOf(
  { context }: FlowOptions,
  corpus: ActiveCorpus,
): Promise<{ environment: Environment | undefined; recipe: Recipe }> {
  return {
    environment: corpus.kind === "world" ? await context.world() : undefined,
    recipe: recipeOf(context.recipe),
  };
}

async function teachPhase(options: FlowOptions, { student, store, corpus, models }: Opened): Promise<RunLog> {
  const { run, display, signal } = options;
  const { environment, recipe } = await settingsOf(options, corpus);
  const teacher = await models.open("teacher", corpus);
  const replay = replayOf(student, environment);
  const { directory } = run.folder;
  const plan = planOf(run, recipe, environment, student.policy.info.parameters);
  const teaching = teach(
    {
      ...student,
      store,
      teacher,
      directory,
      signal,
      ...(environment && { environment }),
      ...(replay && { replay }),
    },
    plan,
  );
  const activity = await openActivityLog(directory);
  try {
    for await (const event of toldIn(activity, teaching)) showEvent(event, display, run.request.rounds);
  } finally {
    await activity.close();
  }
  return readRunLog(directory);
}

/** The first phase of the recipe, as many rounds and pairs as were asked for. */
function planOf(
  { request }: DemoRun,
  recipe: Recipe,
  environment: Environment | undefined,
  parameters: number,
): TeachPlan {
  const questions = environment && [
    ...environment.questions("unseen-combination"),
    ...environment.questions("unseen-material"),
  ];
  const { phases, ...settings } = recipe.settings as { phases: readonly [Readonly<Record<string, unknown>>] };
  const phase = { ...phases[0], iterations: request.rounds, topics: request.pairs };
  const config = parseTeachConfig({
    ...settings,
    phases: [phase],
    seed: request.seed,
    roll_back: false,
    held_out_pairs: environment === undefined ? recipe.heldOutPairs : 0,
    ...(environment === undefined && { replay_share: 0 }),
  });
  return teachPlan(config, { parameters, ...(questions && { evaluationQuestions: questions }) });
}

const REASONING_ROUNDS = 2;
/** Most answers need no second round: so many held-out questions are looked through for one where the critic has something to do. */
const REASONING_QUESTIONS = 24;

async function reasonPhase(options: FlowOptions, opened: Opened): Promise<DemoReasoning> {
  const { run, display, signal } = options;
  const { student, store, corpus, models } = opened;
  const { recipe } = await settingsOf(options, corpus);
  const judge = await judgeOf(corpus, store, await models.open("critic", corpus));
  const questions = await questionsOf(options, opened);
  display.phase("reason recursively", questions.length);
  let shown: DemoReasoning | undefined;
  for (const [i, question] of questions.entries()) {
    const plan = { question, rounds: REASONING_ROUNDS, sampling: reasoningSampling(recipe), seed: run.request.seed };
    const { answer, rounds } = await lastOf(recursiveReason({ ...student, ...judge, store }, plan, signal));
    const last = rounds.length > 1 ? questions.length : i + 1;
    display.progress(last, questions.length, `score ${rounds.map(({ score }) => score.toFixed(2)).join(" → ")}`);
    shown ??= { question, answer, rounds };
    if (rounds.length > 1) return { question, answer, rounds };
  }
  if (shown === undefined) throw new Error("internal: the demo has no question to reason about");
  return shown;
}

async function lastOf<T>(events: AsyncGenerator<unknown, T>): Promise<T> {
  for (;;) {
    const { value, done } = await events.next();
    if (done === true) return value as T;
  }
}

/** Held-out questions of the environment, or a new one about the corpus, drawn by the seed. */
async function questionsOf(
  { context, run, signal }: FlowOptions,
  { store, corpus, models }: Opened,
): Promise<readonly string[]> {
  const rng = createRng(run.request.seed, "demo-question");
  if (corpus.kind === "world") {
    const held = (await context.world()).questions("unseen-combination");
    return rng.shuffle(held.map(({ text }) => text)).slice(0, REASONING_QUESTIONS);
  }
  const variation = rng.int(2 ** 31);
  const generator = await createTaskGenerator({ model: await models.open("teacher", corpus), store });
  const passages = await drawPassages(store, { k: 3, seed: variation });
  return [(await generator.generate({ passages, variation }, signal)).question];
}

function resultOf(
  { context, run }: FlowOptions,
  { log, student, store, seconds }: { log: RunLog; student: Student; store: PassageStore; seconds: number },
): DemoResult {
  const { path, parameters, trainedParameters } = { path: student.policy.info.model, ...student.policy.info };
  const { name, version } = store.description;
  return {
    seconds,
    seed: run.request.seed,
    pairs: log.pairs,
    steps: log.steps.length,
    loss: endsOf(log, "loss"),
    rewardMargin: endsOf(log, "rewards/margins"),
    accuracy: accuracyChange(log, "unseen-combination"),
    unseenMaterials: accuracyChange(log, "unseen-material"),
    byType: changesByType(log),
    preferenceAccuracy: preferenceChange(log),
    failures: log.failures,
    store: { name, version },
    model: { path, parameters, trainedParameters, recipe: context.recipe },
    runDir: run.folder.directory,
    checkpoint: `checkpoint-${log.steps.at(-1)?.step ?? 0}`,
  };
}

async function writeReport({ run, display }: FlowOptions, result: DemoResult, reasoning: DemoReasoning): Promise<void> {
  display.phase("write the report", 1);
  const { directory } = run.folder;
  await writeWhole(join(directory, "summary.json"), `${JSON.stringify({ ...result, reasoning }, null, 2)}\n`);
  const home = homeOf(directory);
  if (home === undefined) {
    display.line("  no report.html: reports are made of runs in a folder “runs”, which this one has left");
    return;
  }
  const report = await runReport(home, basename(directory));
  // It still holds its lock, but what is told of it is its end.
  const { activity: _, ...ended } = report.run;
  const html = await reportHtml({
    ...report,
    title: `Self-teaching run, seed ${run.request.seed}`,
    run: { ...ended, status: "completed", table: closingTable(result) },
  });
  await writeWhole(join(directory, "report.html"), html);
}
