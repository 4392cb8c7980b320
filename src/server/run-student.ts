/** @file What a run has trained, opened to be asked: its adapter or newest checkpoint on its base, or its whole model. One at a time. */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { TrainedStudent } from "../tools/index.js";
import { runPlace } from "../tools/views/index.js";
import { readAdapterSpec } from "../trainer/run/index.js";
import type { Config } from "./config.js";
import { refuseOtherBase, type Trained, trainedOf } from "./eval-trained.js";
import { type Lazy, lazy } from "./lazy.js";
import { openModel, recipeNameOf } from "./models.js";

export interface RunStudents {
  /** Opens what the run has now; what another run, or the same one earlier, had is closed. */
  open(id: string): Promise<TrainedStudent>;
  close(): Promise<void>;
}

export function runStudents(config: Config): RunStudents {
  let held: { readonly key: string; readonly opened: Lazy<TrainedStudent> } | undefined;
  const close = async (): Promise<void> => {
    const last = held;
    held = undefined;
    await last?.opened.closeWith(({ student }) => student.policy.close());
  };
  return {
    async open(id) {
      const directory = await runPlace(config.home, id);
      const trained = await trainedIn(id, directory, config);
      const key = await versionOf(trained);
      if (held?.key !== key) {
        await close();
        held = { key, opened: lazy(() => openTrained(trained, directory, config)) };
      }
      return held.opened();
    },
    close,
  };
}

async function trainedIn(id: string, directory: string, config: Config): Promise<Trained> {
  try {
    return await trainedOf({ run: directory }, config);
  } catch (cause) {
    throw new Error(
      `the run ${id} has trained nothing yet: look at it with get-run; its first checkpoint comes with its first round`,
      { cause },
    );
  }
}

/** A run that goes on replaces what it has trained. */
async function versionOf({ adapter, model }: Trained): Promise<string> {
  const path = adapter ?? model;
  return `${path} ${(await stat(path)).mtimeMs}`;
}

async function openTrained({ adapter, model }: Trained, directory: string, config: Config): Promise<TrainedStudent> {
  const trainable = adapter === undefined ? { kind: "none" as const } : await readAdapterSpec(adapter);
  const student = await openModel({ ...config, model }, 0, { trainable });
  try {
    await refuseOtherBase(adapter, student.policy.info.modelHash);
    if (adapter !== undefined) await student.policy.loadAdapter(adapter);
    return { student, directory, recipe: recipeNameOf(model), trained: basename(adapter ?? model) };
  } catch (error) {
    await student.policy.close();
    throw error;
  }
}
