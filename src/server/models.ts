/** @file The model that learns, opened and closed, and how its thinking is judged. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { createCritic, loadWorldJudge, type PassageStore, type Student } from "../agents/index.js";
import type { ActiveCorpus, Judge, RunFolder } from "../tools/index.js";
import { type RecipeName, recipeOf } from "../tools/run-settings.js";
import {
  loadChatTemplate,
  loadTokenizer,
  openCheckpointDir,
  openPolicy,
  type Policy,
  type PolicyOptions,
  resolveModel,
} from "../trainer/index.js";
import type { Config } from "./config.js";

/** Models that this project made have a manifest. */
export function recipeNameOf(model: string): RecipeName {
  return existsSync(join(model, "manifest.json")) ? "nano" : "pretrained";
}

/** Opens model, tokenizer and template, by default to train what the recipe says; closes the engine again where one of them cannot be used. */
export async function openModel(
  config: Pick<Config, "model" | "threads" | "hub">,
  seed: number,
  options: Partial<PolicyOptions> = {},
): Promise<Student> {
  const { threads } = config;
  try {
    const { path: model } = await resolveModel(config.model, config.hub);
    const [tokenizer, template] = await Promise.all([loadTokenizer(model), loadChatTemplate(model)]);
    const { trainable } = recipeOf(recipeNameOf(model));
    const policy = await openPolicy({ model, trainable, seed, ...(threads !== undefined && { threads }), ...options });
    return { policy, tokenizer, template };
  } catch (cause) {
    throw cannotOpen(cause);
  }
}

/** Throws where the directory's weights, tokenizer or template cannot be used; starts no engine. */
export async function checkModel(config: Pick<Config, "model" | "hub">): Promise<void> {
  try {
    const { path: model } = await resolveModel(config.model, config.hub);
    await openCheckpointDir(model);
    await Promise.all([loadTokenizer(model), loadChatTemplate(model)]);
  } catch (cause) {
    throw cannotOpen(cause);
  }
}

/** How long work under way may go on when the user stops it; a step of a large model takes longer. */
const STOP_GRACE_MS = 1500;

/** Closes the policy soon after `signal` is aborted, whatever it is doing. Returns how to call this off. */
export function closeWhenStopped(policy: Policy, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    timer = setTimeout(() => void policy.close(), STOP_GRACE_MS);
  };
  signal.addEventListener("abort", stop, { once: true });
  return () => {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
  };
}

/** One message with the reason and what to do; for the server and the demo. */
export function cannotOpen(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const advice =
    "Expected is a Hugging Face directory of an instruct model, or a hub id: name one with PREFLEXOR_MODEL (demo: --model), or with neither use the package's own.";
  const between = reason.includes("\n") ? "\n" : ". ";
  return new Error(`the model cannot be opened: ${reason}${between}${advice}`, { cause });
}

/** The model, continued from the run's last checkpoint. */
export async function openStudent(config: Config, run: RunFolder): Promise<Student> {
  const student = await openModel(config, 0);
  try {
    const checkpoint = await run.latestCheckpoint();
    if (checkpoint !== undefined) await student.policy.loadCheckpoint(checkpoint);
    return student;
  } catch (error) {
    await student.policy.close();
    throw error;
  }
}

/** Passages a retrieval of the world's evidence returns. */
const EVIDENCE_PASSAGES = 3;

/** How the critic's model judges thinking: by the world's evidence, or by what is nearest. */
export async function judgeOf(corpus: ActiveCorpus, store: PassageStore, model: BaseChatModel): Promise<Judge> {
  if (corpus.kind !== "world") return { critic: () => createCritic({ model, store }) };
  return { critic: () => createCritic({ model }), ...(await loadWorldJudge(store, EVIDENCE_PASSAGES)) };
}
