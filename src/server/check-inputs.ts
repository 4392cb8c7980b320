/** @file Whether a run can start: its documents, its model and its teacher, before a directory is made or an engine started. */
import { type ReadOptions, readDocuments } from "../agents/corpus/index.js";
import type { Config } from "./config.js";
import { messageOf } from "./log.js";
import { checkModel } from "./models.js";
import { checkTeaching } from "./teaching-models.js";

/** Throws one error with everything that is wrong. `corpus` is undefined for the built-in world. */
export async function checkInputs(config: Config, corpus: string | undefined, options?: ReadOptions): Promise<void> {
  const checks = [
    corpus === undefined ? undefined : readDocuments(corpus, options),
    checkModel(config),
    checkTeaching(config),
  ];
  const failures = (await Promise.allSettled(checks)).filter((check) => check.status === "rejected");
  const [first] = failures;
  if (failures.length > 1) throw new Error(failures.map(({ reason }) => messageOf(reason)).join("\n"));
  if (first !== undefined) throw first.reason;
}
