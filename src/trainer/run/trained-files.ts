/** @file What training leaves on disk: the adapter or the model with its tokenizer, and the vectors that continue it. */
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  type AdapterConfig,
  type CheckpointDir,
  readAdapterDir,
  type TokenIndices,
  writeAdapterFiles,
  writeModelDir,
} from "../checkpoint/index.js";
import {
  type LoraSpec,
  type ThetaLayout,
  type TokenRowModule,
  type TrainableSpec,
  tokenRowsName,
} from "../model/index.js";
import type { BaseModel } from "./policy.js";

/** Files that turn text into ids; they travel with whatever was trained on those ids. */
const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "special_tokens_map.json",
  "added_tokens.json",
];

const ROW_MODULES: readonly TokenRowModule[] = ["model.embed_tokens", "lm_head"];

export interface WriteTrainedOptions {
  /** What an adapter names as its base; default {@link baseModelOf} the checkpoint's path. */
  readonly baseModel?: BaseModel;
  /** Directory of the tokenizer that the training used; default the checkpoint's. */
  readonly tokenizer?: string;
}

/**
 * What others can find a model by. A path inside a Hugging Face cache holds the hub id and the commit; any other
 * directory gives its own name, because the rest of its path means nothing on another machine.
 */
export function baseModelOf(path: string): BaseModel {
  const [, name, revision] = /(?:^|[\\/])models--([^\\/]+)[\\/]snapshots[\\/]([0-9a-f]{40})[\\/]?$/.exec(path) ?? [];
  if (name === undefined || revision === undefined) return { name: basename(path) };
  return { name: name.replaceAll("--", "/"), revision };
}

/** A PEFT adapter in float32, or a whole model in the dtype of the checkpoint it came from; with tokenizer files either way. */
export async function writeTrained(
  directory: string,
  checkpoint: CheckpointDir,
  trainable: TrainableSpec,
  layout: ThetaLayout,
  theta: Float32Array,
  options: WriteTrainedOptions = {},
): Promise<void> {
  if (trainable.kind === "none") throw new Error("nothing was trained: there is nothing to write");
  const slices = new Map(layout.entries.map(({ name, offset, size }) => [name, theta.subarray(offset, offset + size)]));
  const files = await tokenizerFiles(options.tokenizer ?? checkpoint.path);
  if (trainable.kind === "full") {
    const dtype = checkpoint.tensors.get("model.embed_tokens.weight")?.dtype ?? "F32";
    const kept = dtype === "F16" || dtype === "BF16" ? dtype : "F32";
    await writeModelDir(directory, checkpoint.config, slices, kept, files);
    return;
  }
  await mkdir(directory, { recursive: true });
  const config = adapterConfig(trainable, layout, options.baseModel ?? baseModelOf(checkpoint.path));
  const modules = adapterModules(layout, slices);
  const tokenRows = ROW_MODULES.flatMap((path) => {
    const values = slices.get(tokenRowsName(path));
    return values === undefined ? [] : [{ path, hidden: checkpoint.config.hiddenSize, values }];
  });
  await writeAdapterFiles(directory, { config, modules, tokenRows });
  for (const file of files) await copyFile(file, join(directory, basename(file)));
}

async function tokenizerFiles(directory: string): Promise<string[]> {
  const present = new Set(await readdir(directory));
  return TOKENIZER_FILES.filter((file) => present.has(file)).map((file) => join(directory, file));
}

function adapterConfig(trainable: LoraSpec, layout: ThetaLayout, base: BaseModel): AdapterConfig {
  const { r, loraAlpha, targetModules, loraDropout = 0, useRslora } = trainable;
  const indices = tokenIndicesOf(layout);
  return {
    baseModelNameOrPath: base.name,
    ...(base.revision === undefined ? {} : { revision: base.revision }),
    r,
    loraAlpha,
    loraDropout,
    ...(useRslora ? { useRslora } : {}),
    targetModules,
    ...(indices === undefined ? {} : { trainableTokenIndices: indices }),
  };
}

function tokenIndicesOf({ entries }: ThetaLayout): TokenIndices | undefined {
  const [embedding, head] = ROW_MODULES.map(
    (module) => entries.find(({ name }) => name === tokenRowsName(module))?.tokenIndices,
  );
  if (embedding === undefined) return undefined;
  return head === undefined ? { embed_tokens: embedding } : { embed_tokens: embedding, lm_head: head };
}

function adapterModules({ entries }: ThetaLayout, slices: ReadonlyMap<string, Float32Array>) {
  return entries
    .filter(({ name }) => name.endsWith(".lora_A.weight"))
    .map(({ name, shape }) => {
      const path = name.slice(0, -".lora_A.weight".length);
      const b = entries.find((entry) => entry.name === `${path}.lora_B.weight`);
      return {
        path,
        inFeatures: shape[1] as number,
        outFeatures: b?.shape[0] as number,
        loraA: slices.get(name) as Float32Array,
        loraB: slices.get(`${path}.lora_B.weight`) as Float32Array,
      };
    });
}

/** The LoRA that an adapter directory holds, to open a policy that can load it. */
export async function readAdapterSpec(directory: string): Promise<LoraSpec> {
  return specOf((await readAdapterDir(directory)).config);
}

function specOf({ trainableTokenIndices: indices, ...config }: AdapterConfig): LoraSpec {
  const { r, loraAlpha, loraDropout, useRslora, targetModules } = config;
  return {
    kind: "lora",
    r,
    loraAlpha,
    targetModules,
    ...(loraDropout ? { loraDropout } : {}),
    ...(useRslora ? { useRslora } : {}),
    ...(indices === undefined ? {} : { trainableTokenIndices: indices.embed_tokens }),
    ...(indices?.lm_head === undefined ? {} : { trainHeadRows: true }),
  };
}

/** Theta from a PEFT adapter directory. Its rank, scale, layers and tokens must be those of `trainable`. */
export async function readTrained(
  directory: string,
  trainable: TrainableSpec,
  layout: ThetaLayout,
): Promise<Float32Array> {
  if (trainable.kind !== "lora") throw new Error(`${directory} is an adapter; open the policy with a LoRA to load it`);
  const { config, modules, tokenRows = [] } = await readAdapterDir(directory);
  const problems = configProblems(trainable, layout, config);
  const values = new Map<string, Float32Array>(
    modules.flatMap(({ path, loraA, loraB }) => [
      [`${path}.lora_A.weight`, loraA] as const,
      [`${path}.lora_B.weight`, loraB] as const,
    ]),
  );
  for (const { path, values: rows } of tokenRows) values.set(tokenRowsName(path as TokenRowModule), rows);
  const theta = new Float32Array(layout.length);
  for (const { name, offset, size } of layout.entries) {
    const found = values.get(name);
    if (found?.length === size) theta.set(found, offset);
    else problems.push(`${name}: expected ${size} numbers, found ${found?.length ?? "none"}`);
    values.delete(name);
  }
  for (const name of values.keys()) problems.push(`${name}: not trained by this policy`);
  if (problems.length > 0)
    throw new Error(`the adapter in ${directory} does not fit:\n  - ${problems.slice(0, 12).join("\n  - ")}`);
  return theta;
}

function configProblems(trainable: LoraSpec, layout: ThetaLayout, config: AdapterConfig): string[] {
  const tokens = (indices: TokenIndices | undefined): string => JSON.stringify(indices ?? "none");
  const fields = [
    ["rank", trainable.r, config.r],
    ["lora_alpha", trainable.loraAlpha, config.loraAlpha],
    ["use_rslora", trainable.useRslora ?? false, config.useRslora ?? false],
    ["trainable_token_indices", tokens(tokenIndicesOf(layout)), tokens(config.trainableTokenIndices)],
  ] as const;
  return fields.flatMap(([name, expected, found]) =>
    expected === found ? [] : [`${name}: expected ${expected}, found ${found}`],
  );
}
