/** @file Whole self-teaching runs as the tools see them: estimated, started as processes of their own, stopped, evaluated, exported. */
import { z } from "zod";
import type { EvaluationReport, RunStanding } from "../agents/index.js";
import type { Exported, ExportFormat } from "../trainer/index.js";
import type { ReportProgress } from "./progress.js";

export const estimateSchema = z.object({
  rounds: z.number().int().describe("Rounds of all phases: pairs, training, evaluation"),
  pairs: z.number().int().describe("Pairs that are asked for; some questions come to nothing"),
  steps: z.number().int().describe("Optimizer steps, where every question gives a pair"),
  memoryBytes: z.number().nullable().describe("Peak of a training step; null where it cannot be estimated"),
  freeBytes: z.number().nullable().describe("Memory that is free now"),
  seconds: z
    .object({ low: z.number(), high: z.number() })
    .nullable()
    .describe("Between which the time will lie; null where it cannot be estimated"),
  basis: z.string().describe("What the time is estimated from"),
  notes: z.array(z.string()).describe("What the figures leave out, and what stands in the way"),
});
export type Estimate = z.infer<typeof estimateSchema>;

/** Settings as `preflexor teach` has them; what is named apart goes over a config's. */
export interface TeachRequest {
  /** As in a config file. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** As flags: over every phase. */
  readonly over: Readonly<Record<string, unknown>>;
}

export interface StartedRun {
  /** Name of its directory below `<home>/runs`. */
  readonly id: string;
  readonly directory: string;
  readonly standing: RunStanding;
}

/** Told the id of a run that is on disk, before its process begins; the run waits for it. */
export type OnCreated = (id: string) => Promise<void>;

export interface WorkHooks {
  readonly signal: AbortSignal;
  readonly report: ReportProgress;
}

/** What is evaluated and on what; paths are checked already. */
export interface EvaluationRequest {
  readonly model?: string;
  readonly run?: string;
  readonly adapter?: string;
  readonly against?: string;
  readonly world: boolean;
  readonly pairs?: string;
  readonly questions?: string;
  readonly limit?: number;
  readonly judge?: string;
  readonly thinking: readonly ("on" | "off" | "forced-off")[];
  readonly samples?: number;
  readonly seed: number;
}

export interface EvaluatedNames {
  readonly model?: string;
  readonly judge?: string;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  /** An adapter directory or a checkpoint. */
  readonly from: string;
  readonly output: string;
  readonly model?: string;
  readonly dtype: "f32" | "f16" | "q8_0" | "q4_0";
}

export interface RunKeeper {
  /** Throws with every problem of the settings. Writes and fetches nothing. */
  estimate(request: TeachRequest, signal: AbortSignal): Promise<Estimate>;
  /** Throws where a setting is wrong, or where as many runs work as may. When it returns, the run is on disk and held by its process. */
  start(request: TeachRequest, signal: AbortSignal, onCreated?: OnCreated): Promise<StartedRun>;
  /** Goes on with a run whose process is gone. */
  resume(id: string, signal: AbortSignal): Promise<StartedRun>;
  /** As Ctrl-C does: what was finished is kept. Ends with what stands then, which is still `working` where it takes long to save. */
  stop(id: string, signal: AbortSignal): Promise<RunStanding>;
  /** Throws, with the names of those that do, where as many runs work as may. */
  checkRoom(): Promise<void>;
  /** Steps on pairs that a run has: cost of a train-iteration. */
  estimateTraining(work: TrainingWork): Promise<Estimate>;
  /** The model with its path checked. Throws where it lies outside the roots, or text would go to a judge that the user has not named. */
  checkEvaluation(asked: EvaluatedNames): Promise<EvaluatedNames>;
  evaluate(request: EvaluationRequest, hooks: WorkHooks): Promise<EvaluationReport>;
  exportTrained(request: ExportRequest, hooks: WorkHooks): Promise<Exported>;
}

export interface TrainingWork {
  readonly pairs: number;
  readonly steps: number;
  readonly loss: string;
}
