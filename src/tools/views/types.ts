/** @file What of runs is shown, to clients as resources and to people as the page and the report: plain JSON, the same for all. */
import type { Activity, EvaluationResult, Outcome, RunKind, RunStatus } from "../../agents/index.js";
import type { PreferencePair, SectionMarkers } from "../../trainer/index.js";

/** A run in a list; `id` is the name of its directory below `<home>/runs`. */
export interface RunItem {
  readonly id: string;
  readonly kind: RunKind;
  readonly status: RunStatus;
  /** ISO times. */
  readonly created: string;
  readonly changed: string;
  readonly model?: string;
  readonly phase?: string;
  readonly round?: number;
  /** Optimizer steps so far. */
  readonly step?: number;
  readonly pairs: number;
  /** Of the last step. */
  readonly loss?: number;
  /** On disk. */
  readonly bytes: number;
  /** Where it works. */
  readonly activity?: Activity;
  /** Where it failed or was cancelled. */
  readonly outcome?: Outcome;
}

/** A folder below `<home>/runs` that cannot be read as a run. */
export interface BrokenRun {
  readonly id: string;
  readonly problem: string;
}

export interface RunList {
  /** The one that was written last first. */
  readonly runs: readonly RunItem[];
  readonly broken: readonly BrokenRun[];
}

export interface RunDetail extends RunItem {
  readonly directory: string;
  /** The settings it was asked for; secrets are never among them. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Steps of its checkpoints, ascending. */
  readonly checkpoints: readonly number[];
  /** Directory of the trained adapter or model, where there is one. */
  readonly adapter?: string;
  /** What came to nothing, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly markers: SectionMarkers;
  /** Rows of the closing table, such as ["pairs", "24"]. */
  readonly table: readonly (readonly [label: string, value: string])[];
}

export interface MetricPoint {
  readonly step: number;
  readonly round: number;
  /** Under TRL's names: loss, rewards/margins, rewards/accuracies, logps/chosen, eval_loss … */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EvaluationPoint {
  readonly round: number;
  readonly result: Pick<EvaluationResult, "split" | "accuracy" | "n" | "chance" | "byType">;
  /** Half of the 95 % interval of the accuracy (Wilson's is asymmetric; this is its larger side). */
  readonly ci95: number;
}

export interface RunMetrics {
  /** At most as many as were asked for: evenly thinned, first and last kept. */
  readonly steps: readonly MetricPoint[];
  /** All steps that there are. */
  readonly totalSteps: number;
  /** Lines that cannot be read; absent where all can. */
  readonly damagedLines?: number;
  readonly heldOut: readonly MetricPoint[];
  readonly evaluations: readonly EvaluationPoint[];
  readonly preferenceAccuracies: readonly { readonly round: number; readonly accuracy: number; readonly n: number }[];
}

export interface PairsPage {
  /** `index`: its place in pairs.jsonl, from 0. */
  readonly pairs: readonly (PreferencePair & { readonly index: number })[];
  /** Lines of pairs.jsonl, damaged ones included. */
  readonly total: number;
  /** Places of this page that hold no pair; absent where all do. */
  readonly damaged?: readonly number[];
  /** `after` of the next page; absent on the last. */
  readonly next?: number;
}

export interface GraphNode {
  readonly id: string;
  readonly kind: "passage" | "question" | "concept";
  readonly label: string;
  /** How often it was asked, or asked from. */
  readonly asked: number;
  /** Of a question: the share of right answers in its latest round; null where nothing was judged. */
  readonly right?: number | null;
  readonly topic?: string;
}

export interface GraphEdge {
  readonly source: string;
  readonly target: string;
  readonly kind: "asked-from" | "retrieved-for" | "similar-to" | "mentions";
  readonly weight: number;
}

/** The question graph, or its most-asked part where it is large. */
export interface GraphView {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly totalNodes: number;
  /** Why there is no graph, where its file cannot be read. */
  readonly problem?: string;
}

export interface ReasoningRoundView {
  readonly thinking: string;
  readonly answer: string;
  /** From 0 to 1. */
  readonly score: number;
  readonly feedback?: string;
  readonly reflection?: string;
}

/** One question that was answered recursively within a run; of several, the latest comes first. */
export interface ReasoningView {
  readonly at: string;
  readonly question: string;
  readonly answer: string;
  readonly rounds: readonly ReasoningRoundView[];
  /** The round with the highest score; the first is 1. */
  readonly best: number;
  readonly integrated: boolean;
}

/** Everything of one run, as report.html carries it. */
export interface RunReport {
  readonly title: string;
  readonly run: RunDetail;
  readonly metrics: RunMetrics;
  readonly pairs: PairsPage;
  readonly graph: GraphView;
  readonly reasoning: readonly ReasoningView[];
}
