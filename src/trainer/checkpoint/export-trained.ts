/** @file What was trained, in the form that others take: a PEFT adapter, a merged model, a GGUF adapter or a GGUF model. */
import { copyFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readAdapterDir, writeAdapterFiles } from "./adapter-dir.js";
import { openCheckpointDir } from "./checkpoint-dir.js";
import { writeGgufAdapter } from "./gguf-adapter.js";
import { type GgufModelType, writeGgufModel } from "./gguf-model.js";
import { mergeAdapter } from "./merge-adapter.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import { MANIFEST_NAME, readVerified } from "./train-state.js";

export const EXPORT_FORMATS = ["adapter", "merged", "gguf", "gguf-model"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly format: ExportFormat;
  /** A PEFT adapter directory, or a checkpoint of a LoRA training; for `gguf-model` it may be a whole model. */
  readonly adapter: string;
  /** Directory of the base model; for the format `adapter` it may be left out. */
  readonly model?: string;
  /** A directory that does not exist, or for GGUF a file that does not. */
  readonly output: string;
  /** Of the matrices in a GGUF file; an adapter is f32 or f16. Default f32. */
  readonly dtype?: GgufModelType;
  /** What the exported adapter names as its base; default: what it names now. */
  readonly baseModelName?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Exported {
  readonly format: ExportFormat;
  /** Absolute. */
  readonly output: string;
  readonly bytes: number;
}

const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json"];

/** Writes the export complete or not at all. A checkpoint's bytes are verified, and that it belongs to the base model. */
export async function exportTrained(options: ExportOptions): Promise<Exported> {
  const { format, output } = options;
  if (await exists(output)) throw new Error(`${output} exists already; name another output`);
  await checkSource(options);
  await WRITERS[format](options);
  return { format, output: resolve(output), bytes: await bytesAt(output) };
}

const WRITERS: Readonly<Record<ExportFormat, (options: ExportOptions) => Promise<void>>> = {
  adapter: writePlainAdapter,
  merged: async ({ model, adapter, output, signal, onProgress }) =>
    mergeAdapter({
      model: needed(model, "merged"),
      adapter,
      output,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    }),
  gguf: async ({ model, adapter, output, dtype = "f32" }) => {
    if (dtype !== "f32" && dtype !== "f16") {
      throw new Error(`an adapter in GGUF is f32 or f16, not ${dtype}; the format gguf-model writes the merged model`);
    }
    const { config } = await openCheckpointDir(needed(model, "gguf"));
    await writeGgufAdapter(output, await readAdapterDir(adapter), {
      config,
      dtype: dtype === "f16" ? "F16" : "F32",
    });
  },
  "gguf-model": writeMergedGguf,
};

/** A whole model as it is; an adapter is merged first, in a folder beside the output that goes again. */
async function writeMergedGguf({
  model,
  adapter,
  output,
  dtype = "f32",
  signal,
  onProgress,
}: ExportOptions): Promise<void> {
  const hooks = { ...(signal && { signal }), ...(onProgress && { onProgress }) };
  if (await isWholeModel(adapter)) {
    await writeGgufModel(output, adapter, { type: dtype, ...hooks });
    return;
  }
  const staging = await mkdtemp(join(dirname(resolve(output)), ".merged-"));
  try {
    const merged = join(staging, "model");
    await mergeAdapter({ model: needed(model, "gguf-model"), adapter, output: merged, ...(signal && { signal }) });
    await writeGgufModel(output, merged, { type: dtype, ...hooks });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

const isWholeModel = async (directory: string): Promise<boolean> =>
  !(await exists(join(directory, "adapter_config.json"))) && (await exists(join(directory, "config.json")));

/** Without what only a training needs: vectors, state, manifest. */
async function writePlainAdapter({ adapter: source, output, baseModelName }: ExportOptions): Promise<void> {
  const adapter = await readAdapterDir(source);
  const { revision, ...config } = adapter.config;
  const named = baseModelName === undefined ? adapter.config : { ...config, baseModelNameOrPath: baseModelName };
  const present = new Set(await readdir(source));
  await writeStagedDirectory(output, async (staging) => {
    await writeAdapterFiles(staging, { ...adapter, config: named });
    for (const file of TOKENIZER_FILES.filter((name) => present.has(name))) {
      await copyFile(join(source, file), join(staging, file));
    }
  });
}

function needed(model: string | undefined, format: ExportFormat): string {
  if (model !== undefined) return model;
  throw new Error(`the format ${format} needs the base model; give its directory`);
}

async function checkSource({ adapter, model, format }: ExportOptions): Promise<void> {
  if (format === "gguf-model" && (await isWholeModel(adapter))) return;
  if (!(await exists(join(adapter, "adapter_config.json"))) && (await exists(join(adapter, "model.safetensors")))) {
    throw new Error(`${adapter} holds a whole model (full fine-tuning): it can be used as it is, and has no adapter`);
  }
  if (!(await exists(join(adapter, MANIFEST_NAME)))) return;
  const { identity } = await readVerified(adapter);
  if (model === undefined || typeof identity["baseModel"] !== "string") return;
  const found = await (await openCheckpointDir(model)).hash();
  if (found === identity["baseModel"]) return;
  throw new Error(
    `${adapter} was trained on another model than ${model}: expected SHA-256 ${identity["baseModel"]}, found ${found}`,
  );
}

async function bytesAt(path: string): Promise<number> {
  const info = await stat(path);
  if (!info.isDirectory()) return info.size;
  const sizes = await Promise.all((await readdir(path)).map(async (name) => (await stat(join(path, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
