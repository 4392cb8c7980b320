/** @file The events of a training on the terminal. */
import { leftOutLines, type TrainConfig, type TrainEvent, type TrainResult } from "../trainer/index.js";
import type { Display } from "./demo-display.js";

/** What a command needs to know of a training that ended, however it ended. */
export interface Training {
  step?: number;
  checkpoint?: string;
  leftOut: readonly { readonly number: number; readonly reason: string }[];
}

/** Shows every event and returns the result. `training` is kept up to date, for the case that the events end in an error. */
export async function showTraining(
  events: AsyncIterable<TrainEvent>,
  config: Pick<TrainConfig, "loss">,
  display: Display,
  training: Training,
): Promise<TrainResult> {
  for await (const event of events) {
    if (event.kind === "finished") return event.result;
    show(event, config.loss, display, training);
  }
  throw new Error("internal: the training ended without a result");
}

function show(
  event: Exclude<TrainEvent, { kind: "finished" }>,
  loss: string,
  display: Display,
  training: Training,
): void {
  switch (event.kind) {
    case "rows-left-out":
      training.leftOut = event.rows;
      display.line(`left out: ${event.rows.length} rows`);
      for (const line of leftOutLines(event.rows, event.unit)) display.line(`  ${line}`);
      break;
    case "checkpoint-skipped":
      display.line(`${event.path} is passed over: ${event.reason}`);
      break;
    case "notice":
      display.line(event.message);
      break;
    case "started":
      begin(event, loss, display, training);
      break;
    case "progress":
      if (event.done === 0 || event.done === event.total)
        display.line(`${event.phase}: ${event.done} of ${event.total} scored`);
      break;
    case "step":
      training.step = event.step;
      display.progress(event.step, event.totalSteps, noteOf(event.metrics));
      break;
    case "log":
      break;
    case "evaluation":
      display.line(`  step ${event.step}: ${metricsText(event.entry)}${event.best ? " (the best so far)" : ""}`);
      break;
    case "checkpoint":
      training.checkpoint = event.path;
      display.line(`  step ${event.step}: ${event.path}`);
      break;
    case "diagnosis":
      display.line(`note: ${event.diagnosis.message}`);
      break;
  }
}

function begin(
  event: Extract<TrainEvent, { kind: "started" }>,
  loss: string,
  display: Display,
  training: Training,
): void {
  if (event.resumedFrom !== undefined) {
    training.checkpoint = event.resumedFrom;
    display.line(`goes on from ${event.resumedFrom}, after step ${event.step}`);
  }
  const held = event.evaluationRows > 0 ? `, ${event.evaluationRows} held out` : "";
  display.line(`${event.rows} rows${held}, ${event.rowsPerStep} a step`);
  display.phase(`train ${loss}, ${event.totalSteps} steps`, event.totalSteps);
  if (event.step > 0) display.progress(event.step, event.totalSteps);
}

function noteOf(metrics: Readonly<Record<string, number>>): string {
  const accuracy = metrics["rewards/accuracies"];
  const shown = [`loss ${metrics["loss"]?.toFixed(4) ?? "?"}`];
  if (accuracy !== undefined) shown.push(`accuracy ${accuracy.toFixed(2)}`);
  return shown.join(", ");
}

function metricsText(entry: Readonly<Record<string, number>>): string {
  const shown = ["eval_loss", "eval_rewards/accuracies", "eval_rewards/margins"];
  return shown.flatMap((name) => (entry[name] === undefined ? [] : [`${name} ${entry[name].toFixed(4)}`])).join(", ");
}
