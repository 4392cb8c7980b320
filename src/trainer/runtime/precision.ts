/** @file What the layers of a model compute in: what was asked for, what the checkpoint holds, and what the device can do. */
import type { CheckpointDir } from "../checkpoint/types.js";
import type { Device } from "./device.js";

export type Precision = "float32" | "float16" | "bfloat16";
/** "auto": on CUDA the checkpoint's own dtype, elsewhere float32. */
export type PrecisionChoice = "auto" | Precision;

export interface ChosenPrecision {
  readonly precision: Precision;
  /** E.g. "bfloat16: the checkpoint's own". */
  readonly reason: string;
}

/** Throws where a precision was asked for by name that the device has no kernels for. */
export function choosePrecision(
  choice: PrecisionChoice = "auto",
  device: Device,
  tensors: CheckpointDir["tensors"],
): ChosenPrecision {
  if (choice === "auto") return automatic(device, tensors);
  if (choice === "bfloat16" && device !== "cuda") {
    throw new Error(
      `--precision bfloat16: ONNX Runtime multiplies bfloat16 matrices on CUDA only, and the device is ${device}; use float32`,
    );
  }
  if (choice === "float32") return { precision: choice, reason: "float32: asked for" };
  const caution = device === "cpu" ? "slower than float32 on the CPU, which has no float16 matrix products" : UNTESTED;
  return { precision: choice, reason: `${choice}: asked for (${caution})` };
}

const UNTESTED = "untested on a GPU: compare its first losses with those of --precision float32";

function automatic(device: Device, tensors: CheckpointDir["tensors"]): ChosenPrecision {
  if (device !== "cuda") return { precision: "float32", reason: `float32: what the ${device} provider is made for` };
  const own = storedPrecision(tensors);
  if (own === "float32") return { precision: own, reason: "float32: the checkpoint's own" };
  return { precision: own, reason: `${own}: the checkpoint's own (${UNTESTED})` };
}

const STORED = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** The dtype of most bytes of the checkpoint; float32 where it is none that a model is computed in. */
function storedPrecision(tensors: CheckpointDir["tensors"]): Precision {
  const bytes = new Map<string, number>();
  for (const { dtype, byteLength } of tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + byteLength);
  const [most] = [...bytes].sort((a, b) => b[1] - a[1]);
  return STORED[most?.[0] as keyof typeof STORED] ?? "float32";
}
