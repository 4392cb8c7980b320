/** @file `preflexor score`: pairs in, a line of log-probabilities for each out. */
import { writeFile } from "node:fs/promises";
import {
  leftOutLines,
  type PreferenceScores,
  parseTrainConfig,
  readPreferences,
  type ScorePreferencesOptions,
  scorePreferences,
} from "../trainer/index.js";
import { runInFrame } from "./command-frame.js";
import { readConfig } from "./config.js";
import type { Display } from "./demo-display.js";
import { openDirectory } from "./hub-progress.js";

export interface ScoreOptions {
  /** Settings given as flags, under the names of a training config. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly output?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Scores and prints; resolves to the exit code. */
export async function runScore(options: ScoreOptions): Promise<number> {
  return runInFrame(options, async ({ display, signal }) => {
    const scores = await score(options, display, signal);
    display.end();
    await printScores(scores, options);
    return 0;
  });
}

async function score({ settings }: ScoreOptions, display: Display, signal: AbortSignal): Promise<PreferenceScores> {
  const environment = readConfig();
  const { pairs } = settings;
  if (typeof pairs !== "string") throw new Error("--pairs: expected a JSONL or Parquet file, found nothing");
  const dataset = await readPreferences(pairs);
  const options = scoringOptions({ model: environment.model, threads: environment.threads, ...settings });
  const model = await openDirectory(options.model, environment.hub, display, signal);
  display.phase(`score ${dataset.rows.length} pairs`, dataset.rows.length);
  const onProgress = (done: number, total: number): void => display.progress(done, total);
  const scores = await scorePreferences(dataset, { ...options, model: model.path, signal, onProgress });
  display.end();
  if (scores.left.length > 0) {
    display.line(`left out: ${scores.left.length} rows`);
    for (const line of leftOutLines(scores.left, dataset.unit)) display.line(`  ${line}`);
  }
  display.line(
    `${scores.scores.length} pairs on ${scores.device}: accuracy ${scores.accuracy.toFixed(3)}, mean margin a token ${scores.meanMargin.toFixed(4)}`,
  );
  return scores;
}

/** A training config says all that scoring needs to know of texts and machine, and checks it. */
function scoringOptions(settings: Readonly<Record<string, unknown>>): ScorePreferencesOptions {
  const config = parseTrainConfig({ ...settings, loss_type: "sigmoid", output_dir: "unused" }, "score");
  const { model, adapter, promptFormat, maxPromptLength, maxLength, mask, device, threads } = config;
  return {
    model,
    ...(adapter !== undefined && { adapter }),
    promptFormat,
    maxPromptLength,
    maxLength,
    mask,
    includeThinkingTokenInLabels: config.includeThinkingTokenInLabels,
    markers: config.markers,
    device,
    ...(threads !== undefined && { threads }),
  };
}

async function printScores({ scores, ...summary }: PreferenceScores, { output, json }: ScoreOptions): Promise<void> {
  const lines = scores.map((each) => `${JSON.stringify(each)}\n`).join("");
  if (output !== undefined) await writeFile(output, lines);
  else if (!json) process.stdout.write(lines);
  if (!json) return;
  const { left, ...numbers } = summary;
  const rest = output === undefined ? { scores } : { output };
  process.stdout.write(
    `${JSON.stringify({ command: "score", pairs: scores.length, ...numbers, leftOut: left, ...rest })}\n`,
  );
}
