/** @file What a user writes to name a teacher, critic, judge or agent, read into data: no model is opened here. */
import { nearest } from "../../trainer/text/nearest.js";
import { isProvider, PROVIDERS, type ProviderName, providerOf } from "./model-providers.js";

/** What a chat model does in a run. An agent plans, and calls tools. */
export type ModelRole = "teacher" | "critic" | "judge" | "agent";

/** Names that stand alone, each with what it is. */
export const NAMED_MODELS = {
  builtin: "the environment's own, else the extractive one",
  extractive: "sentences of the corpus, without a model",
  self: "the model that learns",
  client: "the model of the connected MCP client",
} as const;
export type NamedModel = keyof typeof NAMED_MODELS;

export type ModelSpec =
  | { readonly kind: NamedModel }
  /** A checkpoint on this project's engine: a directory, or an id on the hub. */
  | { readonly kind: "checkpoint"; readonly model: string }
  /** `baseUrl` is that of the spec itself, as in `openai:qwen3@http://127.0.0.1:8080/v1`. */
  | { readonly kind: "provider"; readonly provider: ProviderName; readonly model: string; readonly baseUrl?: string };

const CHECKPOINT = "preflexor";

/** Every form of a spec, one line each, for help and for refusals. */
export const MODEL_SPEC_FORMS: readonly (readonly [form: string, meaning: string])[] = [
  ...Object.entries(NAMED_MODELS),
  [`${CHECKPOINT}:<directory or hub id>`, "a checkpoint on this project's engine"],
  ["openai:<model>@<base URL>", "any OpenAI-compatible server, such as openai:qwen3@http://127.0.0.1:8080/v1"],
  ["<provider>:<model>", "a LangChain chat model, such as openai:gpt-4.1-mini or anthropic:claude-sonnet-4-5"],
];

const FORMS = MODEL_SPEC_FORMS.map(([form]) => form).join(", ");

/** Throws with what was found, what was probably meant, and every form that there is. */
export function parseModelSpec(text: string): ModelSpec {
  const colon = text.indexOf(":");
  if (colon < 0) return namedSpec(text);
  const [name, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (rest.trim() === "") throw refusal(text, ` (nothing follows "${name}:")`);
  if (name === CHECKPOINT) return { kind: "checkpoint", model: rest };
  if (!isProvider(name)) {
    throw refusal(text, guessOf(name, [...Object.keys(PROVIDERS), CHECKPOINT]) ?? `; providers: ${ALL_PROVIDERS}`);
  }
  const at = rest.search(/@https?:\/\//);
  if (at < 0) return { kind: "provider", provider: name, model: rest };
  const baseUrl = rest.slice(at + 1);
  const problem = baseUrlProblem(name, baseUrl);
  if (problem !== undefined) throw new Error(problem);
  return { kind: "provider", provider: name, model: rest.slice(0, at), baseUrl };
}

const ALL_PROVIDERS = Object.keys(PROVIDERS).join(", ");

function namedSpec(text: string): ModelSpec {
  if (Object.hasOwn(NAMED_MODELS, text)) return { kind: text as NamedModel };
  if (isProvider(text) || text === CHECKPOINT) throw refusal(text, ` (a model is missing: ${text}:<model>)`);
  throw refusal(text, guessOf(text, Object.keys(NAMED_MODELS)) ?? "");
}

const refusal = (text: string, hint: string): Error =>
  new Error(`expected one of ${FORMS}; found ${JSON.stringify(text)}${hint}`);

function guessOf(name: string, known: readonly string[]): string | undefined {
  const guess = nearest(name, known);
  return guess === undefined ? undefined : `: did you mean ${guess}?`;
}

/** Why this provider cannot be used at this URL, or undefined. */
export function baseUrlProblem(provider: ProviderName, baseUrl: string): string | undefined {
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
    return `base URL: expected an http or https URL, such as http://127.0.0.1:8080/v1, found ${JSON.stringify(baseUrl)}`;
  }
  if (providerOf(provider).baseUrl !== undefined) return undefined;
  const takers = Object.keys(PROVIDERS).filter((name) => isProvider(name) && providerOf(name).baseUrl !== undefined);
  return `a base URL goes with ${takers.join(" or ")}, found ${provider}: for an OpenAI-compatible server write openai:<model>`;
}

/** The spec as a user would write it. */
export function specText(spec: ModelSpec): string {
  if (spec.kind === "checkpoint") return `${CHECKPOINT}:${spec.model}`;
  if (spec.kind !== "provider") return spec.kind;
  return `${spec.provider}:${spec.model}${spec.baseUrl === undefined ? "" : `@${spec.baseUrl}`}`;
}
