/** @file The model that is evaluated, with what was trained on it, and the one that it is compared with. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { EvaluatedModelFacts, Respondent } from "../agents/index.js";
import { loadChatTemplate, loadTokenizer, openPolicy, type PolicyOptions } from "../trainer/index.js";
import { readAdapterSpec } from "../trainer/run/index.js";
import { trainedKind } from "./base-of-trained.js";
import type { CommandFrame } from "./command-frame.js";
import { type Config, readConfig } from "./config.js";
import type { EvalOptions } from "./eval-plan.js";
import { readStoredReplies, type StoredReplies } from "./eval-replies.js";
import { adapterHash, openModelOf, refuseOtherBase, sayOtherName, type Trained, trainedOf } from "./eval-trained.js";
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

/** Everything that can be checked without weights is checked before an engine starts. */
export async function openEvaluated(options: EvalOptions, frame: CommandFrame): Promise<EvaluatedModel> {
  const config = readConfig();
  const trained = await trainedOf(options, config);
  const against = await againstOf(options.against, trained);
  const { path, name } = await openModelOf(trained, options, config, frame);
  await sayOtherName(trained.adapter, name, frame);
  const other = against.kind === "adapter" ? against.name : undefined;
  const respondent = await openRespondent({ path, adapter: trained.adapter, against: other }, options, config, frame);
  const { info } = respondent.policy;
  for (const adapter of [trained.adapter, other]) await refuseOtherBase(adapter, info.modelHash);
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

/** Another side: an opponent that needs no weights, or what is still to be opened. An adapter shares the engine. */
type Against =
  | { readonly kind: "none" | "base" }
  | { readonly kind: "adapter" | "model"; readonly name: string }
  | (Opponent & { readonly kind: "stored" });

async function againstOf(name: string | undefined, { adapter }: Trained): Promise<Against> {
  if (name === undefined) return { kind: "none" };
  if (name === "base") {
    if (adapter !== undefined) return { kind: "base" };
    throw new Error("--against base: expected an adapter to compare with it: give --adapter, --checkpoint or --run");
  }
  if (name.endsWith(".jsonl")) return { kind: "stored", name, ...(await readStoredReplies(name)) };
  return { kind: (await trainedKind(name)) === "adapter" ? "adapter" : "model", name };
}

async function opponentOf(
  against: Against,
  respondent: Respondent,
  options: EvalOptions,
  config: Config,
  frame: CommandFrame,
): Promise<Opponent | undefined> {
  switch (against.kind) {
    case "none":
      return undefined;
    case "stored":
      return against;
    case "base":
      return { kind: "model", name: "base", sha256: null, respondent: { ...respondent, adapter: "off" } };
    case "adapter": {
      const { name } = against;
      return { kind: "model", name, sha256: await adapterHash(name), respondent: { ...respondent, adapter: AGAINST } };
    }
    case "model": {
      const { name } = against;
      const found = await openDirectory(name, config.hub, frame.display, frame.signal);
      const other = await openRespondent({ path: found.path }, options, config, frame);
      return { kind: "model", name: found.name, sha256: other.policy.info.modelHash, respondent: other };
    }
  }
}

/** Opens the engine and closes it with the command. */
async function openRespondent(
  { path, adapter, against }: { path: string; adapter?: string | undefined; against?: string | undefined },
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
