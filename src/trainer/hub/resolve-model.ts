/** @file What a user names as a model: a directory on disk, or a hub id that is downloaded once. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { downloadModel, type HubOptions } from "./download-model.js";
import { parseModelId } from "./model-id.js";

export interface ResolvedModel {
  /** Absolute path of the model directory. */
  readonly path: string;
  /** Where it comes from the hub: what adapter_config.json calls base_model_name_or_path and revision. */
  readonly hubId?: string;
  readonly commit?: string;
  /** What the user should know, e.g. that the hub could not be asked. */
  readonly notice?: string;
}

/** A directory that is there wins over a hub id of the same spelling. */
export async function resolveModel(idOrPath: string, options: HubOptions): Promise<ResolvedModel> {
  const info = await stat(idOrPath).catch(() => undefined);
  if (info?.isDirectory()) return { path: resolve(idOrPath) };
  if (info)
    throw new Error(`${idOrPath} is a file: expected a model directory (give the folder that holds config.json)`);
  const id = parseModelId(idOrPath);
  if (id !== undefined) return downloadModel(id, options);
  throw new Error(
    `there is no directory ${idOrPath}, and it is no hub id: expected the path of a Hugging Face model directory, or owner/name, such as HuggingFaceTB/SmolLM2-135M-Instruct, with @revision behind it if wanted`,
  );
}
