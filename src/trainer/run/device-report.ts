/** @file Every device that ONNX Runtime has a provider for, with what stands in its way on this machine. */
import { env } from "onnxruntime-node";
import { chooseDevice, type Device } from "./device.js";
import { deviceFacts } from "./device-facts.js";

export interface DeviceStatus {
  readonly device: Device;
  /** `untested`: nothing is missing, and training there has never been compared with the CPU's results. */
  readonly status: "ok" | "untested" | "unavailable";
  readonly reason: string;
}

export interface DeviceReport {
  /** Of onnxruntime-node. */
  readonly onnxRuntime: string;
  readonly devices: readonly DeviceStatus[];
  /** What "auto" takes, and why. */
  readonly auto: { readonly device: Device; readonly reason: string };
}

const DEVICES: readonly Device[] = ["cpu", "cuda", "webgpu"];

const UNTESTED = "its provider is there, but training on it has not been compared with the CPU's results";

/** Looks things up; no session is opened. */
export async function deviceReport(): Promise<DeviceReport> {
  const facts = await deviceFacts();
  const devices = DEVICES.map((device): DeviceStatus => {
    try {
      const { tested } = chooseDevice(device, facts);
      if (!tested) return { device, status: "untested", reason: UNTESTED };
      return { device, status: "ok", reason: device === "cpu" ? "always there" : facts.gpus.join(", ") };
    } catch (error) {
      return { device, status: "unavailable", reason: (error as Error).message };
    }
  });
  const { device, reason } = chooseDevice("auto", facts);
  return { onnxRuntime: env.versions.node ?? "unknown", devices, auto: { device, reason } };
}
