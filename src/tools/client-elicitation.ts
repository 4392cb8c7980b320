/** @file The user in front of the client: asked yes or no before a step that cannot be taken back, or takes long. */
import type { CallToolResult, ClientCapabilities } from "@modelcontextprotocol/server";
import type { AskClient } from "./ask-client.js";

/** As MCP has them: yes; no; the question was put away. "unsupported": this client cannot ask its user. */
export type UserAnswer = "accept" | "decline" | "cancel" | "unsupported";

export interface AsksUser {
  /** Asks the user whether to go on. */
  readonly askUser: (message: string, signal?: AbortSignal) => Promise<UserAnswer>;
}

export function userOf(capabilities: ClientCapabilities, ask: AskClient): AsksUser {
  return {
    async askUser(message, signal) {
      if (!offersForms(capabilities)) return "unsupported";
      const { action, content } = await ask("elicitation/create", { message, requestedSchema: YES_OR_NO }, signal);
      if (action !== "accept") return action;
      return content?.["confirm"] === true ? "accept" : "decline";
    },
  };
}

const YES_OR_NO = {
  type: "object" as const,
  properties: { confirm: { type: "boolean" as const, title: "Go on" } },
  required: ["confirm"],
};

/** An empty object means forms, as it did before there were other ways to ask. */
function offersForms({ elicitation }: ClientCapabilities): boolean {
  if (elicitation === undefined) return false;
  const { form, url } = elicitation as { readonly form?: unknown; readonly url?: unknown };
  return form !== undefined || url === undefined;
}

export interface Confirmation {
  /** What the call says of the user's consent: whoever calls with true has it already. */
  readonly confirm: boolean;
  /** One sentence that ends with a question mark. */
  readonly question: string;
  /** What stays as it is without consent, such as "nothing was removed". */
  readonly undone: string;
  /** Which tool to call again. */
  readonly tool: string;
  readonly signal: AbortSignal;
}

/** Asks the user where the call does not say that they agreed. Undefined where they did, otherwise what the call ends with. */
export async function unlessConfirmed(
  { askUser }: AsksUser,
  { confirm, question, undone, tool, signal }: Confirmation,
): Promise<CallToolResult | undefined> {
  if (confirm) return undefined;
  const answer = await askUser(question, signal);
  if (answer === "accept") return undefined;
  const texts: Readonly<Record<Exclude<UserAnswer, "accept">, string>> = {
    decline: `the user said no: ${undone}`,
    cancel: `the user put the question away without an answer: ${undone}`,
    unsupported:
      `${undone}: this needs the user's consent, and the client cannot ask for it. Ask the user "${question}" and, ` +
      `if they agree, call ${tool} again with the same arguments and confirm: true`,
  };
  return { content: [{ type: "text", text: texts[answer] }], isError: true };
}
