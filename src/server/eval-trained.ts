/** @file What was trained and is to be evaluated: an adapter on its base, or a whole model; and whether the base is the right one. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { baseModelOf, modelOfRun, openBase, readJson, trainedKind } from "./base-of-trained.js";
import type { CommandFrame } from "./command-frame.js";
import type { Config } from "./config.js";
import type { EvalOptions } from "./eval-plan.js";
import { openDirectory } from "./hub-progress.js";

/** What was trained: an adapter on a base, or a whole model. */
export interface Trained {
  readonly adapter?: string;
  readonly model: string;
}

export async function trainedOf(
  { model, adapter, checkpoint, run }: Pick<EvalOptions, "model" | "adapter" | "checkpoint" | "run">,
  config: Config,
): Promise<Trained> {
  const from = adapter ?? checkpoint ?? (run === undefined ? undefined : await trainedInRun(run));
  if (from === undefined) return { model: model ?? config.model };
  const kind = await trainedKind(from);
  if (kind === "neither") {
    throw new Error(`${from} is neither an adapter nor a model: it has no adapter_config.json and no config.json`);
  }
  if (kind === "model") return { model: from };
  const base = model ?? (run === undefined ? undefined : await modelOfRun(run)) ?? (await knownBase(from));
  return { adapter: from, model: base ?? config.model };
}

export function openModelOf({ adapter, model }: Trained, options: EvalOptions, config: Config, frame: CommandFrame) {
  const open = () => openDirectory(model, config.hub, frame.display, frame.signal);
  return adapter === undefined ? open() : openBase(adapter, model, options.model, open);
}

/** The base that the adapter's files lead to, where it can be found here. */
async function knownBase(adapter: string): Promise<string | undefined> {
  const named = await baseModelOf(adapter).catch(() => undefined);
  return named !== undefined && (existsSync(named) || named.includes("/")) ? named : undefined;
}

/** What a finished run left, or the newest checkpoint of one that is under way. */
async function trainedInRun(run: string): Promise<string> {
  const names = await readdir(run).catch((cause: unknown) => {
    throw new Error(`--run: there is no run directory ${run}`, { cause });
  });
  const finished = ["adapter", "model"].find((name) => names.includes(name));
  if (finished !== undefined) return join(run, finished);
  const steps = names.flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  if (steps.length > 0) return join(run, `checkpoint-${Math.max(...steps)}`);
  throw new Error(`--run: ${run} holds nothing trained: expected adapter, model or checkpoint-<step>`);
}

export async function adapterHash(adapter: string): Promise<string> {
  const bytes = await readFile(join(adapter, "adapter_model.safetensors"));
  return createHash("sha256").update(bytes).digest("hex");
}

async function baseNameOf(adapter: string | undefined): Promise<string | undefined> {
  if (adapter === undefined) return undefined;
  const name = (await readJson(join(adapter, "adapter_config.json")))?.["base_model_name_or_path"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Says where an adapter names another base. Names differ also where the model is the same; shapes and hashes are what is refused. */
export async function sayOtherName(
  adapter: string | undefined,
  model: string,
  { display }: CommandFrame,
): Promise<void> {
  const named = await baseNameOf(adapter);
  const last = (name: string): string => basename(name.replace(/@.*$/, ""));
  if (named === undefined || last(named) === last(model)) return;
  display.line(`note: ${adapter} names ${named} as its base model; it is evaluated on ${model}`);
}

/** A checkpoint knows the hash of the model that it was trained on. */
export async function refuseOtherBase(directory: string | undefined, modelHash: string): Promise<void> {
  if (directory === undefined) return;
  const identity = (await readJson(join(directory, "manifest.json")))?.["identity"];
  const base = (identity as { readonly baseModel?: unknown } | undefined)?.baseModel;
  if (typeof base !== "string" || base === modelHash) return;
  throw new Error(
    `${directory} was trained on another base model: expected ${base.slice(0, 12)}, found ${modelHash.slice(0, 12)}; name it with --model`,
  );
}
