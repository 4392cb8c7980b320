/** @file Every device that ONNX Runtime has a provider for, with what stands in its way on this machine. */
import { env } from "onnxruntime-node";
import { chooseDevice, type Device } from "./device.js";
import { deviceFacts } from "./device-facts.js";

export interface DeviceStatus {
  readonly device: Device;
  /** `untested`: nothing is missing, and training on such hardware has not been compared with the CPU's results. */
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

/** Looks things up; no session is opened. */
export async function deviceReport(): Promise<DeviceReport> {
  const facts = await deviceFacts();
  const devices = DEVICES.map((device): DeviceStatus => {
    try {
      const { untested } = chooseDevice(device, facts);
      if (untested !== undefined) return { device, status: "untested", reason: `its provider is there; ${untested}` };
      return { device, status: "ok", reason: device === "cpu" ? "always there" : facts.gpus.join(", ") };
    } catch (error) {
      return { device, status: "unavailable", reason: oneLine((error as Error).message) };
    }
  });
  const { device, reason } = chooseDevice("auto", facts);
  return { onnxRuntime: env.versions.node ?? "unknown", devices, auto: { device, reason } };
}

/** A message with a list, on one line. */
const oneLine = (message: string): string => message.replace(/:?\n {2}- /, ": ").replace(/\n {2}- /g, "; ");
