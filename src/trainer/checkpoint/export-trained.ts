/** @file What was trained, in the form that others take: a PEFT adapter, a merged model, or a GGUF adapter. */
import { copyFile, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readAdapterDir, writeAdapterFiles } from "./adapter-dir.js";
import { openCheckpointDir } from "./checkpoint-dir.js";
import { writeGgufAdapter } from "./gguf-adapter.js";
import { mergeAdapter } from "./merge-adapter.js";
import { exists, writeStagedDirectory } from "./staged-directory.js";
import { MANIFEST_NAME, readVerified } from "./train-state.js";

export const EXPORT_FORMATS = ["adapter", "merged", "gguf"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly format: ExportFormat;
  /** A PEFT adapter directory, or a checkpoint of a LoRA training. */
  readonly adapter: string;
  /** Directory of the base model; for the format `adapter` it may be left out. */
  readonly model?: string;
  /** A directory that does not exist, or for GGUF a file that does not. */
  readonly output: string;
  /** Of the matrices in a GGUF file; default F32. */
  readonly dtype?: "F32" | "F16";
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
  gguf: async ({ model, adapter, output, dtype = "F32" }) => {
    const { config } = await openCheckpointDir(needed(model, "gguf"));
    await writeGgufAdapter(output, await readAdapterDir(adapter), { config, dtype });
  },
};

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

async function checkSource({ adapter, model }: ExportOptions): Promise<void> {
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
