/** @file The settings of the Hugging Face libraries that hold here too: the same cache, token and endpoint as in Python. */
import { join, resolve } from "node:path";
import type { HubOptions } from "../trainer/index.js";

export type HubSettings = Pick<HubOptions, "cacheDir" | "endpoint" | "token" | "tokenFile" | "localFilesOnly">;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT and HF_HUB_OFFLINE; an endpoint that is no URL goes to `problems`. */
export function hubSettings(env: Environment, userHome: string, problems: string[]): HubSettings {
  const path = (text: string): string => resolve(text.replace(/^~(?=$|[\\/])/, userHome));
  const home = path(env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(userHome, ".cache"), "huggingface"));
  const endpoint = env["HF_ENDPOINT"] || undefined;
  if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol))) {
    problems.push(`HF_ENDPOINT: expected an http or https URL, found ${JSON.stringify(endpoint)}`);
  }
  return {
    cacheDir: path(env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || join(home, "hub")),
    ...(endpoint !== undefined && { endpoint }),
    ...(env["HF_TOKEN"] && { token: env["HF_TOKEN"].trim() }),
    tokenFile: path(env["HF_TOKEN_PATH"] || join(home, "token")),
    // The words that Python's library takes for yes.
    localFilesOnly: /^(?:1|on|yes|true)$/i.test(env["HF_HUB_OFFLINE"] ?? ""),
  };
}
