/** @file A run on the hub after each round: adapter, log history and all pairs so far. */
import { type Iteration, placeOf, pushRun, readRunLog, type TeachPlan } from "../agents/index.js";
import type { Config } from "./config.js";
import { packageVersion } from "./version.js";

export interface PublishOptions {
  readonly config: Pick<Config, "hub" | "model" | "teacher">;
  readonly repo: string;
  /** Run directory. */
  readonly directory: string;
  /** Where the adapter or the model is written before it is sent. */
  readonly trained: string;
  readonly library: "peft" | "transformers";
  readonly plan: TeachPlan;
}

/** Called after each round; throws with the reason where the hub did not take it. */
export function publisher(options: PublishOptions): (iteration: Iteration, signal?: AbortSignal) => Promise<string> {
  const { config, repo, directory, trained, library, plan } = options;
  return async ({ round, step, policy }, signal) => {
    await policy.saveAdapter(trained);
    const { steps } = await readRunLog(directory);
    const phases = plan.phases.map((phase, index) => ({
      loss: phase.loss,
      steps: steps.filter((logged) => placeOf(plan, logged.round)?.index === index).length,
    }));
    const event = await pushRun({
      ...config.hub,
      repo,
      directory,
      trained,
      message: `round ${round}, step ${step}`,
      facts: {
        baseModel: config.model,
        library,
        version: packageVersion(),
        phases: phases.filter((phase) => phase.steps > 0),
        seeds: [plan.seed],
        teachers: [config.teacher ?? "builtin"],
      },
      ...(signal && { signal }),
    });
    if (event.kind === "push-failed") throw new Error(event.reason);
    return event.url;
  };
}
