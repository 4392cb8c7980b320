/** @file Base rows of an environment, replayed beside the pairs so that the model keeps its facts. */
import type { BaseRow, Environment } from "../agents/environments/index.js";
import { createRng } from "../agents/rng.js";
import type { Student } from "../agents/student.js";
import type { ReplaySupplier } from "../agents/train-on-pairs.js";
import { type LabelledTokens, tokenizeChat, tokenizeText } from "../trainer/index.js";

type Text = Pick<Student, "tokenizer" | "template">;

/** Undefined without an environment: there is nothing that is known to be worth keeping. */
export function replayOf(text: Text, environment: Environment | undefined): ReplaySupplier | undefined {
  if (environment === undefined) return undefined;
  const rows = environment.baseRows();
  return (count, seed) => {
    const rng = createRng(seed, "replay-rows");
    return Array.from({ length: count }, () => tokens(rng.pick(rows), text));
  };
}

function tokens(row: BaseRow, { tokenizer, template }: Text): LabelledTokens {
  if (row.kind === "text") return tokenizeText(row.text, tokenizer);
  const messages = [
    { role: "user", content: row.user },
    { role: "assistant", content: row.assistant },
  ] as const;
  return tokenizeChat(messages, { tokenizer, template });
}
