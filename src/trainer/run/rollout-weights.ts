/** @file The weights that sampling computes with: the checkpoint's own, or quantized ones, made once and kept in a cache folder. */
import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import {
  type CheckpointDir,
  type QuantizedCheckpoint,
  type QuantizedMatrices,
  readQuantizedCheckpoint,
  writeQuantizedCheckpoint,
} from "../checkpoint/index.js";
import type { RolloutWeights } from "./policy.js";

export interface RolloutCheckpoint {
  readonly checkpoint: Pick<CheckpointDir, "config" | "tensors">;
  /** undefined: sampling reads the checkpoint's own weights. */
  readonly quantized: QuantizedMatrices | undefined;
  /** Holds all files that `checkpoint` and `quantized` name. */
  readonly folder: string;
}

/** Counts changes of what the file holds; a file of another version is not looked at. */
const FORMAT_VERSION = 1;
const STAGING_PREFIX = ".staging-";
/** A staging folder of this age belongs to a process that was killed. */
const STALE_MS = 24 * 3600 * 1000;

/** Where quantized weights are kept if nobody names a folder. */
export const defaultCacheFolder = (): string => join(homedir(), ".cache", "preflexor", "weights");

/**
 * Opens the weights for sampling. Quantized ones are one file in `cacheFolder`, named by the checkpoint's content; it is made
 * where it is absent or damaged, and appears complete or not at all. Two processes may make it at once.
 */
export async function rolloutCheckpoint(
  checkpoint: CheckpointDir,
  weights: RolloutWeights,
  cacheFolder: string = defaultCacheFolder(),
  signal?: AbortSignal,
): Promise<RolloutCheckpoint> {
  if (weights === "float32" || weights === "float16") {
    return { checkpoint, quantized: undefined, folder: weightsFolder(checkpoint) };
  }
  const bits = weights === "int8" ? 8 : 4;
  const source = await checkpoint.hash();
  const metadata = { format: "preflexor-weights", version: `${FORMAT_VERSION}`, bits: `${bits}`, source };
  await mkdir(cacheFolder, { recursive: true });
  const folder = await realpath(cacheFolder);
  const file = join(folder, `${source.slice(0, 32)}-${weights}-v${FORMAT_VERSION}.safetensors`);
  const read = (): Promise<QuantizedCheckpoint> => readQuantizedCheckpoint(file, checkpoint, bits, metadata);
  const { tensors, quantized } = await read().catch(async () => {
    await make(folder, file, (path) => writeQuantizedCheckpoint(path, checkpoint, bits, metadata, signal), read);
    return read();
  });
  return { checkpoint: { config: checkpoint.config, tensors }, quantized, folder };
}

/** Folder of the weight files, which are links elsewhere in the hub's cache. */
export function weightsFolder({ path, tensors }: Pick<CheckpointDir, "path" | "tensors">): string {
  const [first] = tensors.values();
  return first === undefined ? path : dirname(first.file);
}

/** Writes a file beside its place and moves it there; nothing is left if that fails. */
async function make(
  folder: string,
  file: string,
  write: (path: string) => Promise<void>,
  read: () => Promise<unknown>,
): Promise<void> {
  await removeStale(folder);
  const staging = await mkdtemp(join(folder, STAGING_PREFIX));
  try {
    const staged = join(staging, "weights.safetensors");
    await write(staged);
    // Where another process was faster and holds its file open, Windows does not let it be replaced: it is the same one.
    await rename(staged, file).catch((error: unknown) =>
      read().catch(() => {
        throw error;
      }),
    );
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function removeStale(folder: string): Promise<void> {
  const oldest = Date.now() - STALE_MS;
  for (const name of (await readdir(folder)).filter((entry) => entry.startsWith(STAGING_PREFIX))) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined); // its owner may be done with it just now
    if (found !== undefined && found.mtimeMs < oldest) await rm(path, { recursive: true, force: true });
  }
}
