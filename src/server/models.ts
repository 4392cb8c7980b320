/** @file The models of a context: the one that learns, and those that teach and criticise. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { MaterialsWorld } from "../agents/environments/index.js";
import {
  createCritic,
  loadExtractiveTeacher,
  loadTextCritic,
  loadWorldCritic,
  loadWorldJudge,
  loadWorldTeacher,
  type PassageStore,
  type Student,
} from "../agents/index.js";
import type { ActiveCorpus, Judge, RunFolder } from "../tools/index.js";
import { type RecipeName, recipeOf } from "../tools/run-settings.js";
import {
  loadChatTemplate,
  loadTokenizer,
  openCheckpointDir,
  openPolicy,
  type Policy,
  resolveModel,
} from "../trainer/index.js";
import type { Config } from "./config.js";

/** Models that this project made have a manifest. */
export function recipeNameOf(model: string): RecipeName {
  return existsSync(join(model, "manifest.json")) ? "nano" : "pretrained";
}

/** Opens model, tokenizer and template; closes the engine again where one of them cannot be used. */
export async function openModel(config: Pick<Config, "model" | "threads" | "hub">, seed: number): Promise<Student> {
  const { threads } = config;
  try {
    const { path: model } = await resolveModel(config.model, config.hub);
    const [tokenizer, template] = await Promise.all([loadTokenizer(model), loadChatTemplate(model)]);
    const { trainable } = recipeOf(recipeNameOf(model));
    const policy = await openPolicy({ model, trainable, seed, ...(threads !== undefined && { threads }) });
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

/** The chat model that a setting names as provider:model, or undefined without one. */
export async function chatModelOf(name: string | undefined): Promise<BaseChatModel | undefined> {
  if (name === undefined) return undefined;
  const { initChatModel } = await import("langchain");
  const colon = name.indexOf(":");
  try {
    return (await initChatModel(name.slice(colon + 1), {
      modelProvider: name.slice(0, colon),
    })) as unknown as BaseChatModel;
  } catch (cause) {
    throw new Error(
      `PREFLEXOR_TEACHER: expected a chat model that LangChain can open, found ${name}: install its provider package and set its key`,
      { cause },
    );
  }
}

/** The teacher that needs no model: the world's, or the extractive one. */
export async function teacherOf(corpus: ActiveCorpus, world: MaterialsWorld): Promise<BaseChatModel> {
  return corpus.kind === "world" ? loadWorldTeacher({ allowed: world.isTrainable }) : loadExtractiveTeacher();
}

/** Passages a retrieval of the world's evidence returns. */
const EVIDENCE_PASSAGES = 3;

export async function judgeOf(
  corpus: ActiveCorpus,
  store: PassageStore,
  configured: BaseChatModel | undefined,
): Promise<Judge> {
  if (corpus.kind === "world") {
    const model = configured ?? (await loadWorldCritic());
    return { critic: () => createCritic({ model }), ...(await loadWorldJudge(store, EVIDENCE_PASSAGES)) };
  }
  const model = configured ?? (await loadTextCritic());
  return { critic: () => createCritic({ model, store }) };
}
