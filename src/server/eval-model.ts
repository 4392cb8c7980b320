/** @file The model that is evaluated, with what was trained on it, and the one that it is compared with. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { EvaluatedModelFacts, Respondent } from "../agents/index.js";
import { loadChatTemplate, loadTokenizer, openPolicy, type PolicyOptions } from "../trainer/index.js";
import { readAdapterSpec } from "../trainer/run/index.js";
import { baseModelOf, modelOfRun, readJson, trainedKind } from "./base-of-trained.js";
import type { CommandFrame } from "./command-frame.js";
import { type Config, readConfig } from "./config.js";
import type { EvalOptions } from "./eval-plan.js";
import { readStoredReplies, type StoredReplies } from "./eval-replies.js";
import { openDirectory } from "./hub-progress.js";
import { cannotOpen, closeWhenStopped } from "./models.js";

/** Whose replies are compared with: another model's, or those that a file holds. */
export type Opponent =
  | { readonly kind: "model"; readonly name: string; readonly sha256: string | null; readonly respondent: Respondent }
  | { readonly kind: "stored"; readonly name: string; readonly sha256: string; readonly replies: StoredReplies };

export interface EvaluatedModel {
  readonly respondent: Respondent;
  readonly facts: EvaluatedModelFacts;
  /** Directory of the base model. */
  readonly path: string;
  /** An adapter lies on a base, which scores pairs as well. */
  readonly hasBase: boolean;
  readonly opponent: Opponent | undefined;
}

/** Name of the opponent's adapter in the policy. */
const AGAINST = "against";

interface Trained {
  /** What was trained: an adapter of a base, or a whole model. */
  readonly adapter?: string;
  readonly model?: string;
}

/** Everything that can be checked without weights is checked before an engine starts. */
export async function openEvaluated(options: EvalOptions, frame: CommandFrame): Promise<EvaluatedModel> {
  const config = readConfig();
  const trained = await trainedOf(options, config);
  const against = await againstOf(options.against, trained);
  const { path, name } = await openDirectory(trained.model ?? config.model, config.hub, frame.display, frame.signal);
  sayOtherName(trained.adapter, name, await baseNameOf(trained.adapter), frame);
  const respondent = await openRespondent({ path, ...trained, ...against.policy }, options, config, frame);
  const { info } = respondent.policy;
  for (const adapter of [trained.adapter, against.policy.against]) await refuseOtherBase(adapter, info.modelHash);
  return {
    respondent,
    path,
    hasBase: trained.adapter !== undefined,
    facts: {
      name,
      hash: info.modelHash,
      adapter:
        trained.adapter === undefined ? null : { path: trained.adapter, sha256: await adapterHash(trained.adapter) },
      device: info.device,
      precision: info.precision,
      weights: info.rolloutWeights,
    },
    opponent: await opponentOf(against, respondent, options, config, frame),
  };
}

async function trainedOf({ model, adapter, checkpoint, run }: EvalOptions, config: Config): Promise<Trained> {
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

interface Against {
  /** What the one engine needs for it. */
  readonly policy: { readonly against?: string };
  readonly kind: "none" | "base" | "adapter" | "model" | "stored";
  readonly name: string;
}

async function againstOf(name: string | undefined, { adapter }: Trained): Promise<Against> {
  if (name === undefined) return { kind: "none", name: "", policy: {} };
  if (name === "base") {
    if (adapter !== undefined) return { kind: "base", name, policy: {} };
    throw new Error("--against base: expected an adapter to compare with it: give --adapter, --checkpoint or --run");
  }
  if (name.endsWith(".jsonl")) return { kind: "stored", name, policy: {} };
  if ((await trainedKind(name)) === "adapter") return { kind: "adapter", name, policy: { against: name } };
  return { kind: "model", name, policy: {} };
}

async function opponentOf(
  { kind, name }: Against,
  respondent: Respondent,
  options: EvalOptions,
  config: Config,
  frame: CommandFrame,
): Promise<Opponent | undefined> {
  switch (kind) {
    case "none":
      return undefined;
    case "base":
      return { kind: "model", name, sha256: null, respondent: { ...respondent, adapter: "off" } };
    case "adapter":
      return { kind: "model", name, sha256: await adapterHash(name), respondent: { ...respondent, adapter: AGAINST } };
    case "stored":
      return { kind, name, ...(await readStoredReplies(name)) };
    case "model": {
      const found = await openDirectory(name, config.hub, frame.display, frame.signal);
      const other = await openRespondent({ path: found.path }, options, config, frame);
      return { kind, name: found.name, sha256: other.policy.info.modelHash, respondent: other };
    }
  }
}

/** Opens the engine and closes it with the command. */
async function openRespondent(
  { path, adapter, against }: { readonly path: string; readonly adapter?: string; readonly against?: string },
  options: EvalOptions,
  config: Config,
  { display, signal, onEnd }: CommandFrame,
): Promise<Respondent> {
  display.phase(`open ${basename(path)}`, 1);
  const tokenizer = await tokenizerDirectory(path, adapter);
  const threads = options.threads ?? config.threads;
  const opened: PolicyOptions = {
    model: path,
    tokenizer,
    trainable: adapter === undefined ? { kind: "none" } : await readAdapterSpec(adapter),
    seed: 0,
    ...(against !== undefined && { adapters: { [AGAINST]: against } }),
    ...(options.weights !== undefined && { rolloutWeights: options.weights }),
    ...(options.device !== undefined && { device: options.device }),
    ...(threads !== undefined && { threads }),
  };
  const [words, template] = await textOf(tokenizer, path);
  const policy = await openPolicy(opened);
  onEnd(() => policy.close());
  onEnd(closeWhenStopped(policy, signal));
  signal.throwIfAborted();
  if (adapter !== undefined) await policy.loadAdapter(adapter);
  return { policy, tokenizer: words, template };
}

async function textOf(tokenizer: string, model: string) {
  try {
    return await Promise.all([loadTokenizer(tokenizer), loadChatTemplate(model)]);
  } catch (cause) {
    throw cannotOpen(cause);
  }
}

/** An adapter whose training added tokens brings the tokenizer that has them. */
async function tokenizerDirectory(model: string, adapter: string | undefined): Promise<string> {
  const own =
    adapter !== undefined &&
    ["tokenizer.json", "tokenizer_config.json"].every((file) => existsSync(join(adapter, file)));
  return own ? adapter : model;
}

async function adapterHash(adapter: string): Promise<string> {
  const bytes = await readFile(join(adapter, "adapter_model.safetensors"));
  return createHash("sha256").update(bytes).digest("hex");
}

async function baseNameOf(adapter: string | undefined): Promise<string | undefined> {
  if (adapter === undefined) return undefined;
  const name = (await readJson(join(adapter, "adapter_config.json")))?.["base_model_name_or_path"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Names differ also where the model is the same; shapes and hashes are what is refused. */
function sayOtherName(
  adapter: string | undefined,
  model: string,
  named: string | undefined,
  { display }: CommandFrame,
): void {
  const last = (name: string): string => basename(name.replace(/@.*$/, ""));
  if (named === undefined || last(named) === last(model)) return;
  display.line(`note: ${adapter} names ${named} as its base model; it is evaluated on ${model}`);
}

/** A checkpoint knows the hash of the model that it was trained on. */
async function refuseOtherBase(directory: string | undefined, modelHash: string): Promise<void> {
  if (directory === undefined) return;
  const identity = (await readJson(join(directory, "manifest.json")))?.["identity"];
  const base = (identity as { readonly baseModel?: unknown } | undefined)?.baseModel;
  if (typeof base !== "string" || base === modelHash) return;
  throw new Error(
    `${directory} was trained on another base model: expected ${base.slice(0, 12)}, found ${modelHash.slice(0, 12)}; name it with --model`,
  );
}
