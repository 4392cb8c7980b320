/** @file What a tool may ask of the client that called it: something of its model, or something of its user. */
import type {
  CreateMessageRequestParams,
  CreateMessageResult,
  CreateMessageResultWithTools,
  ElicitRequestFormParams,
  ElicitResult,
} from "@modelcontextprotocol/server";

/** What is asked, by the method that asks it up to 2025-11-25. */
export interface ClientQuestions {
  readonly "sampling/createMessage": CreateMessageRequestParams;
  readonly "elicitation/create": ElicitRequestFormParams;
}

export interface ClientReplies {
  readonly "sampling/createMessage": CreateMessageResult | CreateMessageResultWithTools;
  readonly "elicitation/create": ElicitResult;
}

export type ClientMethod = keyof ClientQuestions;

/** Asks the client, and waits for its reply. Whether it offers the method was looked at before. */
export type AskClient = <M extends ClientMethod>(
  method: M,
  params: ClientQuestions[M],
  signal?: AbortSignal,
) => Promise<ClientReplies[M]>;

/** A person may have to read and allow the question first. */
export const ASK_TIMEOUT_MS = 10 * 60_000;
