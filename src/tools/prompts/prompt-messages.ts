/** @file Messages of prompts: what the user asks, and resources that it is asked about. */
import type { GetPromptResult } from "@modelcontextprotocol/server";

type Message = GetPromptResult["messages"][number];

export const userText = (text: string): Message => ({ role: "user", content: { type: "text", text } });

/** Data along with the question, so that it need not be fetched first. */
export const userJson = (uri: string, value: unknown): Message => ({
  role: "user",
  content: { type: "resource", resource: { uri, mimeType: "application/json", text: JSON.stringify(value) } },
});
