/** @file `preflexor train`: settings to a training, its events to the terminal, and how to go on after a stop. */
import type { TrainConfig } from "../trainer/index.js";
import {
  estimateTrainingMemory,
  longestRow,
  openPolicy,
  parseTrainConfig,
  policyOptionsOf,
  readTrainingTexts,
  resolveDevice,
  type TrainEvent,
  type TrainingData,
  type TrainResult,
  tokenizeData,
  trainOn,
} from "../trainer/index.js";
import { readConfig } from "./config.js";
import { createDisplay, type Display, textTable } from "./demo-display.js";
import { openDirectory } from "./hub-progress.js";
import { INTERRUPTED, onInterrupt } from "./interrupt.js";
import { createLog, messageOf } from "./log.js";
import { memoryLines } from "./memory-lines.js";
import { ownCommand, shellWord } from "./own-command.js";
import { showTraining, type Training } from "./train-display.js";
import { gatherSettings, keepSettings } from "./train-settings-file.js";

export interface TrainOptions {
  /** Settings given as flags. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly config?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Trains and prints; resolves to the exit code. */
export async function runTrain(options: TrainOptions): Promise<number> {
  const log = createLog(options.verbose);
  const display = createDisplay(process.stderr);
  const controller = new AbortController();
  const interrupt = onInterrupt(controller, () => display.close("stopping … (Ctrl-C again ends it at once)"));
  const shown: Training = { leftOut: [] };
  try {
    const { result, config, device } = await training(options, display, controller.signal, shown);
    display.end();
    printResult(result, config, { json: options.json, device, shown });
    return 0;
  } catch (error) {
    display.end();
    const interrupted = controller.signal.aborted;
    if (!interrupted) log.error(error);
    if (interrupted || shown.checkpoint !== undefined) log.info(howToGoOn(shown, interrupted));
    return interrupted ? INTERRUPTED : 1;
  } finally {
    interrupt.remove();
  }
}

interface Trained {
  readonly result: TrainResult;
  readonly config: TrainConfig;
  readonly device: string;
}

async function training(
  { flags, config: file }: TrainOptions,
  display: Display,
  signal: AbortSignal,
  shown: Training,
): Promise<Trained> {
  const environment = readConfig();
  const { settings, source } = await gatherSettings({
    flags,
    defaultModel: environment.model,
    ...(file !== undefined && { config: file }),
  });
  const parsed = parseTrainConfig({ threads: environment.threads, ...settings }, source);
  const device = await resolveDevice(parsed.device);
  const texts = await readTrainingTexts(parsed);
  const model = await openDirectory(parsed.model, environment.hub, display, signal);
  const config = { ...parsed, model: model.path };
  const data = await tokenizeData(config, texts);
  display.line(`device: ${device.reason}`);
  await sayMemory(config, data, display);
  signal.throwIfAborted();
  const policy = await openPolicy(policyOptionsOf(config));
  try {
    if (policy.info.precision !== "float32") display.line(`precision: ${policy.info.precisionReason}`);
    if (config.adapter !== undefined && config.resume === false) await policy.loadAdapter(config.adapter);
    const events = trainOn(policy, data, config, { signal });
    const started = async (): Promise<void> => keepSettings(config.outputDir, settings, model.name);
    const result = await showTraining(watched(events, started), config, display, shown);
    return { result, config, device: policy.info.device };
  } finally {
    await policy.close();
  }
}

/** The output directory belongs to this training from its first event on; only then is anything of it replaced. */
async function* watched(
  events: AsyncGenerator<TrainEvent, TrainResult>,
  onStarted: () => Promise<void>,
): AsyncGenerator<TrainEvent> {
  for await (const event of events) {
    if (event.kind === "started") await onStarted();
    yield event;
  }
}

async function sayMemory(config: TrainConfig, data: TrainingData, display: Display): Promise<void> {
  const row = longestRow(data, config);
  try {
    const memory = await estimateTrainingMemory(policyOptionsOf(config), config.loss, row);
    for (const line of memoryLines(memory, row, config)) display.line(line);
  } catch (error) {
    // It is advice: what cannot be estimated can still be run.
    display.line(`memory: no estimate (${messageOf(error)})`);
  }
}

function howToGoOn({ checkpoint, step }: Training, interrupted: boolean): string {
  const ended = interrupted ? "Stopped" : "The training ended early";
  if (checkpoint === undefined)
    return `${ended}${step ? ` after step ${step}` : ""}; there is no checkpoint, nothing is kept.`;
  return [
    `${ended}${step ? ` after step ${step}` : ""}; the last checkpoint is kept.`,
    `  go on       ${ownCommand()} train --resume ${shellWord(checkpoint)}`,
    `  checkpoint  ${checkpoint}`,
  ].join("\n");
}

interface Printing {
  readonly json: boolean;
  readonly device: string;
  readonly shown: Training;
}

function printResult(result: TrainResult, config: TrainConfig, { json, device, shown }: Printing): void {
  const last = result.logHistory.findLast((entry) => entry["loss"] !== undefined);
  const evaluation = result.logHistory.findLast((entry) => entry["eval_loss"] !== undefined);
  if (json) {
    const { logHistory: _, ...rest } = result;
    const line = {
      command: "train",
      loss: config.loss,
      ...rest,
      device,
      metrics: last,
      evaluation,
      leftOut: shown.leftOut,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const rows: (readonly [string, string])[] = [
    ["steps", `${result.steps} (epoch ${result.epoch.toFixed(2)}), ${(result.milliseconds / 1000).toFixed(1)} s`],
    ...(last === undefined ? [] : [["loss", String(last["loss"])] as const]),
    ...(evaluation === undefined ? [] : [["eval_loss", String(evaluation["eval_loss"])] as const]),
    [config.trainable.kind === "lora" ? "adapter" : "model", result.trained],
    ...(result.checkpoint === undefined ? [] : [["checkpoint", result.checkpoint] as const]),
  ];
  process.stdout.write(`\n${textTable(rows)}\n`);
}
