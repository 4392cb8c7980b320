/** @file The one place that opens the chat model of a teacher, critic, judge or agent from what a user wrote. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { type HubOptions, resolveModel } from "../../trainer/index.js";
import { type Disclosure, disclosureOf, refuseOffline } from "./disclosure.js";
import { type ModelRole, type ModelSpec, parseModelSpec, specText } from "./model-spec.js";
import type { PlainTextModel } from "./plain-text-model.js";
import type { ProgrammaticChatModel } from "./programmatic-chat-model.js";
import type { SamplingClient } from "./sampling-chat-model.js";

export interface OpenChatModelOptions {
  readonly role: ModelRole;
  /** What `builtin` stands for here: the environment's model, or the one for any text. */
  readonly builtin: () => Promise<BaseChatModel>;
  /** The model that learns, for `self`; whoever opened it closes it. */
  readonly self?: PlainTextModel;
  /** Whose questions are taken where those of a model that is asked in plain text cannot be used. */
  readonly fallbackQuestions?: ProgrammaticChatModel;
  /** False takes no other questions: for environments that know only their own. Default true. */
  readonly ownQuestions?: boolean;
  /** The connected MCP client, for `client`. */
  readonly client?: SamplingClient;
  /** Of the server that `openai:` models without a URL of their own are served by. */
  readonly baseUrl?: string;
  /** Refuses whatever would send text, or ask the hub. */
  readonly offline?: boolean;
  /** Where a checkpoint's hub id is looked for. */
  readonly hub?: HubOptions;
  readonly threads?: number;
  /** Left out: what the model's own provider does. */
  readonly temperature?: number;
  /** Told in one sentence what leaves this machine, and where it goes, before anything does. */
  readonly onNotice?: (sentence: string) => void;
  readonly signal?: AbortSignal;
}

export interface OpenedChatModel {
  readonly model: BaseChatModel;
  /** The spec as it was read. */
  readonly spec: string;
  readonly disclosure: Disclosure;
  /** Closes what was opened for it; what was passed in stays open. */
  close(): Promise<void>;
}

/** Throws with what was expected where the spec names nothing that can do the role here; nothing stays open then. */
export async function openChatModel(text: string, options: OpenChatModelOptions): Promise<OpenedChatModel> {
  const { role, baseUrl, client, offline = false, onNotice } = options;
  const spec = parseModelSpec(text);
  const disclosure = disclosureOf(spec, {
    role,
    ...(baseUrl !== undefined && { baseUrl }),
    ...(client && { client: client.name }),
  });
  if (offline) refuseOffline(disclosure);
  const { model, close = async () => {} } = await modelOf(spec, options);
  if (disclosure.leaves) onNotice?.(disclosure.sentence);
  return { model, spec: specText(spec), disclosure, close };
}

interface Opened {
  readonly model: BaseChatModel;
  readonly close?: () => Promise<void>;
}

async function modelOf(spec: ModelSpec, options: OpenChatModelOptions): Promise<Opened> {
  switch (spec.kind) {
    case "builtin":
      return { model: await options.builtin() };
    case "extractive":
      return { model: await extractive(options.role) };
    case "self":
      return { model: await selfModel(options) };
    case "client":
      return { model: await samplingModel(options) };
    case "checkpoint":
      return openCheckpoint(spec.model, options);
    case "provider": {
      const { openProviderChatModel } = await import("./provider-chat-model.js");
      return { model: await openProviderChatModel(spec, options) };
    }
  }
}

const SUCH_AS = "such as builtin or <provider>:<model>";

async function extractive(role: ModelRole): Promise<BaseChatModel> {
  if (role === "teacher") return (await import("./extractive-teacher.js")).createExtractiveTeacher();
  if (role === "critic") return (await import("./text-critic.js")).createTextCritic();
  if (role === "agent") throw new Error(`extractive: it calls no tools; expected another agent, ${SUCH_AS}`);
  throw new Error("extractive: it compares no answers; expected another judge, such as self or <provider>:<model>");
}

async function selfModel(options: OpenChatModelOptions): Promise<BaseChatModel> {
  const { role, self } = options;
  if (self === undefined) throw new Error(`self: there is no model that learns here; expected another ${role}`);
  if (role === "agent") throw new Error(`self: the model that learns plans no run; expected another agent, ${SUCH_AS}`);
  if (role === "judge")
    throw new Error("self: a model's judgement of its own answers proves nothing; expected another judge");
  return inPlainText(self, options);
}

/** A small model has no tool calls and no reliable JSON: it is asked for one field after the other. */
async function inPlainText(
  model: PlainTextModel,
  { role, fallbackQuestions, ownQuestions }: OpenChatModelOptions,
  name?: string,
): Promise<BaseChatModel> {
  const common = { model, ...(name !== undefined && { name }) };
  if (role === "critic") return (await import("./self-critic.js")).createSelfCritic(common);
  const { createSelfTeacher } = await import("./self-teacher.js");
  return createSelfTeacher({
    ...common,
    ...(fallbackQuestions !== undefined && { fallbackQuestions }),
    ...(ownQuestions !== undefined && { ownQuestions }),
  });
}

async function samplingModel({ role, client, temperature }: OpenChatModelOptions): Promise<BaseChatModel> {
  if (client === undefined) {
    throw new Error(
      `client: there is no MCP client here, only the MCP server has one; expected another ${role}, such as builtin or <provider>:<model>`,
    );
  }
  const { SamplingChatModel } = await import("./sampling-chat-model.js");
  return new SamplingChatModel({ client, ...(temperature !== undefined && { temperature }) });
}

/** With a chat template that has tools it works as any chat model does, without it is asked in plain text. */
async function openCheckpoint(named: string, options: OpenChatModelOptions): Promise<Opened> {
  const { role, threads, temperature, signal } = options;
  const path = await checkpointPath(named, options);
  const { EngineChatModel } = await import("./engine-chat-model.js");
  const model = await EngineChatModel.open({
    model: path,
    // The same run asks the same and is answered the same.
    seed: 0,
    ...(threads !== undefined && { threads }),
    ...(temperature !== undefined && { temperature }),
  });
  const close = (): Promise<void> => model.close();
  try {
    signal?.throwIfAborted();
    if (model.profile.toolCalling === true) return { model, close };
    if (role === "judge" || role === "agent")
      throw new Error(`preflexor:${named}: a model that is ${role} calls tools, and this chat template has none`);
    const { chatModelText } = await import("./plain-text-model.js");
    return { model: await inPlainText(chatModelText(model), options, `preflexor:${model.modelName}`), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function checkpointPath(named: string, { hub, offline, signal }: OpenChatModelOptions): Promise<string> {
  if (hub === undefined) return named;
  const localFilesOnly = offline === true || hub.localFilesOnly === true;
  return (await resolveModel(named, { ...hub, localFilesOnly, ...(signal && { signal }) })).path;
}
