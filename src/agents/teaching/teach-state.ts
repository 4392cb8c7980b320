/** @file How far a self-teaching run has come, as its directory says: enough to go on as if it had never stopped. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "../write-whole.js";
import type { TeachPlan } from "./teach-plan.js";

export const STATE_FILE = "state.json";
const STATE_VERSION = 1;

/** What a round does next. All of a stage is done again where it was not finished. */
export const STAGES = ["pairs", "train", "evaluate"] as const;
export type Stage = (typeof STAGES)[number];

const stateSchema = z.object({
  version: z.literal(STATE_VERSION),
  /** Of everything in the plan that results depend on. */
  plan: z.string(),
  /** Under way, from 1 over all phases; 0 before the first; behind the last where the run is finished. */
  round: z.number().int().nonnegative(),
  stage: z.enum(STAGES),
  phasesBegun: z.number().int().nonnegative(),
  /** Name of the phase that the round lies in, for people. */
  phase: z.string(),
  finished: z.boolean(),
  /** Optimizer steps of the run, those of rounds that were taken back included. */
  step: z.number().int().nonnegative(),
  /** Steps of the round under way that the checkpoint holds. */
  roundSteps: z.number().int().nonnegative(),
  /** Name of the checkpoint directory that holds the weights; null: the model as it was opened. */
  checkpoint: z.string().nullable(),
  /** Of the phase under way: the lowest held-out loss, and the checkpoint that has it, where checkpoints are kept. */
  best: z.object({ loss: z.number(), checkpoint: z.string().nullable() }).nullable(),
  /** Rounds in turn that did not lower that loss. */
  stale: z.number().int().nonnegative(),
  journals: z.record(z.string(), z.number().int().nonnegative()),
  /** Name of the file with the question graph. */
  graph: z.string().nullable(),
});

export type TeachState = z.infer<typeof stateSchema>;

export const freshState = (plan: TeachPlan): TeachState => ({
  version: STATE_VERSION,
  plan: planHash(plan),
  round: 0,
  stage: "pairs",
  phasesBegun: 0,
  phase: "",
  finished: false,
  step: 0,
  roundSteps: 0,
  checkpoint: null,
  best: null,
  stale: 0,
  journals: {},
  graph: null,
});

/** Settings that change no result may change between the parts of a run; the others may not. */
export function planHash({ saveTotalLimit: _limit, concurrency: _calls, phases, ...plan }: TeachPlan): string {
  const own = { ...plan, phases: phases.map(({ saveSteps: _steps, ...phase }) => phase) };
  return createHash("sha256").update(JSON.stringify(own)).digest("hex").slice(0, 16);
}

/** Undefined where the directory holds no run yet. Throws where it holds a damaged one, or one of another plan. */
export async function readState(directory: string, plan: TeachPlan): Promise<TeachState | undefined> {
  const file = join(directory, STATE_FILE);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const state = parseState(file, text);
  if (state.plan !== planHash(plan))
    throw new Error(
      `${directory} holds a run of another plan (${state.plan}, asked for ${planHash(plan)}): go on with the settings it was started with, or give another directory`,
    );
  return state;
}

function parseState(file: string, text: string): TeachState {
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} is damaged or of another version of this program: start a new run`, { cause });
  }
}

export const writeState = (directory: string, state: TeachState): Promise<void> =>
  writeWhole(join(directory, STATE_FILE), `${JSON.stringify(state)}\n`);
