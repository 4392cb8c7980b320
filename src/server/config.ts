/** @file Settings from the environment; the only file that reads process.env. */
import { homedir } from "node:os";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseModelId } from "../trainer/index.js";
import { nearest } from "../trainer/text/nearest.js";
import { type HubSettings, hubSettings } from "./hub-settings.js";
import { isHttpUrl, type ModelSettings, modelSettings } from "./model-settings.js";

export interface Config extends ModelSettings {
  /** Where corpora and runs live; absolute. */
  readonly home: string;
  /** A Hugging Face checkpoint directory, or the id of a model on the hub. */
  readonly model: string;
  readonly hub: HubSettings;
  /** Of a Chroma server that somebody else runs; without it the product starts its own. */
  readonly chromaUrl?: string;
  readonly threads?: number;
  /** A sentence-transformers directory, or its id on the hub: finds passages by meaning instead of by words. */
  readonly embeddingModel?: string;
  /** Folders below which tools may read; without them those of `defaultRoots`. */
  readonly roots?: readonly string[];
  /** Bytes of the documents of one ingest. */
  readonly maxCorpusBytes?: number;
  /** Whole self-teaching runs at once. Default 1: each takes the memory and the cores of a training. */
  readonly maxRuns?: number;
  /** What clients of `preflexor api` must send. */
  readonly apiKey?: string;
  /** What clients of `preflexor serve --http` must send. */
  readonly token?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The small model that comes with the package. */
export const NANO_MODEL = fileURLToPath(new URL("../../models/nano", import.meta.url));

/** The folder where this platform keeps a user's application data. */
export function dataFolder(env: Environment, platform: NodeJS.Platform, userHome: string): string {
  if (platform === "win32") return join(env["LOCALAPPDATA"] || join(userHome, "AppData", "Local"), "preflexor");
  if (platform === "darwin") return join(userHome, "Library", "Application Support", "preflexor");
  const xdg = env["XDG_DATA_HOME"];
  // The XDG specification says to ignore a relative path.
  return join(xdg && isAbsolute(xdg) ? xdg : join(userHome, ".local", "share"), "preflexor");
}

/** Throws one error that lists every problem, each with the variable, what was expected and what was found. */
export function readConfig(
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  userHome: string = homedir(),
): Config {
  const problems: string[] = [];
  /** The variable's value where it is set and good; an empty variable counts as not set. */
  const take = (name: string, expected: string, good: (text: string) => boolean): string | undefined => {
    const text = env[name];
    if (text === undefined || text === "") return undefined;
    if (good(text)) return text;
    problems.push(`${name}: expected ${expected}, found ${JSON.stringify(text)}`);
    return undefined;
  };
  const home = take("PREFLEXOR_HOME", "an absolute path", isAbsolute) ?? dataFolder(env, platform, userHome);
  const isModel = (text: string): boolean => isAbsolute(text) || parseModelId(text) !== undefined;
  const model = take("PREFLEXOR_MODEL", "the absolute path of a model directory, or owner/name", isModel) ?? NANO_MODEL;
  const hub = hubSettings(env, userHome, problems);
  const chromaUrl = take("PREFLEXOR_CHROMA_URL", "an http or https URL", isHttpUrl);
  const threads = take(
    "PREFLEXOR_THREADS",
    "a whole number from 1 to 256",
    (t) => /^\d+$/.test(t) && +t >= 1 && +t <= 256,
  );
  const embeddingModel = take(
    "PREFLEXOR_EMBEDDING_MODEL",
    "the absolute path of a sentence-transformers directory, or owner/name",
    isModel,
  );
  const roots = take(
    "PREFLEXOR_ROOTS",
    `absolute paths of folders, joined by "${delimiter}", none of them a whole file system`,
    (text) =>
      rootsOf(text).length > 0 &&
      rootsOf(text).every((path) => isAbsolute(path) && dirname(resolve(path)) !== resolve(path)),
  );
  const corpusMb = take("PREFLEXOR_MAX_CORPUS_MB", "a whole number from 1 to 16384", wholeWithin(16384));
  const maxRuns = take("PREFLEXOR_MAX_RUNS", "a whole number from 1 to 16", wholeWithin(16));
  const models = modelSettings(env, take, problems);
  for (const name of unknownSettings(env)) problems.push(`${name}: no such setting${guessOf(name)}`);
  if (problems.length > 0)
    throw new Error(`the environment has ${problems.length} problem(s):\n  ${problems.join("\n  ")}`);
  return {
    home,
    model,
    hub: { ...hub, localFilesOnly: models.offline || hub.localFilesOnly === true },
    ...models,
    ...(chromaUrl !== undefined && { chromaUrl }),
    ...(threads !== undefined && { threads: Number(threads) }),
    ...(embeddingModel !== undefined && { embeddingModel }),
    ...(roots !== undefined && { roots: rootsOf(roots).map((path) => resolve(path)) }),
    ...(corpusMb !== undefined && { maxCorpusBytes: Number(corpusMb) * 2 ** 20 }),
    ...(maxRuns !== undefined && { maxRuns: Number(maxRuns) }),
    // Not checked here: the message of a problem shows what was found.
    ...(env["PREFLEXOR_API_KEY"] && { apiKey: env["PREFLEXOR_API_KEY"] }),
    ...(env["PREFLEXOR_TOKEN"] && { token: env["PREFLEXOR_TOKEN"] }),
  };
}

const rootsOf = (text: string): string[] => text.split(delimiter).filter((path) => path !== "");
const wholeWithin =
  (most: number) =>
  (text: string): boolean =>
    /^\d+$/.test(text) && +text >= 1 && +text <= most;

/** What is left at its default is absent. */
export const corpusLimitsOf = ({ maxCorpusBytes }: Pick<Config, "maxCorpusBytes">): { totalBytes?: number } =>
  maxCorpusBytes === undefined ? {} : { totalBytes: maxCorpusBytes };

/** Flags of the command line over the environment, checked by the same rules. A problem names the variable of the flag. */
export function readConfigWith(flags: Partial<ModelSettings>, env: Environment = process.env): Config {
  const { teacher, critic, judge, teacherBaseUrl, offline } = flags;
  const named = {
    PREFLEXOR_TEACHER: teacher,
    PREFLEXOR_CRITIC: critic,
    PREFLEXOR_JUDGE: judge,
    PREFLEXOR_TEACHER_BASE_URL: teacherBaseUrl,
    PREFLEXOR_OFFLINE: offline === true ? "1" : undefined,
  };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return readConfig({ ...env, ...Object.fromEntries(given) });
}

/** Values of variables whose names say that they are secret, such as OPENAI_API_KEY and HF_TOKEN: no log may hold them. */
export function environmentSecrets(env: Environment = process.env): readonly string[] {
  const isSecret = (name: string): boolean => /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$/i.test(name);
  return Object.entries(env).flatMap(([name, value]) => (value && isSecret(name) ? [value] : []));
}

const SETTINGS = [
  "PREFLEXOR_HOME",
  "PREFLEXOR_MODEL",
  "PREFLEXOR_CHROMA_URL",
  "PREFLEXOR_THREADS",
  "PREFLEXOR_TEACHER",
  "PREFLEXOR_CRITIC",
  "PREFLEXOR_JUDGE",
  "PREFLEXOR_TEACHER_BASE_URL",
  "PREFLEXOR_OFFLINE",
  "PREFLEXOR_EMBEDDING_MODEL",
  "PREFLEXOR_API_KEY",
  "PREFLEXOR_TOKEN",
  "PREFLEXOR_ROOTS",
  "PREFLEXOR_MAX_CORPUS_MB",
  "PREFLEXOR_MAX_RUNS",
];

function guessOf(name: string): string {
  const guess = nearest(name, SETTINGS);
  return guess === undefined ? ` (known: ${SETTINGS.join(", ")})` : `: did you mean ${guess}?`;
}

function unknownSettings(env: Environment): string[] {
  return Object.keys(env).filter((name) => name.startsWith("PREFLEXOR_") && !SETTINGS.includes(name));
}
