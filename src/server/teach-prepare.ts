/** @file What a self-teaching run starts with: settings checked, paths made absolute, its corpus read, its directory made or found again. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type ReadLimits, type ReadOptions, readDocuments } from "../agents/corpus/index.js";
import {
  createRunDirectory,
  openRunDirectory,
  parseTeachConfig,
  type RunDirectory,
  runPath,
  type TeachConfig,
} from "../agents/index.js";
import { type ActiveCorpus, BUILT_IN_WORLD } from "../tools/index.js";
import type { PathGuard } from "../tools/roots.js";
import { teachSettings } from "../tools/run-settings.js";
import { ensureHubRepo } from "../trainer/index.js";
import { checkInputs } from "./check-inputs.js";
import { type Config, readConfig, readConfigWith } from "./config.js";
import { snapshotName } from "./demo-run.js";
import { LEXICAL } from "./eval-judge.js";
import { recipeNameOf } from "./models.js";
import { gatherTeachSettings } from "./teach-sources.js";

export interface TeachRunOptions {
  /** Settings given as flags. */
  readonly flags: Settings;
  readonly config?: string;
  /** What a config file would hold. */
  readonly settings?: Settings;
  /** Which documents may be read; a user's own command may read all. */
  readonly paths?: Pick<PathGuard, "problemOf">;
  readonly limits?: Partial<ReadLimits>;
  readonly resume?: string;
  readonly home?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

type Settings = Readonly<Record<string, unknown>>;

export interface Prepared {
  readonly config: Config;
  readonly teachConfig: TeachConfig;
  readonly directory: RunDirectory;
  /** False where the run was there before. */
  readonly isNew: boolean;
  readonly corpus: ActiveCorpus;
}

/** Everything that can be wrong with the settings is found here, before an engine is started or a directory made. */
export async function prepareTeaching(options: TeachRunOptions, signal: AbortSignal): Promise<Prepared> {
  const resumed = await resumedRun(options);
  const { settings, teachConfig, config, home } = await readTeaching(options, resumed);
  const { run } = teachConfig;
  const path = run.corpus ?? BUILT_IN_WORLD;
  await checkInputs(config, path === BUILT_IN_WORLD ? undefined : path, readOptions(options, signal));
  const corpus = await corpusOf(path, readOptions(options, signal));
  if (run.push_to_hub !== undefined) await ensureHubRepo({ ...config.hub, repo: run.push_to_hub, signal });
  const at = run.output_dir === undefined ? {} : { at: run.output_dir };
  const directory = resumed ?? (await createRunDirectory(home, { kind: "teach", request: settings, ...at }));
  return { config, teachConfig, directory, isNew: resumed === undefined, corpus };
}

const readOptions = ({ paths, limits }: TeachRunOptions, signal: AbortSignal): ReadOptions => ({
  signal,
  limits,
  problemOf: paths?.problemOf,
});

export interface ReadTeaching {
  /** As the run's directory keeps them. */
  readonly settings: Settings;
  readonly teachConfig: TeachConfig;
  readonly config: Config;
  readonly home: string;
}

/** The settings of a run, checked; looks at no document and no model. */
export async function readTeaching(options: TeachRunOptions, resumed?: RunDirectory): Promise<ReadTeaching> {
  const environment = readConfig();
  const home = options.home === undefined ? environment.home : resolve(options.home);
  const { settings, source } = await settingsOf(options, resumed, environment);
  const teachConfig = parseTeachConfig(settings, source);
  return { settings, teachConfig, home, config: { ...configOf(teachConfig.run, environment), home } };
}

/** The run to go on with, where one is named; throws where it is none of this kind. */
export async function resumedRun({
  resume,
  home = readConfig().home,
}: Pick<TeachRunOptions, "resume" | "home">): Promise<RunDirectory | undefined> {
  return resume === undefined ? undefined : openTaught(runPath(resolve(home), resume));
}

async function openTaught(path: string): Promise<RunDirectory> {
  const run = await openRunDirectory(path);
  if (run.kind !== "teach") throw new Error(`${run.path} is a run of ${run.kind}, which teach cannot go on with`);
  return run;
}

/** With paths that hold from any directory, since a run is gone on with from anywhere. */
async function settingsOf(
  { flags, config, settings: given }: TeachRunOptions,
  resumed: RunDirectory | undefined,
  environment: Config,
): Promise<{ readonly settings: Settings; readonly source: string }> {
  const { settings, source } = await gatherTeachSettings({
    flags,
    ...(config !== undefined && { file: config }),
    ...(given !== undefined && { given }),
    ...(resumed && { kept: resumed.request }),
    defaults: (named, corpus = BUILT_IN_WORLD) => teachSettings(recipeNameOf(named), corpus === BUILT_IN_WORLD),
    environment,
  });
  return { settings: Object.fromEntries(Object.entries(settings).map(absolute)), source };
}

function absolute([name, value]: readonly [string, unknown]): [string, unknown] {
  if (typeof value !== "string") return [name, value];
  const isPath =
    name === "adapter" ||
    name === "output_dir" ||
    (name === "corpus" && value !== BUILT_IN_WORLD) ||
    // What is no directory here is the id of a model on the hub.
    (name === "model" && (value.startsWith(".") || existsSync(value)));
  return [name, isPath ? resolve(value) : value];
}

/** The settings of the run over those of the environment, under the same rules. */
function configOf(run: TeachConfig["run"], environment: Config): Config {
  const { model, teacher, judge, threads, offline, teacher_base_url: teacherBaseUrl } = run;
  const config = readConfigWith({
    ...(teacher !== undefined && { teacher }),
    ...(judge !== undefined && judge !== LEXICAL && { judge }),
    ...(teacherBaseUrl !== undefined && { teacherBaseUrl }),
    ...(offline === true && { offline }),
  });
  if (config.offline && run.push_to_hub !== undefined)
    throw new Error("offline and push_to_hub exclude each other: leave one of them out");
  return { ...config, model: model ?? environment.model, ...(threads !== undefined && { threads }) };
}

/** A collection of its own for exactly these documents: a seed then gives the same pairs whatever else was ingested. */
async function corpusOf(path: string, options: ReadOptions): Promise<ActiveCorpus> {
  if (path === BUILT_IN_WORLD) return { kind: "world", path };
  return { kind: "folder", path, collection: snapshotName(await readDocuments(path, options)) };
}
