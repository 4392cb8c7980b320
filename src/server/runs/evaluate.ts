/** @file An evaluation that a client asked for: the measurements of `preflexor eval`, with an engine in a process of its own. */
import type { EvaluationReport } from "../../agents/index.js";
import type { EvaluationRequest, WorkHooks } from "../../tools/run-keeper.js";
import type { Config } from "../config.js";
import type { EvalOptions } from "../eval-plan.js";
import { evaluate } from "../eval-run.js";
import { inWorkFrame } from "./work-frame.js";

/** The world that the package's model knows. */
const WORLD_SEED = 7;

export async function evaluateFor(
  request: EvaluationRequest,
  config: Config,
  hooks: WorkHooks,
): Promise<EvaluationReport> {
  const { world, samples, ...given } = request;
  const options: EvalOptions = {
    ...given,
    ...(world && { environment: "materials-world" }),
    ...(samples !== undefined && { samples, k: samples > 1 ? [1, samples] : [1] }),
    ...(config.threads !== undefined && { threads: config.threads }),
    worldSeed: WORLD_SEED,
    temperature: 1,
    topP: 1,
    json: true,
    verbose: false,
    invocation: `evaluate ${JSON.stringify(request)}`,
  };
  return inWorkFrame(hooks, (frame) => evaluate(options, frame));
}
