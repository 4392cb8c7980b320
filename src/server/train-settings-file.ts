/** @file Where the settings of a training come from: a config file, the output directory of an earlier run, and flags over both. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

type Settings = Readonly<Record<string, unknown>>;

export interface SettingSources {
  /** What was given on the command line. */
  readonly flags: Settings;
  /** A config file. */
  readonly config?: string;
  /** The model where none is named. */
  readonly defaultModel: string;
}

/** The file in which a run keeps the settings it was started with, so that a resume needs to name nothing else. */
export const KEPT_SETTINGS = "train_config.json";

/** Of this run only, so not kept for the next. */
const PASSING = ["resume_from_checkpoint", "overwrite_output_dir"];
const PATHS = ["adapter", "pairs", "texts", "eval_pairs", "eval_texts", "output_dir"];

/** All settings, flags first; and what to call their source in errors. */
export async function gatherSettings({ flags, config, defaultModel }: SettingSources): Promise<{
  readonly settings: Settings;
  readonly source: string;
}> {
  const kept = config === undefined ? keptFile(flags) : undefined;
  const file = config ?? kept;
  const fromFile = file === undefined ? {} : await readSettingsFile(file);
  const settings = { model: defaultModel, ...fromFile, ...flags };
  return {
    settings: { ...settings, output_dir: resolve(outputOf(settings)) },
    source: file === undefined ? "train" : `${file} with the command line`,
  };
}

/** Resuming without a config file: what the run was started with. */
function keptFile({ resume_from_checkpoint: resume, output_dir: output }: Settings): string | undefined {
  if (resume === undefined || resume === false) return undefined;
  const directory = typeof resume === "string" ? dirname(resolve(resume)) : output;
  const file = typeof directory === "string" ? join(directory, KEPT_SETTINGS) : undefined;
  return file !== undefined && existsSync(file) ? file : undefined;
}

function outputOf({ output_dir: output, resume_from_checkpoint: resume, model, loss_type: loss }: Settings): string {
  if (output !== undefined) return String(output);
  if (typeof resume === "string") return dirname(resolve(resume));
  // Without a loss the config is refused anyway, by name.
  return `${basename(String(model)).replace(/@.*$/, "")}-${String(loss ?? "run")}`;
}

async function readSettingsFile(file: string): Promise<Settings> {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new Error(`there is no config file ${file}; give a JSON file of settings`, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Settings;
  throw new Error(`${file}: expected a JSON object of settings such as {"loss_type": "orpo"}`);
}

/** Keeps the settings beside the checkpoints, with paths that hold from any directory. */
export async function keepSettings(outputDir: string, settings: Settings, model: string): Promise<void> {
  const entries = Object.entries({ ...settings, model })
    .filter(([name, value]) => !PASSING.includes(name) && value !== undefined)
    .map(([name, value]) => [name, PATHS.includes(name) && typeof value === "string" ? resolve(value) : value]);
  await writeFile(join(outputDir, KEPT_SETTINGS), `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
}
