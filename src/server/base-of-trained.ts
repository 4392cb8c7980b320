/** @file Which base model a trained directory belongs to, by what the run that made it has kept. */
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf } from "./log.js";
import { KEPT_SETTINGS } from "./train-settings-file.js";

type Json = Readonly<Record<string, unknown>>;

/** The model that a run's own files name: of a training, a teaching or a demo; undefined where there are none. */
export async function modelOfRun(directory: string): Promise<string | undefined> {
  for (const file of [KEPT_SETTINGS, "run.json"]) {
    const kept = await readJson(join(directory, file));
    // A run directory keeps what was asked for apart from what makes it one.
    const named = kept?.["model"] ?? (kept?.["request"] as Json | null | undefined)?.["model"];
    if (typeof named === "string") return named;
  }
  return undefined;
}

/** The settings that the run was started with know the model better than the adapter, which may name it for others. */
export async function baseModelOf(from: string): Promise<string> {
  const kept = await modelOfRun(dirname(resolve(from)));
  if (kept !== undefined) return kept;
  const config = await readJson(join(from, "adapter_config.json"));
  const [name, revision] = [config?.["base_model_name_or_path"], config?.["revision"]];
  if (typeof name === "string" && name !== "") return typeof revision === "string" ? `${name}@${revision}` : name;
  throw new Error(`${from} does not say what its base model is; name it with --model`);
}

/** Opens `named`; where that fails and nobody gave it with --model, the error says where the name is from. */
export async function openBase<T>(
  from: string,
  named: string,
  given: string | undefined,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (given !== undefined) throw cause;
    throw new Error(
      `the base model of ${from} is ${named}, which cannot be opened; name it with --model (${messageOf(cause)})`,
      { cause },
    );
  }
}

export type TrainedKind = "adapter" | "model" | "neither";

export async function trainedKind(directory: string): Promise<TrainedKind> {
  if ((await readJson(join(directory, "adapter_config.json"))) !== undefined) return "adapter";
  return (await readJson(join(directory, "config.json"))) === undefined ? "neither" : "model";
}

/** Undefined where it is missing or no JSON object: what needs the file says so. */
export async function readJson(file: string): Promise<Json | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return typeof value === "object" && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
