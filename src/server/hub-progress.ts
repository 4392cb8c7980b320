/** @file A model named on the command line: its directory, downloaded first where it is on the hub. */
import { resolveModel } from "../trainer/index.js";
import type { Display } from "./demo-display.js";
import type { HubSettings } from "./hub-settings.js";

export interface NamedModel {
  readonly path: string;
  /** What names the same model again: an absolute path, or hub id and commit. */
  readonly name: string;
}

export async function openDirectory(
  model: string,
  hub: HubSettings,
  display: Display,
  signal: AbortSignal,
): Promise<NamedModel> {
  let shown = false;
  const onProgress = ({
    file,
    receivedBytes,
    totalBytes,
  }: {
    file: string;
    receivedBytes: number;
    totalBytes: number;
  }) => {
    if (!shown) display.phase(`download ${model}`, totalBytes);
    shown = true;
    display.progress(receivedBytes, totalBytes, file);
  };
  const { path, hubId, commit, notice } = await resolveModel(model, { ...hub, signal, onProgress });
  if (shown) display.end();
  if (notice !== undefined) display.line(notice);
  return { path, name: hubId === undefined ? path : `${hubId}${commit === undefined ? "" : `@${commit}`}` };
}
