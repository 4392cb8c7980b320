/** @file `preflexor export`: finds the base model of what was trained, and writes the form that was asked for. */
import { type ExportFormat, exportTrained } from "../trainer/index.js";
import { baseModelOf, openBase, trainedKind } from "./base-of-trained.js";
import { runInFrame } from "./command-frame.js";
import { readConfig } from "./config.js";
import { openDirectory } from "./hub-progress.js";
import { bytesText } from "./memory-lines.js";

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
  return runInFrame(options, async ({ display, signal }) => {
    const environment = readConfig();
    const needsBase = format !== "adapter" && !(format === "gguf-model" && (await trainedKind(from)) === "model");
    const named = needsBase ? (options.model ?? (await baseModelOf(from))) : options.model;
    const model =
      named === undefined
        ? undefined
        : await openBase(from, named, options.model, () => openDirectory(named, environment.hub, display, signal));
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
  });
}
