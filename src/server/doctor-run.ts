/** @file `preflexor doctor`: the report as a table, or as JSON. */
import { textTable } from "./demo-display.js";
import { type Check, type DoctorReport, doctor } from "./doctor.js";
import { createLog } from "./log.js";
import { bytesText } from "./memory-lines.js";

export interface DoctorRunOptions {
  readonly model?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Prints the report; exit code 1 where the engine or the model cannot be used. */
export async function runDoctor({ model, json, verbose }: DoctorRunOptions): Promise<number> {
  try {
    const report = await doctor(model === undefined ? {} : { model });
    process.stdout.write(json ? `${JSON.stringify({ command: "doctor", ...report })}\n` : `${reportText(report)}\n`);
    return report.engine.status === "unavailable" || report.model.status === "unavailable" ? 1 : 0;
  } catch (error) {
    createLog(verbose).error(error);
    return 1;
  }
}

const line = ({ status, detail }: Check): string => `${status}: ${detail.replace(/\s*\n\s*/g, " ")}`;

export function reportText(report: DoctorReport): string {
  const { memory, model } = report;
  const size =
    model.parameters === undefined ? "" : `, ${(model.parameters / 1e6).toFixed(1)} M parameters, ${model.dtype}`;
  const training =
    model.trainingBytes === undefined
      ? []
      : [["", `training (LoRA, one row of 1024 tokens): about ${bytesText(model.trainingBytes)}`] as const];
  return textTable([
    ["preflexor", `${report.version}, Node ${report.node}, ${report.platform}, ${report.cpus} logical cores`],
    ["memory", `${bytesText(memory.availableBytes)} of ${bytesText(memory.totalBytes)} free`],
    ["ONNX Runtime", report.onnxRuntime],
    ...report.devices.map(
      ({ device, status, reason }) => [device, line({ status, detail: plain(device, reason) })] as const,
    ),
    ["--device auto", report.auto.reason],
    ["engine", line(report.engine)],
    ["Chroma", line(report.chroma)],
    ["model", `${model.model}${model.family === undefined ? "" : ` (${model.family}${size})`}`],
    ["", line(model)],
    ...training,
  ]);
}

/** The device stands before its line already. */
const plain = (device: string, reason: string): string =>
  reason.replace(`--device ${device} cannot be used:`, "").replace(`--device ${device}: `, "").trim();
