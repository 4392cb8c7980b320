/** @file `preflexor export`: finds the base model of what was trained, and writes the form that was asked for. */
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type ExportFormat, exportTrained } from "../trainer/index.js";
import { readConfig } from "./config.js";
import { createDisplay } from "./demo-display.js";
import { openDirectory } from "./hub-progress.js";
import { INTERRUPTED, onInterrupt } from "./interrupt.js";
import { createLog, messageOf } from "./log.js";
import { bytesText } from "./memory-lines.js";
import { KEPT_SETTINGS } from "./train-settings-file.js";

export interface ExportRunOptions {
  readonly format: ExportFormat;
  /** An adapter directory or a checkpoint. */
  readonly from: string;
  readonly output: string;
  readonly model?: string;
  readonly dtype: "f32" | "f16" | "q8_0" | "q4_0";
  readonly baseModelName?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Exports and prints; resolves to the exit code. */
export async function runExport(options: ExportRunOptions): Promise<number> {
  const { format, from, output, json, dtype, baseModelName } = options;
  const display = createDisplay(process.stderr);
  const controller = new AbortController();
  const interrupt = onInterrupt(controller, () => display.close("stopping …"));
  const { signal } = controller;
  try {
    const environment = readConfig();
    const needsBase = format !== "adapter" && !(format === "gguf-model" && (await isWholeModel(from)));
    const named = needsBase ? (options.model ?? (await baseModelOf(from))) : options.model;
    const model =
      named === undefined
        ? undefined
        : await openNamed(named, options, () => openDirectory(named, environment.hub, display, signal));
    let total = 0;
    const onProgress = (done: number, of: number): void => {
      if (total === 0) display.phase(`write ${of} tensors`, of);
      total = of;
      display.progress(done, of);
    };
    const exported = await exportTrained({
      format,
      adapter: from,
      output,
      dtype,
      ...(model && { model: model.path }),
      ...(baseModelName !== undefined && { baseModelName }),
      signal,
      onProgress,
    });
    display.end();
    if (json) process.stdout.write(`${JSON.stringify({ command: "export", ...exported })}\n`);
    else process.stdout.write(`${exported.output} (${bytesText(exported.bytes)})\n`);
    return 0;
  } catch (error) {
    display.end();
    if (signal.aborted) return INTERRUPTED;
    createLog(options.verbose).error(error);
    return 1;
  } finally {
    interrupt.remove();
  }
}

/** The settings that the run was started with know the model better than the adapter, which may name it for others. */
async function baseModelOf(from: string): Promise<string> {
  const kept = await readJson(join(dirname(resolve(from)), KEPT_SETTINGS));
  if (typeof kept?.["model"] === "string") return kept["model"];
  const config = await readJson(join(from, "adapter_config.json"));
  const [name, revision] = [config?.["base_model_name_or_path"], config?.["revision"]];
  if (typeof name === "string" && name !== "") return typeof revision === "string" ? `${name}@${revision}` : name;
  throw new Error(`${from} does not say what its base model is; name it with --model`);
}

async function openNamed<T>(named: string, { from, model }: ExportRunOptions, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (model !== undefined) throw cause;
    throw new Error(
      `the base model of ${from} is ${named}, which cannot be opened; name it with --model (${messageOf(cause)})`,
      {
        cause,
      },
    );
  }
}

/** As exporting tells a model from an adapter. */
const isWholeModel = async (from: string): Promise<boolean> =>
  (await readJson(join(from, "adapter_config.json"))) === undefined &&
  (await readJson(join(from, "config.json"))) !== undefined;

async function readJson(file: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // said by what needs the file
  }
}
