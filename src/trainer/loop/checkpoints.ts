/** @file The checkpoints of an output directory: which there are, which one to go on with, and which may go. */
import { readdir, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { TrainConfig } from "./train-config.js";
import type { TrainEvent } from "./train-events.js";
import { readTraining, type SavedTraining } from "./trainer-state.js";
import { identityDifferences, type TrainingPlan } from "./training-plan.js";

export const checkpointPath = (outputDir: string, step: number): string => join(outputDir, `checkpoint-${step}`);

/** Steps of the checkpoints in a directory, ascending; none where it does not exist. */
export async function checkpointSteps(outputDir: string): Promise<number[]> {
  const names = await namesIn(outputDir);
  // While a directory is being exchanged, its old version bears the name with ".previous".
  const steps = names.flatMap((name) => /^checkpoint-(\d+)(\.previous)?$/.exec(name)?.[1] ?? []);
  return [...new Set(steps.map(Number))].sort((a, b) => a - b);
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

export interface ResumePoint {
  readonly path: string;
  readonly saved: SavedTraining;
}

/** Takes the checkpoint that the config names, or the newest intact one; yields those that had to be passed over. */
export async function* resumePoint(config: TrainConfig): AsyncGenerator<TrainEvent, ResumePoint> {
  const { resume, outputDir } = config;
  if (typeof resume === "string") return { path: resume, saved: await readTraining(resume) };
  const steps = await checkpointSteps(outputDir);
  const problems: string[] = [];
  for (const step of steps.toReversed()) {
    const path = checkpointPath(outputDir, step);
    try {
      return { path, saved: await readTraining(path) };
    } catch (error) {
      const reason = (error as Error).message;
      problems.push(reason);
      yield { kind: "checkpoint-skipped", path, reason };
    }
  }
  const found = problems.length === 0 ? "found none" : `found none intact:\n  - ${problems.join("\n  - ")}\n`;
  throw new Error(
    `expected a checkpoint to resume from in ${outputDir}, ${found}; start without resume_from_checkpoint`,
  );
}

/** Throws with every difference where a checkpoint belongs to another training. */
export function refuseOtherTraining({ path, saved }: ResumePoint, plan: TrainingPlan): void {
  const differences = identityDifferences(saved.identity, plan.identity);
  if (differences.length === 0) return;
  const rowsDiffer = saved.identity["dataset_hash"] !== plan.identity["dataset_hash"];
  const causes = rowsDiffer ? identityDifferences(saved.textSettings, plan.textSettings) : [];
  const list = [...differences, ...causes].map((line) => `\n  - ${line}`).join("");
  throw new Error(
    `${path} belongs to another training:${list}\nResume with the model, data and settings of then, or start anew in another output_dir.`,
  );
}

/** Before a new training: refuses an output directory that holds another one's checkpoints, or clears them on request. */
export async function prepareOutput({ outputDir, overwriteOutputDir }: TrainConfig): Promise<void> {
  const steps = await checkpointSteps(outputDir);
  if (steps.length > 0 && !overwriteOutputDir) {
    throw new Error(
      `${outputDir} holds checkpoints of a training (steps ${steps.join(", ")}): continue it with resume_from_checkpoint, choose another output_dir, or set overwrite_output_dir`,
    );
  }
  for (const step of steps) await removeCheckpoint(outputDir, step);
}

/** Removes what a killed process left half-written. */
export async function removeStaging(outputDir: string): Promise<void> {
  for (const name of await namesIn(outputDir)) {
    if (/^\.checkpoint-\d+\.staging-/.test(name)) await rm(join(outputDir, name), { recursive: true, force: true });
  }
}

export interface Keep {
  readonly limit: number | undefined;
  /** Counts among those that are kept, and stays: the newest, and the best. */
  readonly protect: readonly (string | undefined)[];
  /** Stays beside them: the checkpoint that this process resumed from. */
  readonly resumedFrom?: string | undefined;
}

/** Removes the oldest checkpoints above the limit; returns their paths. */
export async function pruneCheckpoints(outputDir: string, keep: Keep): Promise<string[]> {
  const { limit, protect, resumedFrom } = keep;
  if (limit === undefined) return [];
  const own = (step: number): string => resolve(checkpointPath(outputDir, step));
  const steps = (await checkpointSteps(outputDir)).filter(
    (step) => resumedFrom === undefined || own(step) !== resolve(resumedFrom),
  );
  const kept = new Set(protect.flatMap((path) => (path === undefined ? [] : [resolve(outputDir, basename(path))])));
  const free = steps.filter((step) => !kept.has(own(step)));
  const remove = free.slice(0, Math.max(0, steps.length - limit));
  for (const step of remove) await removeCheckpoint(outputDir, step);
  return remove.map((step) => checkpointPath(outputDir, step));
}

async function removeCheckpoint(outputDir: string, step: number): Promise<void> {
  const path = checkpointPath(outputDir, step);
  // The manifest first: what a crash leaves is then no checkpoint, not a damaged one.
  await rm(join(path, "manifest.json"), { force: true });
  await rm(path, { recursive: true, force: true });
  await rm(`${path}.previous`, { recursive: true, force: true });
}
