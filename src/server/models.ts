/** @file The models of a context: the one that learns, and those that teach and criticise. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { PassageStore } from "../agents/corpus/types.js";
import type { MaterialsWorld } from "../agents/environments/index.js";
import type { Student } from "../agents/student.js";
import type { ActiveCorpus, Judge, RunFolder } from "../tools/index.js";
import { LORA_TARGETS, type TrainableSpec } from "../trainer/index.js";
import { type Config, NANO_MODEL } from "./config.js";

/** The package's model is small enough to train whole; any other gets a LoRA adapter. */
export function trainableOf(model: string): TrainableSpec {
  if (model === NANO_MODEL) return { kind: "full" };
  return { kind: "lora", r: 16, loraAlpha: 32, targetModules: LORA_TARGETS };
}

/** Opens model, tokenizer and template; closes the engine again where one of them cannot be used. */
export async function openModel(config: Pick<Config, "model" | "threads">, seed: number): Promise<Student> {
  const { model, threads } = config;
  const { loadChatTemplate, loadTokenizer, openPolicy } = await import("../trainer/index.js");
  const [tokenizer, template] = await Promise.all([loadTokenizer(model), loadChatTemplate(model)]);
  const trainable = trainableOf(model);
  const policy = await openPolicy({ model, trainable, seed, ...(threads !== undefined && { threads }) });
  return { policy, tokenizer, template };
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
    return (await initChatModel(name.slice(colon + 1), { modelProvider: name.slice(0, colon) })) as unknown as BaseChatModel;
  } catch (cause) {
    throw new Error(`PREFLEXOR_TEACHER: expected a chat model that LangChain can open, found ${name}: install its provider package and set its key`, { cause });
  }
}

/** The teacher that needs no model: the world's, or the extractive one. */
export async function teacherOf(corpus: ActiveCorpus, world: MaterialsWorld): Promise<BaseChatModel> {
  if (corpus.kind === "world") {
    const { createWorldTeacher } = await import("../agents/models/world-teacher.js");
    return createWorldTeacher({ allowed: world.isTrainable });
  }
  const { createExtractiveTeacher } = await import("../agents/models/extractive-teacher.js");
  return createExtractiveTeacher();
}

/** Passages a retrieval of the world's evidence returns. */
const EVIDENCE_PASSAGES = 3;

export async function judgeOf(corpus: ActiveCorpus, store: PassageStore, configured: BaseChatModel | undefined): Promise<Judge> {
  const { createCritic } = await import("../agents/critic.js");
  if (corpus.kind === "world") {
    const { createWorldCritic, worldEvidence, worldScore } = await import("../agents/models/world-critic.js");
    const model = configured ?? createWorldCritic();
    return { critic: () => createCritic({ model }), score: worldScore, evidence: worldEvidence(store, EVIDENCE_PASSAGES) };
  }
  const { createTextCritic } = await import("../agents/models/text-critic.js");
  const model = configured ?? createTextCritic();
  return { critic: () => createCritic({ model, store }) };
}
