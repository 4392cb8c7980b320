/** @file Where the settings of a self-teaching run come from: defaults for the model, a config file or the run to go on with, and flags over all. */
import { readFile } from "node:fs/promises";
import { STUDENT_SETTINGS } from "../agents/index.js";
import type { Config } from "./config.js";

type Settings = Readonly<Record<string, unknown>>;

export interface TeachSources {
  /** What was given on the command line. */
  readonly flags: Settings;
  /** A config file. */
  readonly file?: string;
  /** What such a file would hold. */
  readonly given?: Settings;
  /** What the run to go on with was started with; complete. */
  readonly kept?: Settings;
  /** Settings that suit a model and a corpus; undefined: the built-in world. */
  readonly defaults: (model: string, corpus: string | undefined) => Settings;
  readonly environment: Pick<Config, "model" | "threads">;
}

/** All settings, and what to call their source in errors. */
export async function gatherTeachSettings({
  flags,
  file,
  given: inline = {},
  kept,
  defaults,
  environment,
}: TeachSources): Promise<{
  readonly settings: Settings;
  readonly source: string;
}> {
  if (file !== undefined && kept !== undefined)
    throw new Error("--config and --resume exclude each other: a run goes on with the settings it was started with");
  if (kept !== undefined) return { settings: overlay(kept, flags), source: "the run's settings with the command line" };
  const fromFile = file === undefined ? inline : await readSettings(file);
  const given = overlay(fromFile, flags);
  const { corpus } = given;
  const model = typeof given["model"] === "string" ? given["model"] : environment.model;
  const settings = {
    ...(environment.threads !== undefined && { threads: environment.threads }),
    ...onDefaults(defaults(model, typeof corpus === "string" ? corpus : undefined), given),
    model,
  };
  return { settings, source: file === undefined ? "teach" : `${file} with the command line` };
}

async function readSettings(file: string): Promise<Settings> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new Error(`there is no config file ${file}; give a JSON file of settings`, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is no JSON: ${(cause as Error).message}`, { cause });
  }
  if (isSettings(value)) return value;
  throw new Error(`${file}: expected an object of settings, found ${JSON.stringify(value).slice(0, 80)}`);
}

const isSettings = (value: unknown): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What stands on the command line holds for every phase, whatever the phases of the file say. */
function overlay(under: Settings, over: Settings): Settings {
  const { phases } = under;
  const kept = Array.isArray(phases) ? phases.map((phase: unknown) => stripped(phase, over)) : phases;
  return { ...under, ...(kept !== undefined && { phases: kept }), ...over };
}

const stripped = (phase: unknown, over: Settings): unknown =>
  isSettings(phase)
    ? Object.fromEntries(Object.entries(phase).filter(([key]) => !(key in over) || key === "loss_type"))
    : phase;

/** A phase takes what suits its loss from the defaults, unless it or the top level says otherwise. */
function onDefaults(defaults: Settings, given: Settings): Settings {
  const suited = (phase: Settings): Settings => (fromTeacher(given) ? withoutStudent(phase) : phase);
  const known = (defaults["phases"] as readonly Settings[]).map((phase) => suited(stripped(phase, given) as Settings));
  const { phases: wanted = known, ...rest } = withPhases(given);
  const phases = Array.isArray(wanted) ? wanted.map((phase: unknown) => onKnown(known, phase)) : wanted;
  return { ...(given["full_finetuning"] === true ? withoutLora(defaults) : defaults), ...rest, phases };
}

/** A loss alone is a run of one phase. */
function withPhases(given: Settings): Settings {
  const { loss_type: loss, ...rest } = given;
  return loss === undefined || given["phases"] !== undefined ? given : { ...rest, phases: [loss] };
}

const withoutLora = (settings: Settings): Settings =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => !key.startsWith("lora_")));

function onKnown(known: readonly Settings[], phase: unknown): unknown {
  const own = typeof phase === "string" ? { loss_type: phase } : phase;
  if (!isSettings(own)) return phase;
  const found = known.find(({ loss_type }) => loss_type === (own["loss_type"] ?? "orpo")) ?? {};
  return { ...(fromTeacher(own) ? withoutStudent(found) : found), ...own };
}

const fromTeacher = (settings: Settings): boolean => settings["get_rejected_from_trained_model"] === false;

const withoutStudent = (settings: Settings): Settings =>
  Object.fromEntries(Object.entries(settings).filter(([key]) => !STUDENT_SETTINGS.includes(key)));
