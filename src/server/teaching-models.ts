/** @file The teacher and the critic of a context: opened when first asked for, kept, and closed with it. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { MaterialsWorld } from "../agents/environments/index.js";
import {
  loadExtractiveTeacher,
  loadTextCritic,
  loadWorldCritic,
  loadWorldTeacher,
  type OpenChatModelOptions,
  type OpenedChatModel,
  openChatModel,
  type SamplingClient,
  type Student,
  studentText,
} from "../agents/index.js";
import { type ModelRole, parseModelSpec } from "../agents/models/model-spec.js";
import type { ActiveCorpus } from "../tools/index.js";
import type { Config } from "./config.js";
import { type Lazy, lazy } from "./lazy.js";

type Role = Exclude<ModelRole, "judge" | "agent">;

export type TeachingConfig = Pick<Config, "teacher" | "critic" | "teacherBaseUrl" | "offline" | "hub" | "threads">;

export interface TeachingParts {
  readonly world: () => Promise<MaterialsWorld>;
  /** The model that learns. */
  readonly student: () => Promise<Student>;
  readonly signal: AbortSignal;
  /** Hears what leaves this machine before anything does. */
  readonly onNotice: (sentence: string) => void;
}

export interface TeachingModels {
  /** `client` is who asked for the work at hand, where an MCP client did. */
  open(role: Role, corpus: ActiveCorpus, client?: SamplingClient): Promise<BaseChatModel>;
  close(): Promise<void>;
}

/** Nothing is opened here. */
export function teachingModels(config: TeachingConfig, parts: TeachingParts): TeachingModels {
  const shelf = new Map<string, Lazy<OpenedChatModel>>();
  return {
    async open(role, corpus, client) {
      const { spec, setting } = specOf(config, role);
      const make = (): Promise<OpenedChatModel> => openFor(config, parts, { role, spec, setting, corpus, client });
      // The client of another call may be another one, and costs nothing to wrap.
      if (parseModelSpec(spec).kind === "client") return (await make()).model;
      const key = `${role} ${corpus.kind}`;
      const opened = shelf.get(key) ?? lazy(make);
      shelf.set(key, opened);
      return (await opened()).model;
    },
    async close() {
      await Promise.allSettled([...shelf.values()].map((opened) => opened.closeWith((model) => model.close())));
      shelf.clear();
    },
  };
}

interface Named {
  readonly spec: string;
  /** The variable that says so. */
  readonly setting: string;
}

/** Without a critic of its own, a teacher that can also criticise does: a provider's model, or the client's. */
function specOf({ teacher = "builtin", critic }: TeachingConfig, role: Role): Named {
  const taught = { spec: teacher, setting: "PREFLEXOR_TEACHER" };
  if (role === "teacher") return taught;
  const { kind } = parseModelSpec(teacher);
  if (critic === undefined && (kind === "provider" || kind === "client")) return taught;
  return { spec: critic ?? "builtin", setting: "PREFLEXOR_CRITIC" };
}

interface Wanted extends Named {
  readonly role: Role;
  readonly corpus: ActiveCorpus;
  readonly client: SamplingClient | undefined;
}

async function openFor(
  config: TeachingConfig,
  parts: TeachingParts,
  { role, spec, setting, corpus, client }: Wanted,
): Promise<OpenedChatModel> {
  const isWorld = corpus.kind === "world";
  const asker = (): ReturnType<typeof loadWorldTeacher> => builtInTeacher(corpus, parts.world);
  const builtin = (): Promise<BaseChatModel> => {
    if (role === "teacher") return asker();
    return isWorld ? loadWorldCritic() : loadTextCritic();
  };
  try {
    return await openChatModel(spec, {
      ...settingsOf(config),
      role,
      builtin,
      self: studentText(parts.student),
      fallbackQuestions: await asker(),
      // The world knows the answers of its own questions alone.
      ownQuestions: !isWorld,
      onNotice: parts.onNotice,
      signal: parts.signal,
      ...(client && { client }),
    });
  } catch (cause) {
    if (parts.signal.aborted) throw cause;
    throw blamed(setting, cause);
  }
}

function settingsOf({ teacherBaseUrl, offline, hub, threads }: TeachingConfig): Partial<OpenChatModelOptions> {
  return {
    offline,
    hub,
    ...(teacherBaseUrl !== undefined && { baseUrl: teacherBaseUrl }),
    ...(threads !== undefined && { threads }),
  };
}

async function builtInTeacher(
  { kind }: ActiveCorpus,
  world: TeachingParts["world"],
): ReturnType<typeof loadWorldTeacher> {
  return kind === "world" ? loadWorldTeacher({ allowed: (await world()).isTrainable }) : loadExtractiveTeacher();
}

const blamed = (setting: string, cause: unknown): Error =>
  new Error(`${setting}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });

/** Throws where a provider's model cannot be opened, or the MCP server's client is asked for without one. Opens no engine. */
export async function checkTeaching(config: TeachingConfig): Promise<void> {
  for (const role of ["teacher", "critic"] as const) {
    const { spec, setting } = specOf(config, role);
    const { kind } = parseModelSpec(spec);
    if (kind !== "provider" && kind !== "client") continue;
    const builtin = async (): Promise<never> => {
      throw new Error(`internal: ${kind} opened the built-in model`);
    };
    await openChatModel(spec, { ...settingsOf(config), role, builtin }).catch((cause: unknown) => {
      throw blamed(setting, cause);
    });
  }
}
