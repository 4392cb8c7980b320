/** @file A whole training from a config: model, text and data are opened, trained on, and closed. */
import { join } from "node:path";
import { openPolicy } from "../run/index.js";
import {
  type ChatTemplate,
  type Dataset,
  loadChatTemplate,
  loadTokenizer,
  type PreferenceText,
  REFLECT,
  readPreferences,
  readSupervised,
  type SupervisedText,
  type Tokenizer,
  tokenizePreferences,
  tokenizeTexts,
  writeAddedTokens,
} from "../text/index.js";
import { policyOptionsOf, type TrainConfig } from "./train-config.js";
import type { TrainEvent, TrainResult } from "./train-events.js";
import { type TrainHooks, trainOn } from "./train-on.js";
import type { TrainingData } from "./training-data.js";

/** Data as text. What is absent is read from the files that the config names. */
export interface TrainingTexts {
  readonly pairs?: Dataset<PreferenceText>;
  readonly texts?: Dataset<SupervisedText>;
  readonly evalPairs?: Dataset<PreferenceText>;
  readonly evalTexts?: Dataset<SupervisedText>;
}

/**
 * Trains as the config says; `config.model` is a directory. Data and text are checked before the model is opened. The
 * policy is closed at the end, however it comes.
 */
export async function* train(
  config: TrainConfig,
  data: TrainingTexts = {},
  hooks: TrainHooks = {},
): AsyncGenerator<TrainEvent, TrainResult> {
  const texts = await readTrainingTexts(config, data);
  const { tokenizer, trainable } = await markersOf(config);
  const whole: TrainConfig = { ...config, trainable };
  const tokens = await tokenizeData(whole, texts, tokenizer);
  hooks.signal?.throwIfAborted();
  const policy = await openPolicy({ ...policyOptionsOf(whole), tokenizer });
  try {
    if (config.adapter !== undefined && config.resume === false) await policy.loadAdapter(config.adapter);
    return yield* trainOn(policy, tokens, whole, hooks);
  } finally {
    await policy.close();
  }
}

/** Data as text: what is given, and for the rest the files that the config names. */
export async function readTrainingTexts(
  { files, loss }: Pick<TrainConfig, "files" | "loss">,
  given: TrainingTexts = {},
): Promise<TrainingTexts> {
  const pairs = given.pairs ?? (files.pairs === undefined ? undefined : await readPreferences(files.pairs));
  const texts = given.texts ?? (files.texts === undefined ? undefined : await readSupervised(files.texts));
  if (pairs === undefined && texts === undefined) {
    throw new Error(`expected data to train on, found none: give pairs${loss === "sft" ? " or texts" : ""}`);
  }
  const evalPairs =
    given.evalPairs ?? (files.evalPairs === undefined ? undefined : await readPreferences(files.evalPairs));
  const evalTexts =
    given.evalTexts ?? (files.evalTexts === undefined ? undefined : await readSupervised(files.evalTexts));
  return {
    ...(pairs && { pairs }),
    ...(texts && { texts }),
    ...(evalPairs && { evalPairs }),
    ...(evalTexts && { evalTexts }),
  };
}

/** The tokenizer's directory, and what is trained: where markers become tokens, a copy with them, and their rows too. */
async function markersOf({ model, outputDir, thinkingMarkers, markers, trainable }: TrainConfig) {
  if (thinkingMarkers === "text" || trainable.kind !== "lora") return { tokenizer: model, trainable };
  const tokenizer = join(outputDir, "tokenizer");
  const tokens = [...new Set([markers.start, markers.end, REFLECT.start, REFLECT.end])];
  const { ids } = await writeAddedTokens(model, tokenizer, { tokens, special: false });
  const rows = [...new Set([...(trainable.trainableTokenIndices ?? []), ...ids])].sort((a, b) => a - b);
  return { tokenizer, trainable: { ...trainable, trainableTokenIndices: rows } };
}

/** Data as the model of the config reads it; `directory` holds the tokenizer, where that is another one. */
export async function tokenizeData(
  config: TrainConfig,
  data: TrainingTexts,
  directory = config.model,
): Promise<TrainingData> {
  const tokenizer = await loadTokenizer(directory);
  const template = await templateOf(directory);
  const options = optionsOf(config, tokenizer, template);
  const pairs = data.pairs && tokenizePreferences(data.pairs, options);
  const texts = data.texts && tokenizeTexts(data.texts, options);
  const evalPairs = data.evalPairs && tokenizePreferences(data.evalPairs, options);
  const evalTexts = data.evalTexts && tokenizeTexts(data.evalTexts, { ...options, packing: false });
  return {
    ...(pairs && { pairs: pairs.pairs, unmasked: pairs.unmasked }),
    ...(texts && { texts: texts.texts }),
    ...(evalPairs && { evalPairs: evalPairs.pairs }),
    ...(evalTexts && { evalTexts: evalTexts.texts }),
    left: [...(pairs?.left ?? []), ...(texts?.left ?? [])],
    evalLeft: [...(evalPairs?.left ?? []), ...(evalTexts?.left ?? [])],
    promptCut: (pairs?.promptCut ?? 0) + (texts?.promptCut ?? 0),
    unit: data.pairs?.unit ?? data.texts?.unit ?? "row",
  };
}

/** Nothing where the model has no turns: fine for raw text, and where turns are needed the tokenizing says so. */
async function templateOf(model: string): Promise<ChatTemplate | undefined> {
  return loadChatTemplate(model).catch((error: Error) => {
    if (/has neither chat_template/.test(error.message)) return undefined;
    throw error;
  });
}

function optionsOf(config: TrainConfig, tokenizer: Tokenizer, template: ChatTemplate | undefined) {
  const { promptFormat, maxPromptLength, maxLength, packing, mask, includeThinkingTokenInLabels, markers } = config;
  return {
    tokenizer,
    ...(template !== undefined && { template }),
    promptFormat,
    maxPromptLength,
    maxLength,
    packing,
    mask,
    includeThinkingTokenInLabels,
    markers,
  };
}
