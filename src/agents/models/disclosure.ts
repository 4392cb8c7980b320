/** @file What leaves this machine when a model is asked, and where it goes: said before it happens, or forbidden. */
import { providerOf } from "./model-providers.js";
import { type ModelRole, type ModelSpec, specText } from "./model-spec.js";

export interface Disclosure {
  readonly leaves: boolean;
  /** A host, or the name of who receives it; "this machine" where nothing leaves. */
  readonly to: string;
  /** Which text the model is given. */
  readonly what: string;
  /** All of it for a reader. */
  readonly sentence: string;
}

export interface DisclosureOptions {
  /** Default: "teacher". */
  readonly role?: ModelRole;
  /** Where an `openai:` model without a URL of its own is served. */
  readonly baseUrl?: string;
  /** Name of the connected MCP client. */
  readonly client?: string;
}

const GIVEN: Readonly<Record<ModelRole, string>> = {
  teacher: "passages of the corpus, and the questions and answers made from them",
  critic: "questions, the thinking and answers of the model that learns, and passages of the corpus",
  judge: "questions, and the answers that are compared",
  agent: "its task, and all that its tools return, passages of the corpus among it",
};

const THIS_MACHINE = "this machine";

export function disclosureOf(spec: ModelSpec, options: DisclosureOptions = {}): Disclosure {
  const { role = "teacher" } = options;
  const what = GIVEN[role];
  const to = receiver(spec, options);
  const named = `the ${role} ${specText(spec)}`;
  const sentence =
    to === THIS_MACHINE ? `Nothing leaves this machine for ${named}.` : `For ${named}, ${what} go to ${to}.`;
  return { leaves: to !== THIS_MACHINE, to, what, sentence };
}

function receiver(spec: ModelSpec, { baseUrl, client }: DisclosureOptions): string {
  if (spec.kind === "client") {
    return `the connected MCP client${client === undefined ? "" : ` (${client})`} and the model that it uses`;
  }
  if (spec.kind !== "provider") return THIS_MACHINE;
  const url = endpointOf(spec, baseUrl);
  if (url === undefined) return providerOf(spec.provider).to;
  return isLoopback(url) ? THIS_MACHINE : new URL(url).host;
}

/** Where the model of a provider is served, for providers whose base URL can be set. */
export function endpointOf(
  spec: Extract<ModelSpec, { kind: "provider" }>,
  baseUrl: string | undefined,
): string | undefined {
  return spec.baseUrl ?? (spec.provider === "openai" ? baseUrl : undefined) ?? providerOf(spec.provider).baseUrl;
}

/** Whether a URL names this machine itself. */
export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "[::1]" || /^(?:127(?:\.\d{1,3}){3}|(?:[\w-]+\.)*localhost)$/.test(hostname);
}

/** Throws where the model cannot be asked without text leaving this machine. */
export function refuseOffline({ leaves, sentence }: Disclosure): void {
  if (!leaves) return;
  throw new Error(
    `offline: ${sentence} That is forbidden by --offline or PREFLEXOR_OFFLINE. What works offline: builtin, extractive, self, ` +
      "preflexor:<directory>, or a server on this machine, such as openai:<model>@http://127.0.0.1:8080/v1",
  );
}
