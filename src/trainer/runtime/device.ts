/** @file Where a model runs: what was asked for, what the machine can do, and the reason of the choice in words. */
import type { InferenceSession } from "onnxruntime-node";
import type { Graph, Node } from "../graph/index.js";
import { type DeviceFacts, deviceFacts } from "./device-facts.js";

export type DeviceChoice = "auto" | "cpu" | "cuda" | "webgpu";

export type Device = Exclude<DeviceChoice, "auto">;

export interface ChosenDevice {
  readonly device: Device;
  /** E.g. "cpu: no NVIDIA GPU was found". */
  readonly reason: string;
  /** Whether training on such a device has been compared with the CPU's results. */
  readonly tested: boolean;
  /** How far it has not been tested, where it has not. */
  readonly untested?: string;
}

/** How far a device has not been tested; "auto" takes none that is listed. */
const UNTESTED: Readonly<Partial<Record<Device, string>>> = {
  cuda: "untested: where its nodes run has been checked, not what they give",
  webgpu: "tested on a software adapter only",
};

type Providers = readonly InferenceSession.ExecutionProviderConfig[];

/** For the options of the session that runs `graph`. Nodes without a kernel on the device run on the CPU. */
export function executionProviders(device: Device, graph: Graph): Providers {
  switch (device) {
    case "cpu":
      return ["cpu"];
    case "cuda":
      return [{ name: "cuda", deviceId: 0 }, "cpu"];
    case "webgpu": {
      const forceCpuNodeNames = graph.nodes.filter(failsOnWebgpu).map(({ name }) => name);
      // An empty list is refused.
      return [{ name: "webgpu", ...(forceCpuNodeNames.length > 0 && { forceCpuNodeNames }) }, "cpu"];
    }
  }
}

/** Buffers that one shader may bind, less some to spare; WebGPU guarantees 8. */
const SHADER_BUFFERS = 6;

/** Nodes that have a kernel in onnxruntime-node 1.29.0's WebGPU provider, and fail or give wrong numbers there. */
function failsOnWebgpu({ op, inputs, outputs }: Node): boolean {
  switch (op) {
    case "Split":
      return outputs.length > SHADER_BUFFERS;
    // Its second output is not 1 / rms.
    case "SimplifiedLayerNormalization":
      return true;
    // Rows of a weight that lies in a file come out as noise.
    case "Gather":
      return inputs[0]?.source.kind === "constant";
    default:
      return false;
  }
}

/** Throws where a device was asked for by name and cannot be had; the message lists all that is missing. */
export async function resolveDevice(choice: DeviceChoice = "auto"): Promise<ChosenDevice> {
  if (choice === "cpu") return chosen("cpu", "asked for");
  return chooseDevice(choice, await deviceFacts());
}

/** {@link resolveDevice} by given facts. */
export function chooseDevice(choice: DeviceChoice, facts: DeviceFacts): ChosenDevice {
  if (choice === "cpu") return chosen("cpu", "asked for");
  if (choice === "webgpu") {
    if (facts.backends.includes("webgpu")) return chosen("webgpu", "asked for");
    throw new Error(`--device webgpu: ONNX Runtime for ${facts.platform} has no WebGPU provider; use --device cpu`);
  }
  const problems = cudaProblems(facts);
  if (choice === "cuda") {
    if (problems.length === 0) return chosen("cuda", `asked for; ${facts.gpus.join(", ")}`);
    throw new Error(`--device cuda cannot be used:${problems.map((problem) => `\n  - ${problem}`).join("")}`);
  }
  if (facts.gpus.length === 0) return chosen("cpu", "no NVIDIA GPU was found");
  if (problems.length > 0) return chosen("cpu", problems.join("; "));
  if (UNTESTED.cuda !== undefined) {
    return chosen("cpu", `${facts.gpus[0]} could be used, but CUDA is untested: ask for it with --device cuda`);
  }
  return chosen("cuda", `${facts.gpus.join(", ")} and the CUDA provider were found`);
}

function chosen(device: Device, why: string): ChosenDevice {
  const untested = UNTESTED[device];
  const warning = untested === undefined ? "" : ` (${untested}; compare its first losses with those of --device cpu)`;
  return {
    device,
    reason: `${device}: ${why}${warning}`,
    tested: untested === undefined,
    ...(untested !== undefined && { untested }),
  };
}

/** All that stands between this machine and CUDA, each with what to do. */
function cudaProblems(facts: DeviceFacts): string[] {
  if (facts.platform !== "linux-x64") {
    return [`onnxruntime-node has a CUDA provider for linux-x64 only, this is ${facts.platform}`];
  }
  const problems: string[] = [];
  if (facts.gpus.length === 0) {
    problems.push("no NVIDIA GPU was found (/proc/driver/nvidia, nvidia-smi): is its driver installed?");
  }
  if (facts.missingProviders.length > 0) {
    const files = facts.missingProviders.join(" and ");
    problems.push(
      `${files} not beside onnxruntime-node: run npm run setup:cuda (CUDA 12) or npm run setup:cuda -- --cuda 13`,
    );
  }
  problems.push(...facts.loaderProblems.map(explainDeviceError));
  return problems;
}

interface KnownError {
  readonly pattern: RegExp;
  readonly advice: (match: RegExpExecArray) => string;
}

const KNOWN_ERRORS: readonly KnownError[] = [
  {
    pattern: /(libcudnn[\w.]*): cannot open shared object/,
    advice: ([, name]) => `${name} is not found: install cuDNN 9, or add its folder to LD_LIBRARY_PATH`,
  },
  {
    pattern: /(lib(?:cublas|cublasLt|cudart|curand|cufft|nvrtc)\.so\.(\d+)): cannot open shared object/,
    advice: ([, name, version]) => {
      const cuda = version === "12" || version === "13" ? `CUDA ${version}` : "CUDA of the provider's version";
      return `${name} is not found: install the libraries of ${cuda}, or add their folder to LD_LIBRARY_PATH`;
    },
  },
  {
    pattern: /libcuda\.so\.1: cannot open shared object/,
    advice: () => "libcuda.so.1 is not found: it comes with NVIDIA's driver; in a container, start it with GPU access",
  },
  {
    pattern: /CUDA failure 35\b/,
    advice: () =>
      "NVIDIA's driver is missing or older than the CUDA libraries: update it, or take the provider for CUDA 12",
  },
  {
    pattern: /CUDA failure 100\b/,
    advice: () => "CUDA sees no GPU: is one there, and does CUDA_VISIBLE_DEVICES leave it visible?",
  },
  {
    pattern: /CUDA failure 2\b|CUBLAS_STATUS_ALLOC_FAILED|[Oo]ut of memory|Failed to allocate memory/,
    advice: () =>
      "the memory of the device is full: lower the tokens of a micro-batch, or switch on gradient checkpointing",
  },
  {
    pattern: /cuDNN is (?:not available|unavailable)|cuDNN handle is required/,
    advice: () => "cuDNN 9 is needed and was not found: install it, or add its folder to LD_LIBRARY_PATH",
  },
  {
    pattern: /no kernel image is available/,
    advice: () =>
      "the provider was not built for this GPU's generation: take the other one (npm run setup:cuda -- --cuda 12 or 13)",
  },
  {
    pattern: /AppendExecutionProvider_Cuda: Failed to load shared library/,
    advice: () => "the CUDA provider cannot be loaded: preflexor doctor says which library is missing",
  },
  {
    pattern: /Failed to get a WebGPU adapter/,
    advice: () =>
      "no WebGPU adapter was found: it needs a GPU with a Vulkan driver (Linux: libvulkan.so.1), Metal or Direct3D 12",
  },
];

/** A message of ONNX Runtime or of the loader in words that say what to do; others as they are, on one line. */
export function explainDeviceError(message: string): string {
  for (const { pattern, advice } of KNOWN_ERRORS) {
    const match = pattern.exec(message);
    if (match !== null) return advice(match);
  }
  return message.replace(/\s+/g, " ").trim();
}
