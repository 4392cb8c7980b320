/** @file What a training reports while it runs; command line, tools and tests read the same events. */
import type { PolicyInfo, StepMetrics } from "../run/policy.js";
import type { RowProblem } from "../text/index.js";

/** Something a user should look at, in one plain sentence with the way out. */
export interface Diagnosis {
  readonly kind:
    | "vanishing-exo-gradients"
    | "falling-chosen-logps"
    | "rows-left-out"
    | "prompts-cut"
    | "rows-without-sections"
    | "accuracies-stuck";
  readonly step: number;
  readonly message: string;
}

/** A row of log_history and of metrics.jsonl: `epoch` and `step`, and metrics under TRL's names. */
export type LogEntry = Readonly<Record<string, number>> & { readonly epoch: number; readonly step: number };

export type TrainEvent =
  | {
      readonly kind: "rows-left-out";
      readonly of: "training" | "evaluation";
      readonly unit: "line" | "row";
      readonly rows: readonly RowProblem[];
    }
  | { readonly kind: "checkpoint-skipped"; readonly path: string; readonly reason: string }
  | { readonly kind: "notice"; readonly message: string }
  | {
      readonly kind: "started";
      readonly rows: number;
      readonly evaluationRows: number;
      readonly rowsPerStep: number;
      /** Steps taken before: of the checkpoint, or 0. */
      readonly step: number;
      readonly totalSteps: number;
      readonly info: PolicyInfo;
      readonly resumedFrom?: string;
    }
  | {
      readonly kind: "progress";
      readonly phase: "reference" | "evaluation";
      readonly done: number;
      readonly total: number;
    }
  | {
      readonly kind: "step";
      readonly step: number;
      readonly totalSteps: number;
      readonly epoch: number;
      /** Of this step alone. */
      readonly metrics: StepMetrics;
      /** Tokens of its rows where nothing is shared. */
      readonly tokens: number;
      readonly milliseconds: number;
    }
  | { readonly kind: "log"; readonly entry: LogEntry }
  | { readonly kind: "evaluation"; readonly step: number; readonly entry: LogEntry; readonly best: boolean }
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string; readonly removed: readonly string[] }
  | { readonly kind: "diagnosis"; readonly diagnosis: Diagnosis }
  | { readonly kind: "finished"; readonly result: TrainResult };

export interface TrainResult {
  readonly steps: number;
  readonly epoch: number;
  /** Adapter directory (LoRA) or model directory (full fine-tuning). */
  readonly trained: string;
  /** The last checkpoint, if any was written. */
  readonly checkpoint?: string;
  readonly logHistory: readonly LogEntry[];
  readonly milliseconds: number;
}
