/** @file The thread of one export: takes its options, tells its progress, and ends with what it wrote. */
import { parentPort, workerData } from "node:worker_threads";
import { type Exported, type ExportOptions, exportTrained } from "../../trainer/index.js";

export type ExportMessage =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "done"; readonly exported: Exported }
  | { readonly kind: "failed"; readonly reason: string };

const port = parentPort;
if (port === null) throw new Error("internal: the export has no thread of its own");
const tell = (message: ExportMessage): void => port.postMessage(message);
const controller = new AbortController();
port.on("message", () => controller.abort(new Error("cancelled")));
try {
  const exported = await exportTrained({
    ...(workerData as ExportOptions),
    signal: controller.signal,
    onProgress: (done, total) => tell({ kind: "progress", done, total }),
  });
  tell({ kind: "done", exported });
} catch (error) {
  tell({ kind: "failed", reason: error instanceof Error ? error.message : String(error) });
}
port.close();
