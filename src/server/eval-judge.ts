/** @file The judge that a setting names, for evaluations and for runs. */
import { createJudge, createLexicalJudge, type Judge, openChatModel } from "../agents/index.js";
import type { Config } from "./config.js";

export const LEXICAL = "lexical";

export interface OpenedJudge {
  readonly judge: Judge;
  close(): Promise<void>;
}

/** "lexical" compares words with a reference; anything else names a chat model. */
export async function openJudge(
  name: string,
  { teacherBaseUrl, offline, hub, threads }: Pick<Config, "teacherBaseUrl" | "offline" | "hub" | "threads">,
  onNotice: (sentence: string) => void,
  signal?: AbortSignal,
): Promise<OpenedJudge> {
  if (name === LEXICAL) return { judge: createLexicalJudge(), close: async () => {} };
  const builtin = async (): Promise<never> => {
    throw new Error(`there is no built-in judge: expected ${LEXICAL} or <provider>:<model>`);
  };
  const opened = await openChatModel(name, {
    role: "judge",
    builtin,
    offline,
    hub,
    onNotice,
    ...(teacherBaseUrl !== undefined && { baseUrl: teacherBaseUrl }),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
  });
  return { judge: await createJudge({ model: opened.model }), close: opened.close };
}
