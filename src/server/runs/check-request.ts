/** @file What a client may ask of a run: the rules of `preflexor teach`, paths within the roots, and no one that text would be sent to but whom the user named. */
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { readDocuments } from "../../agents/corpus/index.js";
import type { RunDirectory } from "../../agents/index.js";
import { parseModelSpec } from "../../agents/models/model-spec.js";
import { BUILT_IN_WORLD } from "../../tools/index.js";
import type { PathGuard } from "../../tools/roots.js";
import type { EvaluatedNames, TeachRequest } from "../../tools/run-keeper.js";
import { parseModelId, resolveModel } from "../../trainer/index.js";
import { type Config, corpusLimitsOf } from "../config.js";
import { LEXICAL } from "../eval-judge.js";
import { messageOf } from "../log.js";
import { checkModel } from "../models.js";
import { type ReadTeaching, readTeaching } from "../teach-prepare.js";
import { checkTeaching } from "../teaching-models.js";

type Settings = Readonly<Record<string, unknown>>;

export interface CheckParts {
  readonly config: Config;
  readonly paths: PathGuard;
}

export interface CheckedRequest extends ReadTeaching {
  /** Directory of the model; undefined where it is still on the hub. */
  readonly modelPath: string | undefined;
  /** Of the corpus; undefined for the built-in world. */
  readonly documents: number | undefined;
}

/** Throws one error with everything that is wrong, as far as it can be known without fetching anything. */
export async function checkRequest(request: TeachRequest, parts: CheckParts): Promise<CheckedRequest> {
  const { config, paths } = parts;
  const asked: Settings = { ...request.settings, ...request.over };
  const problems = [...noClient(asked, config), ...notForTools(asked, config)];
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const { flags, settings } = await confined(request, paths);
  const read = await readTeaching({ flags, settings, home: config.home, json: false, verbose: false });
  return { ...read, ...(await checkInputs(read, paths)) };
}

/** The same for a run that is there: it may have been started by a user's own command, which is not confined. */
export async function checkRun({ request }: RunDirectory, parts: CheckParts): Promise<void> {
  const problems = [
    ...noClient(request, parts.config),
    ...notForTools({ ...request, output_dir: undefined }, parts.config, "the run has "),
  ];
  if (problems.length > 0)
    throw new Error(`${problems.join("\n")}\nThe user can go on with it: preflexor teach --resume`);
  await confined({ settings: request, over: {} }, parts.paths);
}

/** An evaluation's model and judge, under the same rules. */
export async function checkEvaluation(
  { model, judge }: EvaluatedNames,
  { config, paths }: CheckParts,
): Promise<EvaluatedNames> {
  const problems = notForTools({ judge }, config);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return {
    ...(model !== undefined && { model: isPath(model) ? await paths.readFolder(model) : model }),
    ...(judge !== undefined && { judge }),
  };
}

const NO_CLIENT =
  "a run goes on without its client, so it cannot ask the client's model: give it another teacher in settings (builtin, extractive, self), " +
  "or work step by step: call generate-preference-pair and train-iteration";

const noClient = ({ teacher }: Settings, config: Config): string[] =>
  (teacher ?? config.teacher) === "client" ? [`teacher client: ${NO_CLIENT}`] : [];

const TEXT_LEAVES =
  "text of the corpus would be sent there, which only the user can decide: leave it out, or ask the user to set";

/** Settings that reach beyond this machine or the home are the user's own, in the environment or on the command line. */
function notForTools(asked: Settings, config: Config, prefix = ""): string[] {
  const problems: string[] = [];
  if (asked["output_dir"] !== undefined)
    problems.push(
      `${prefix}output_dir: runs of this server lie below ${config.home}/runs; leave it out, and call export-adapter afterwards`,
    );
  if (asked["push_to_hub"] !== undefined)
    problems.push(
      `${prefix}push_to_hub: publishing is the user's own affair (preflexor teach --push-to-hub); leave it out`,
    );
  const { teacher, judge, teacher_base_url: baseUrl } = asked;
  const named = (value: unknown, own: string | undefined): boolean =>
    value === undefined || value === own || staysHere(value);
  if (!named(teacher, config.teacher))
    problems.push(`${prefix}teacher ${String(teacher)}: ${TEXT_LEAVES} PREFLEXOR_TEACHER`);
  if (!named(judge, config.judge)) problems.push(`${prefix}judge ${String(judge)}: ${TEXT_LEAVES} PREFLEXOR_JUDGE`);
  if (baseUrl !== undefined && baseUrl !== config.teacherBaseUrl)
    problems.push(`${prefix}teacher_base_url: ${TEXT_LEAVES} PREFLEXOR_TEACHER_BASE_URL`);
  return problems;
}

/** What is no model at all is refused later, by those who know all forms. */
function staysHere(value: unknown): boolean {
  if (value === LEXICAL || typeof value !== "string") return true;
  try {
    return parseModelSpec(value).kind !== "provider";
  } catch {
    return true;
  }
}

/** Paths of the request, looked at by the guard; a name without a separator that is no file is a hub id or a word. */
async function confined(
  { settings, over }: TeachRequest,
  paths: PathGuard,
): Promise<{ flags: Settings; settings: Settings }> {
  const [checked, flags] = await Promise.all([settings, over].map((part) => confinedPart(part, paths)));
  return { settings: checked as Settings, flags: flags as Settings };
}

async function confinedPart(part: Settings, paths: PathGuard): Promise<Settings> {
  const { corpus, model, adapter, teacher, judge } = part;
  const out: Record<string, unknown> = { ...part };
  if (typeof corpus === "string" && corpus !== BUILT_IN_WORLD) out["corpus"] = await paths.read(corpus);
  if (typeof model === "string" && isPath(model)) out["model"] = await paths.readFolder(model);
  if (typeof adapter === "string") out["adapter"] = await paths.readFolder(adapter);
  for (const spec of [teacher, judge]) {
    const checkpoint = typeof spec === "string" ? /^preflexor:(.+)$/.exec(spec)?.[1] : undefined;
    if (checkpoint !== undefined && isPath(checkpoint)) await paths.readFolder(checkpoint);
  }
  return out;
}

/** Also where a folder of that name lies here: "owner/name" may be one. */
const isPath = (model: string): boolean =>
  isAbsolute(model) || /^[.~]/.test(model) || parseModelId(model) === undefined || existsSync(model);

async function checkInputs(
  { config, teachConfig }: ReadTeaching,
  { problemOf }: PathGuard,
): Promise<Pick<CheckedRequest, "modelPath" | "documents">> {
  const { corpus = BUILT_IN_WORLD } = teachConfig.run;
  const hub = { ...config.hub, localFilesOnly: true };
  const here = await resolveModel(config.model, hub).catch(() => undefined);
  const checks = await Promise.allSettled([
    corpus === BUILT_IN_WORLD ? undefined : readDocuments(corpus, { problemOf, limits: corpusLimitsOf(config) }),
    // What is on the hub is fetched by the run itself, which may take long; offline it has to be here.
    here === undefined && parseModelId(config.model) !== undefined && !config.offline
      ? undefined
      : checkModel({ ...config, hub }),
    checkTeaching(config),
  ]);
  const failures = checks.flatMap((check) => (check.status === "rejected" ? [messageOf(check.reason)] : []));
  if (failures.length > 0) throw new Error(failures.join("\n"));
  const [documents] = checks;
  return {
    modelPath: here?.path,
    documents: documents.status === "fulfilled" ? documents.value?.length : undefined,
  };
}
