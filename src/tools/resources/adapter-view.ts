/** @file What was trained, without the weights: the files, what they hold by content, and the adapter's configuration. */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { openPlainFile } from "../../agents/teaching/growing-lines.js";
import { NoSuchRunError, runPlace, trainedDirectory } from "../views/index.js";
import { readPlainJson } from "../views/read-file.js";

export interface AdapterFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface AdapterView {
  readonly directory: string;
  /** `adapter`: LoRA weights beside a base model; `model`: all weights. */
  readonly kind: "adapter" | "model";
  /** adapter_config.json or config.json. */
  readonly config?: unknown;
  readonly files: readonly AdapterFile[];
}

/** Throws {@link NoSuchRunError} also where nothing was trained yet. */
export async function adapterView(home: string, id: string): Promise<AdapterView> {
  const directory = await trainedDirectory(await runPlace(home, id));
  if (directory === undefined)
    throw new NoSuchRunError(
      `the run ${id} has no adapter yet: it is written when training ends. Call get-run to see how far it is, or train-iteration`,
    );
  const entries = await readdir(directory, { withFileTypes: true });
  const files: AdapterFile[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = entry.isFile() ? await digestOf(join(directory, entry.name)) : undefined;
    if (file !== undefined) files.push({ name: entry.name, ...file });
  }
  const config =
    (await readPlainJson(join(directory, "adapter_config.json"))) ??
    (await readPlainJson(join(directory, "config.json")));
  const kind = basename(directory) === "model" || !entries.some(({ name }) => name === "adapter_config.json");
  return {
    directory,
    kind: kind ? "model" : "adapter",
    ...(config !== undefined && { config: config.json }),
    files,
  };
}

interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** By path and version; weights are large, and mostly as they were. */
const digests = new Map<string, { readonly version: string; readonly digest: Digest }>();
const MOST_DIGESTS = 256;

async function digestOf(path: string): Promise<Digest | undefined> {
  const handle = await openPlainFile(path);
  if (handle === undefined) return undefined;
  try {
    const { ino, size, mtimeMs } = await handle.stat();
    const version = `${ino}.${size}.${mtimeMs}`;
    const known = digests.get(path);
    if (known?.version === version) return known.digest;
    const hash = createHash("sha256");
    for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
    const digest = { bytes: size, sha256: hash.digest("hex") };
    digests.delete(path);
    digests.set(path, { version, digest });
    const [oldest] = digests.keys();
    if (digests.size > MOST_DIGESTS && oldest !== undefined) digests.delete(oldest);
    return digest;
  } finally {
    await handle.close();
  }
}
