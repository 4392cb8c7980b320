/** @file A checkpoint directory opened for text: engine, tokenizer, chat template and what the model says of its own use. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { baseModelOf, openPolicy } from "../run/index.js";
import { findChatTemplate, loadTokenizer, type SectionMarkers, THINKING, type Tokenizer } from "../text/index.js";
import { samplingOfConfig } from "./sampling-fields.js";
import { createTextModel } from "./text-model.js";
import type { OpenTextModelOptions, TextModel } from "./types.js";

/** Markers of DeepSeek's, Qwen's and SmolLM's thinking sections. */
const THINK: SectionMarkers = { start: "<think>", end: "</think>" };

/** Throws where weights, tokenizer, template or generation_config.json cannot be used; the text files are read first. */
export async function openTextModel(options: OpenTextModelOptions): Promise<TextModel> {
  const { model, name = baseModelOf(resolve(model)).name, adapters = {}, policy: given } = options;
  const tokenizerDir = options.tokenizer ?? (await tokenizerOf(model, Object.values(adapters)));
  const [tokenizer, template, config, generation] = await Promise.all([
    loadTokenizer(tokenizerDir),
    findChatTemplate(tokenizerDir),
    readOptionalJson(join(model, "config.json")),
    readOptionalJson(join(model, "generation_config.json")),
  ]);
  const defaults = samplingOfConfig(generation, join(model, "generation_config.json"));
  const policy = given ?? (await openPolicy(policyOptions(options, tokenizerDir)));
  return createTextModel({
    name,
    policy,
    tokenizer,
    ...(template !== undefined && { template }),
    contextLength: policy.info.contextLength,
    adapters: Object.keys(adapters),
    stopTokenIds: stopIds(tokenizer, [config, generation]),
    defaults,
    markers: options.markers ?? markersOf(tokenizer),
    close: async () => {
      if (given === undefined) await policy.close();
    },
  });
}

function policyOptions(options: OpenTextModelOptions, tokenizer: string): Parameters<typeof openPolicy>[0] {
  const { model, threads, device, precision, rolloutWeights, cacheFolder, adapters } = options;
  return {
    model,
    tokenizer,
    trainable: { kind: "none" },
    seed: 0,
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
    ...(precision !== undefined && { precision }),
    ...(rolloutWeights !== undefined && { rolloutWeights }),
    ...(cacheFolder !== undefined && { cacheFolder }),
    ...(adapters !== undefined && { adapters }),
  };
}

/** An adapter whose training added tokens brings the tokenizer that has them; several adapters share the model's. */
async function tokenizerOf(model: string, adapters: readonly string[]): Promise<string> {
  const [adapter] = adapters;
  if (adapter === undefined || adapters.length > 1) return model;
  const files = ["tokenizer.json", "tokenizer_config.json"].map((file) => readOptional(join(adapter, file)));
  return (await Promise.all(files)).every((text) => text !== undefined) ? adapter : model;
}

function markersOf(tokenizer: Tokenizer): readonly SectionMarkers[] {
  return tokenizer.tokenId(THINK.start) === undefined ? [THINKING] : [THINKING, THINK];
}

/** Every id that any of the model's files calls an end of sequence. */
function stopIds(tokenizer: Tokenizer, configs: readonly Readonly<Record<string, unknown>>[]): number[] {
  const named = configs.flatMap((config) => [config["eos_token_id"] ?? []].flat());
  return [...new Set([tokenizer.eosTokenId, ...named.filter((id) => Number.isSafeInteger(id))])] as number[];
}

async function readOptionalJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readOptional(path);
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new Error(`${path} is not JSON: ${(cause as Error).message}; download it again`, { cause });
  }
  throw new Error(`${path}: expected a JSON object; download it again`);
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}
