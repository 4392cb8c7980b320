/** @file Base rows of an environment, replayed beside the pairs so that the model keeps its facts. */
import { tokenizeBaseRow } from "../agents/base-model.js";
import type { Environment } from "../agents/environments/index.js";
import type { PassageStore, ReplaySupplier, Student } from "../agents/index.js";
import { createRng } from "../agents/rng.js";
import { tokenizeText } from "../trainer/index.js";

/** Passages of a corpus as plain texts, for corpora of which nothing else is known. */
export async function passageReplay(
  { tokenizer }: Pick<Student, "tokenizer">,
  store: Pick<PassageStore, "list">,
): Promise<ReplaySupplier> {
  const passages = await store.list();
  return (count, seed) => {
    const rng = createRng(seed, "replay-passages");
    return Array.from({ length: count }, () => tokenizeText(rng.pick(passages).text, tokenizer));
  };
}

/** Undefined without an environment: there is nothing that is known to be worth keeping. */
export function replayOf(
  text: Pick<Student, "tokenizer" | "template">,
  environment: Environment | undefined,
): ReplaySupplier | undefined {
  if (environment === undefined) return undefined;
  const rows = environment.baseRows();
  return (count, seed) => {
    const rng = createRng(seed, "replay-rows");
    return Array.from({ length: count }, () => tokenizeBaseRow(rng.pick(rows), text));
  };
}
