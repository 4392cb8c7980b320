/** @file An export that a client asked for, in a thread of its own: turning many tensors must not hold up the server. */
import { Worker } from "node:worker_threads";
import type { ExportRequest, WorkHooks } from "../../tools/run-keeper.js";
import { type Exported, type ExportOptions, resolveModel } from "../../trainer/index.js";
import { baseModelOf, openBase, trainedKind } from "../base-of-trained.js";
import type { Config } from "../config.js";
import type { ExportMessage } from "./export-thread.js";

export async function exportFor(request: ExportRequest, config: Config, hooks: WorkHooks): Promise<Exported> {
  const { format, from, output, dtype } = request;
  const model = await baseOf(request, config, hooks.signal);
  const options = { format, adapter: from, output, dtype, ...(model !== undefined && { model }) };
  hooks.signal.throwIfAborted();
  return inThread(options, hooks);
}

async function baseOf(
  { format, from, model }: ExportRequest,
  { hub }: Config,
  signal: AbortSignal,
): Promise<string | undefined> {
  const needsBase = format !== "adapter" && !(format === "gguf-model" && (await trainedKind(from)) === "model");
  const named = needsBase ? (model ?? (await baseModelOf(from))) : model;
  if (named === undefined) return undefined;
  return openBase(from, named, model, async () => (await resolveModel(named, { ...hub, signal })).path);
}

/** A cancelled export ends itself, so that it takes away what it had begun to write. */
function inThread(options: ExportOptions, { signal, report }: WorkHooks): Promise<Exported> {
  const thread = new Worker(new URL("./export-thread.js", import.meta.url), { workerData: options, execArgv: [] });
  const stop = (): void => thread.postMessage("stop");
  signal.addEventListener("abort", stop, { once: true });
  return new Promise<Exported>((resolve, reject) => {
    thread.on("message", (message: ExportMessage) => {
      if (message.kind === "progress")
        report(message.done, message.total, `tensor ${message.done} of ${message.total}`);
      if (message.kind === "done") resolve(message.exported);
      if (message.kind === "failed") reject(signal.aborted ? signal.reason : new Error(message.reason));
    });
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the export ended without a result")));
  }).finally(() => {
    signal.removeEventListener("abort", stop);
    void thread.terminate();
  });
}
