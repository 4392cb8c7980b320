/** @file The keeper of runs, loaded with everything it needs when it is first asked: a server has to start fast. */
import type { RunKeeper } from "../../tools/run-keeper.js";
import type { RunKeeperParts } from "./run-keeper.js";

export function lazyRunKeeper(parts: RunKeeperParts): RunKeeper {
  let loaded: Promise<RunKeeper> | undefined;
  const keeper = (): Promise<RunKeeper> => {
    loaded ??= import("./run-keeper.js").then(({ createRunKeeper }) => createRunKeeper(parts));
    return loaded;
  };
  return {
    checkRoom: async () => (await keeper()).checkRoom(),
    estimate: async (...args) => (await keeper()).estimate(...args),
    estimateTraining: async (...args) => (await keeper()).estimateTraining(...args),
    start: async (...args) => (await keeper()).start(...args),
    resume: async (...args) => (await keeper()).resume(...args),
    stop: async (...args) => (await keeper()).stop(...args),
    checkEvaluation: async (...args) => (await keeper()).checkEvaluation(...args),
    evaluate: async (...args) => (await keeper()).evaluate(...args),
    exportTrained: async (...args) => (await keeper()).exportTrained(...args),
  };
}
