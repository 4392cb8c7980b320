/** @file A chat model of a provider, opened through LangChain; what cannot work is refused here, before a run begins. */
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { endpointOf, isLoopback } from "./disclosure.js";
import { providerOf } from "./model-providers.js";
import { baseUrlProblem, type ModelSpec, specText } from "./model-spec.js";

export type ProviderSpec = Extract<ModelSpec, { kind: "provider" }>;

export interface ProviderOptions {
  /** Where an `openai:` model without a URL of its own in its spec is served. */
  readonly baseUrl?: string;
  /** What the model is set to; left out: the provider's own default, since some models refuse to be set. */
  readonly temperature?: number;
  readonly signal?: AbortSignal;
}

/** Repeats of a request that failed for reasons that pass; a run retries whole jobs on its own. */
const MAX_RETRIES = 2;

/** Throws where package or key is missing, or where nothing answers at a base URL. */
export async function openProviderChatModel(spec: ProviderSpec, options: ProviderOptions = {}): Promise<BaseChatModel> {
  const given = spec.baseUrl ?? (spec.provider === "openai" ? options.baseUrl : undefined);
  const problem = given === undefined ? undefined : baseUrlProblem(spec.provider, given);
  if (problem !== undefined) throw new Error(problem);
  const endpoint = endpointOf(spec, options.baseUrl);
  const model = await construct(spec, endpoint, options);
  if (given === undefined) return model;
  return (await ownerOf(given, spec, options.signal)) === "preflexor" ? withoutForcedCalls(model) : model;
}

/** Agents ask for a promise that a tool is called. This project's own endpoint gives none, since nothing constrains its replies. */
function withoutForcedCalls(model: BaseChatModel): BaseChatModel {
  const bindTools = model.bindTools?.bind(model);
  if (bindTools === undefined) return model;
  return Object.assign(model, {
    bindTools: (...[tools, settings]: Parameters<typeof bindTools>) =>
      bindTools(tools, { ...settings, tool_choice: "auto" }),
  });
}

async function construct(
  spec: ProviderSpec,
  endpoint: string | undefined,
  { temperature }: ProviderOptions,
): Promise<BaseChatModel> {
  const { getChatModelByClassName, MODEL_PROVIDER_CONFIG } = await import("langchain/chat_models/universal");
  const { className } = MODEL_PROVIDER_CONFIG[spec.provider];
  try {
    // The class itself, not initChatModel's wrapper: provenance asks the model for its name.
    const Model = (await getChatModelByClassName(className, spec.provider)) as unknown as ChatModelClass;
    return new Model({
      model: spec.model,
      maxRetries: MAX_RETRIES,
      ...(temperature !== undefined && { temperature }),
      ...(await endpointFields(spec, endpoint)),
    });
  } catch (cause) {
    throw new Error(`${specText(spec)} cannot be opened: ${reasonOf(cause, spec)}`, { cause });
  }
}

type ChatModelClass = new (fields: Readonly<Record<string, unknown>>) => BaseChatModel;

/** The endpoint is always given, so that no other variable of the environment sends text elsewhere than was said. */
async function endpointFields(
  { provider }: ProviderSpec,
  endpoint: string | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  if (endpoint === undefined) return {};
  if (provider === "ollama") return { baseUrl: endpoint };
  const { getEnvironmentVariable } = await import("@langchain/core/utils/env");
  const hasKey = Boolean(getEnvironmentVariable("OPENAI_API_KEY"));
  // ChatOpenAI itself would only notice at the first call. A server on this machine mostly asks for none.
  if (!hasKey && !isLoopback(endpoint)) throw new Error(`${new URL(endpoint).host} wants an API key`);
  return { configuration: { baseURL: endpoint }, ...(!hasKey && { apiKey: "unused" }) };
}

function reasonOf(cause: unknown, { provider }: ProviderSpec): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const { package: name } = providerOf(provider);
  if (/Unable to import|Cannot find (?:package|module)/.test(text)) {
    return `its package ${name} is not installed: run npm install ${name}, or name another model`;
  }
  if (/api.?key|credentials|token/i.test(text)) {
    return `${text.replace(/\s+/g, " ").trim()} (set the key of ${provider}, such as ${provider.toUpperCase().replaceAll("-", "_")}_API_KEY)`;
  }
  return text;
}

const ANSWER_TIMEOUT_MS = 10_000;

/** Who owns the models there, where the server says so. Any answer will do: not every server lists its models. */
async function ownerOf(baseUrl: string, spec: ProviderSpec, signal: AbortSignal | undefined): Promise<unknown> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(`${baseUrl.replace(/\/+$/, "")}/models`, {
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new Error(
      `nothing answers at ${baseUrl} (${networkReason(cause)}), where ${specText(spec)} was looked for: start the server ` +
        "there, such as preflexor api, llama-server, vLLM or Ollama, or correct the base URL",
      { cause },
    );
  }
  const listed = (await response.json().catch(() => undefined)) as { data?: { owned_by?: unknown }[] } | undefined;
  return listed?.data?.[0]?.owned_by;
}

function networkReason(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? String(error);
}
