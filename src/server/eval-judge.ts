/** @file The judge that `--judge` names. */
import { createChatJudge, createLexicalJudge } from "../agents/evaluation/judges.js";
import type { Judge } from "../agents/index.js";
import { LEXICAL } from "./eval-plan.js";
import { chatModelOf } from "./models.js";

export async function openJudge(name: string): Promise<Judge> {
  if (name === LEXICAL) return createLexicalJudge();
  const model = await chatModelOf(name);
  if (model === undefined) throw new Error("internal: a judge without a name");
  return createChatJudge(model, name);
}
