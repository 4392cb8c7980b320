/** @file Base rows of an environment, replayed beside the pairs so that the model keeps its facts. */
import { tokenizeBaseRow } from "../agents/base-model.js";
import type { Environment } from "../agents/environments/index.js";
import type { PassageStore, ReplaySupplier, Student } from "../agents/index.js";
import { createRng } from "../agents/rng.js";
import { tokenizeText } from "../trainer/index.js";

/** Passages of a corpus as plain texts of so many tokens at most, for corpora of which nothing else is known. */
export async function passageReplay(
  { tokenizer, policy }: Pick<Student, "tokenizer" | "policy">,
  store: Pick<PassageStore, "list">,
  mostTokens: number,
): Promise<ReplaySupplier> {
  const passages = await store.list();
  const most = Math.min(mostTokens, policy.info.contextLength);
  return (count, seed) => {
    const rng = createRng(seed, "replay-passages");
    return Array.from({ length: count }, () => {
      const { ids, labels } = tokenizeText(rng.pick(passages).text, tokenizer);
      return { ids: ids.subarray(0, most), labels: labels.subarray(0, most) };
    });
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
