/** @file A request as token ids and complete sampling parameters, or everything that is wrong with it. */
import { randomInt } from "node:crypto";
import type { SamplingParameters } from "../run/index.js";
import { concatIds, encodeMarked, type SectionMarkers, THINKING, withBos } from "../text/index.js";
import { requestProblems } from "./check-request.js";
import { openSection, renderChat } from "./render-chat.js";
import type { FieldProblem } from "./sampling-fields.js";
import type { PreparedRequest, TextModel, TextRequest, TextSampling } from "./types.js";

export interface PrepareContext
  extends Pick<TextModel, "tokenizer" | "template" | "contextLength" | "adapters" | "stopTokenIds" | "defaults"> {
  readonly markers: readonly SectionMarkers[];
}

/** Random seeds are small enough to be typed again. */
const RANDOM_SEEDS = 2 ** 32;

export function prepareRequest(request: TextRequest, context: PrepareContext): PreparedRequest | FieldProblem[] {
  const problems = requestProblems(request, context.adapters);
  if (problems.length > 0) return problems;
  const prompt = promptOf(request, context);
  if ("field" in prompt) return [prompt];
  const { ids, inside } = prompt;
  const sampling = completeSampling(request, ids.length, context);
  if ("field" in sampling) return [sampling];
  return {
    ids,
    seed: request.sampling?.seed ?? randomInt(RANDOM_SEEDS),
    sampling,
    stop: request.sampling?.stop ?? [],
    adapter: request.adapter ?? "on",
    logprobs: request.logprobs ?? false,
    parseTools: "messages" in request && (request.tools ?? []).length > 0,
    ...(inside !== undefined && { inside }),
  };
}

interface Prompt {
  readonly ids: Int32Array;
  readonly inside: SectionMarkers | undefined;
}

function promptOf(request: TextRequest, { tokenizer, template, markers }: PrepareContext): Prompt | FieldProblem {
  if ("prompt" in request) {
    const ids = tokenizer.encode(request.prompt);
    // A start marker elsewhere may be talk of it: "Use <|thinking|>."
    const end = request.prompt.trimEnd();
    const inside = markers.find(({ start }) => end.endsWith(start));
    return { ids: tokenizer.addsBos ? withBos(ids, tokenizer) : ids, inside };
  }
  const rendered = renderChat(request, template);
  if ("field" in rendered) return rendered;
  const { prompt, opening, prefill } = rendered;
  const marked = markers.find(({ start }) => prefill.includes(start)) ?? markers[0] ?? THINKING;
  const ids = concatIds(withBos(tokenizer.encode(prompt), tokenizer), encodeMarked(prefill, marked, tokenizer).ids);
  return { ids, inside: openSection(opening + prefill, markers) };
}

/** The caller's fields over the model's; the length is clamped to the context only where the caller left it out. */
function completeSampling(
  request: TextRequest,
  promptTokens: number,
  { contextLength, defaults, stopTokenIds }: PrepareContext,
): SamplingParameters | FieldProblem {
  const field = "prompt" in request ? "prompt" : "messages";
  const left = contextLength - promptTokens;
  if (promptTokens === 0) {
    return {
      field,
      message: "expected at least one token, found none; the model continues a text and needs a beginning",
    };
  }
  if (left < 1) {
    return {
      field,
      message: `expected at most ${contextLength - 1} tokens, as the model's context has ${contextLength} positions, found ${promptTokens}; shorten the prompt`,
    };
  }
  const asked = request.sampling?.maxNewTokens;
  if (asked !== undefined && asked > left) {
    return {
      field: "sampling.maxNewTokens",
      message: `expected at most ${left}, as ${promptTokens} of the context's ${contextLength} positions are the prompt's, found ${asked}; ask for fewer, or leave it out for all that fit`,
    };
  }
  const given: TextSampling = { temperature: 1, topP: 1, ...defaults, ...defined(request.sampling ?? {}) };
  const { topK, minP, repetitionPenalty } = given;
  return {
    maxNewTokens: asked ?? Math.min(left, defaults.maxNewTokens ?? left),
    temperature: given.temperature ?? 1,
    topP: given.topP ?? 1,
    ...(topK !== undefined && { topK }),
    ...(minP !== undefined && { minP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    stopTokenIds,
  };
}

/** A field that is undefined was left out. */
function defined(sampling: TextSampling): TextSampling {
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}
