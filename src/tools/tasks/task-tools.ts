/** @file Which tools can be tasks: those that take longer than a client waits for an answer, and whose work can be gone on with. */

export interface TaskSupport {
  /** As 2025-11-25 has it: whether a client may, or must, call the tool as a task. */
  readonly support: "optional" | "required";
  /** A tool that asks its client before it begins: its first round is a plain one. */
  readonly asksFirst?: boolean;
}

export type TaskTools = Readonly<Record<string, TaskSupport>>;

const optional: TaskSupport = { support: "optional" };

/** A task of `start-run` lasts as long as its run, unless it is told to answer at once. */
export const TASK_TOOLS: TaskTools = {
  "ingest-corpus": optional,
  "generate-preference-pair": optional,
  "train-iteration": optional,
  "recursive-reason": optional,
  "start-run": optional,
  evaluate: optional,
  "export-adapter": optional,
};
