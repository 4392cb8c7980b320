/** @file The model of generate and chat: found or downloaded, opened, with the sampling that a person at a terminal expects. */
import {
  type OpenTextModelOptions,
  openTextModel,
  type TextModel,
  TextRequestError,
  type TextSampling,
} from "../trainer/index.js";
import { readConfig } from "./config.js";
import type { Display } from "./demo-display.js";
import { openDirectory } from "./hub-progress.js";
import type { TextFlags } from "./text-flags.js";

/** Name of the adapter that `--adapter` gives. */
const ADAPTER = "adapter";
/** Where the model says nothing: small models wander off at temperature 1. */
const TEMPERATURE = 0.7;

export interface OpenText {
  readonly model: TextModel;
  readonly sampling: TextSampling;
  /** What requests ask for. */
  readonly adapter: string;
  readonly openMs: number;
}

export async function openText(
  flags: TextFlags,
  display: Display,
  signal: AbortSignal,
  options: Pick<OpenTextModelOptions, "markers"> = {},
): Promise<OpenText> {
  const config = readConfig();
  const { path, name } = await openDirectory(flags.model ?? config.model, config.hub, display, signal);
  const threads = flags.threads ?? config.threads;
  const start = performance.now();
  display.phase(`open ${name}`, 1);
  const model = await openTextModel({
    model: path,
    ...options,
    ...(flags.adapter !== undefined && { adapters: { [ADAPTER]: flags.adapter } }),
    ...(flags.weights !== undefined && { rolloutWeights: flags.weights }),
    ...(flags.device !== undefined && { device: flags.device }),
    ...(threads !== undefined && { threads }),
  });
  display.end();
  if (signal.aborted) {
    await model.close();
    signal.throwIfAborted();
  }
  return {
    model,
    sampling: { temperature: TEMPERATURE, ...model.defaults, ...flags.sampling },
    adapter: flags.adapter === undefined ? "on" : ADAPTER,
    openMs: performance.now() - start,
  };
}

/** A problem of a request in the words of the command line. */
export function inFlags(error: unknown): unknown {
  if (!(error instanceof TextRequestError)) return error;
  return new Error(error.problems.map(({ field, message }) => `${flagOf(field)}: ${message}`).join("\n  "));
}

function flagOf(field: string): string {
  if (field === "prompt") return "the prompt";
  if (field.startsWith("messages")) return "the conversation";
  return `--${field.replace("sampling.", "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
