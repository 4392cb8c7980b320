/** @file What this machine has of what a device needs: looked up, nothing is started. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { listSupportedBackends } from "onnxruntime-node";

export interface DeviceFacts {
  /** "linux-x64" */
  readonly platform: string;
  /** Execution providers that this build of ONNX Runtime knows. */
  readonly backends: readonly string[];
  /** Where ONNX Runtime looks for provider libraries. */
  readonly providerFolder: string;
  /** Provider libraries of CUDA that are not there. */
  readonly missingProviders: readonly string[];
  /** What the system's loader says against the CUDA provider or cuDNN, e.g. that libcublasLt.so.13 is not found. */
  readonly loaderProblems: readonly string[];
  /** Names of NVIDIA GPUs. */
  readonly gpus: readonly string[];
}

const SHARED = "libonnxruntime_providers_shared.so";
const CUDA = "libonnxruntime_providers_cuda.so";
const CUDA_PROVIDER_FILES = [CUDA, SHARED] as const;

export async function deviceFacts(): Promise<DeviceFacts> {
  const platform = `${process.platform}-${process.arch}`;
  const providerFolder = providerFolderOf(process.platform, process.arch);
  const files = await readdir(providerFolder).catch((): string[] => []);
  const missingProviders = CUDA_PROVIDER_FILES.filter((file) => !files.includes(file));
  return {
    platform,
    backends: listSupportedBackends().map(({ name }) => name),
    providerFolder,
    missingProviders,
    loaderProblems: missingProviders.length === 0 ? loaderProblems(join(providerFolder, CUDA)) : [],
    gpus: await nvidiaGpus(),
  };
}

function providerFolderOf(platform: string, arch: string): string {
  const entry = createRequire(import.meta.url).resolve("onnxruntime-node");
  return join(dirname(entry), "../bin/napi-v6", platform, arch);
}

/** Asks the loader for the library by itself: it names what the library needs, or gets as far as what ONNX Runtime supplies. */
function loaderProblems(provider: string): string[] {
  const problems: string[] = [];
  for (const library of [provider, "libcudnn.so.9"]) {
    try {
      process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_LAZY);
    } catch (error) {
      const { message } = error as Error;
      if (!/undefined symbol: Provider_GetHost|did not self-register/.test(message)) problems.push(message.trim());
    }
  }
  return problems;
}

/** GPUs by the driver's own listing, or by nvidia-smi where there is none (Windows, WSL). */
async function nvidiaGpus(): Promise<string[]> {
  const listed = await readdir("/proc/driver/nvidia/gpus").catch((): string[] => []);
  const names = await Promise.all(
    listed.map(async (slot) => {
      const text = await readFile(join("/proc/driver/nvidia/gpus", slot, "information"), "utf8").catch(() => "");
      return /^Model:\s*(.+)$/m.exec(text)?.[1]?.trim() ?? slot;
    }),
  );
  if (names.length > 0) return names;
  try {
    const asked = promisify(execFile)("nvidia-smi", ["--query-gpu=name", "--format=csv,noheader"], { timeout: 5000 });
    return (await asked).stdout.split("\n").flatMap((line) => line.trim() || []);
  } catch {
    return [];
  }
}
