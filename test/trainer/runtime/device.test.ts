/** @file Devices: what is chosen on which machine, why, and what the errors of the libraries mean. */
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/trainer/graph/index.js";
import {
  chooseDevice,
  executionProviders,
  explainDeviceError,
  resolveDevice,
} from "../../../src/trainer/runtime/device.js";
import { type DeviceFacts, deviceFacts } from "../../../src/trainer/runtime/device-facts.js";

const READY: DeviceFacts = {
  platform: "linux-x64",
  backends: ["cpu", "webgpu", "cuda"],
  providerFolder: "/x",
  missingProviders: [],
  loaderProblems: [],
  gpus: ["NVIDIA H100"],
};
const NO_LIBRARY = "libcublasLt.so.13: cannot open shared object file: No such file or directory";
const reasonOf = (facts: Partial<DeviceFacts>): string => chooseDevice("auto", { ...READY, ...facts }).reason;
const refusal = (facts: Partial<DeviceFacts>): string => {
  try {
    return `chose ${chooseDevice("cuda", { ...READY, ...facts }).device}`;
  } catch (error) {
    return (error as Error).message;
  }
};

describe("auto", () => {
  it("takes the CPU where CUDA lacks something, and says what", () => {
    expect(reasonOf({ gpus: [] })).toBe("cpu: no NVIDIA GPU was found");
    expect(reasonOf({ missingProviders: ["libonnxruntime_providers_cuda.so"] })).toBe(
      "cpu: libonnxruntime_providers_cuda.so not beside onnxruntime-node: run npm run setup:cuda (CUDA 12) or npm run setup:cuda -- --cuda 13",
    );
    expect(reasonOf({ loaderProblems: [NO_LIBRARY] })).toContain("install the libraries of CUDA 13");
    expect(reasonOf({ platform: "darwin-arm64" })).toContain("for linux-x64 only, this is darwin-arm64");
  });

  it("takes no device that is untested, and never WebGPU", () => {
    const { device, reason, tested } = chooseDevice("auto", READY);
    expect(tested).toBe(true);
    if (device === "cpu") expect(reason).toMatch(/untested: ask for it with --device cuda/);
    expect(device).not.toBe("webgpu");
  });
});

describe("a device by name", () => {
  it("is an error that lists everything that is missing", () => {
    const text = refusal({
      gpus: [],
      missingProviders: ["libonnxruntime_providers_cuda.so"],
      loaderProblems: [NO_LIBRARY],
    });
    expect(text.split("\n  - ")).toHaveLength(4);
    expect(text).toMatch(/no NVIDIA GPU[\s\S]*setup:cuda[\s\S]*libcublasLt.so.13 is not found/);
    expect(() => chooseDevice("webgpu", { ...READY, backends: ["cpu"] })).toThrow("has no WebGPU provider");
  });

  it("says so where it is untested", () => {
    for (const name of ["cuda", "webgpu"] as const) {
      const { device, reason, tested } = chooseDevice(name, READY);
      expect(device).toBe(name);
      expect(reason.includes("compare its first losses with those of --device cpu")).toBe(!tested);
    }
    expect(chooseDevice("cuda", READY).reason).toContain("NVIDIA H100");
  });

  it("cpu needs no look at the machine", async () => {
    expect(await resolveDevice("cpu")).toEqual({
      device: "cpu",
      reason: "cpu: asked for",
      tested: true,
    });
  });
});

describe("the providers of a session", () => {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [12, 4]);
  const table = g.floats("table", [2, 4], new Float32Array(8));
  const [normed] = g.rmsNorm(x, g.slice(g.gather(table, g.input("rows", "int32", [1])), 0, 0, 1), 1e-5);
  const parts = g.split(normed, 0, Array(12).fill(1));
  const [half] = g.split(x, 0, [6, 6]);
  g.output("y", g.add(g.gather(half!, g.input("i", "int32", [1])), parts[3]!));
  const graph = g.build();

  it("end with the CPU", () => {
    expect(executionProviders("cpu", graph)).toEqual(["cpu"]);
    expect(executionProviders("cuda", graph)).toEqual([{ name: "cuda", deviceId: 0 }, "cpu"]);
  });

  it("keep from WebGPU what it gets wrong: wide splits, rows of a weight, norms", () => {
    expect(executionProviders("webgpu", graph)).toEqual([
      { name: "webgpu", forceCpuNodeNames: ["Gather", "SimplifiedLayerNormalization", "Split"] },
      "cpu",
    ]);
  });
});

it("this machine is described without an error, and auto finds something on it", async () => {
  const facts = await deviceFacts();
  expect(facts.backends).toContain("cpu");
  expect(facts.providerFolder).toMatch(/onnxruntime-node.bin.napi-v6/);
  expect((await resolveDevice()).reason).toMatch(/^(?:cpu|cuda): /);
});

// Messages as ONNX Runtime 1.29.0 and the loader wrote them.
it.each([
  ["OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library", "preflexor doctor says"],
  [NO_LIBRARY, "libcublasLt.so.13 is not found: install the libraries of CUDA 13"],
  [
    "libcurand.so.10: cannot open shared object file: No such file or directory",
    "libraries of CUDA of the provider's version",
  ],
  ["libcudnn.so.9: cannot open shared object file: No such file or directory", "install cuDNN 9"],
  ["libcuda.so.1: cannot open shared object file: No such file or directory", "comes with NVIDIA's driver"],
  [
    "cuda_call.cc:146 CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=h ; expr=cudaSetDevice(info_.device_id);",
    "NVIDIA's driver is missing or older",
  ],
  ["CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", "CUDA sees no GPU"],
  ["CUDA failure 2: out of memory ; GPU=0", "memory of the device is full"],
  ["A cuDNN handle is required for CUDA reduction.", "cuDNN 9 is needed"],
  [
    "webgpu_context.cc:100 adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n",
    "no WebGPU adapter was found",
  ],
  ["something\n  new", "something new"],
])("%s", (message, expected) => {
  expect(explainDeviceError(message)).toContain(expected);
});
