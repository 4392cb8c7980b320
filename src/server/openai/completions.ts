/** @file POST /v1/completions: raw prompts continued, whole or as a stream of chunks. */
import { randomUUID } from "node:crypto";
import type { GeneratedToken, RawRequest, TextModel, TextPart } from "../../trainer/generate/index.js";
import type { Admission } from "./admission.js";
import { type CompletionBody, completionRequestSchema } from "./completion-request.js";
import { badRequest } from "./errors.js";
import type { Call, Handler } from "./http.js";
import { type CompletionLogprobs, completionLogprobs } from "./logprobs.js";
import { parseRequest } from "./parse-request.js";
import { adapterOf, type Served } from "./served.js";
import type { EventStream } from "./sse.js";
import { asClientError, samplingOf, streamAll, usageOf } from "./text-requests.js";

/** OpenAI's default; a raw prompt has no natural end. */
const DEFAULT_MAX_TOKENS = 16;

export function completionsHandler(served: Served, admission: Admission): Handler {
  return async ({ body, signal, events }) => {
    const asked = parseRequest(completionRequestSchema, body);
    const adapter = adapterOf(served, asked.model);
    const head = {
      id: `cmpl-${randomUUID()}`,
      object: "text_completion",
      created: Math.floor(Date.now() / 1000),
      model: asked.model,
      system_fingerprint: served.fingerprint,
    };
    try {
      const model = await served.raw();
      const requests = rawRequests(model, asked, adapter);
      return await admission.run(requests.length, async () => {
        if (asked.stream === true) return await streamCompletions(model, requests, asked, head, { events, signal });
        const replies = await model.generate(requests, { signal });
        const choices = replies.map(({ text, tokens, finishReason }, index) => ({
          index,
          text,
          logprobs: tokens === undefined ? null : logprobsOf(asked, model)(tokens),
          finish_reason: finishReason,
        }));
        const usages = replies.map(({ usage }) => usage);
        return { ...head, choices, usage: usageOf(usages, asked.n ?? 1) };
      });
    } catch (error) {
      throw asClientError(error);
    }
  };
}

/** All choices of the first prompt, then all of the second, as OpenAI numbers them. */
function rawRequests(model: TextModel, asked: CompletionBody, adapter: { adapter?: string }): RawRequest[] {
  return asked.prompt.flatMap((given, i) => {
    const prompt = typeof given === "string" ? given : textOf(model, given, i);
    const maxNewTokens = asked.max_tokens ?? defaultLength(model, prompt);
    return Array.from({ length: asked.n ?? 1 }, (_, choice) => ({
      prompt,
      ...(asked.logprobs !== undefined && { logprobs: true }),
      ...adapter,
      sampling: samplingOf(asked, maxNewTokens, choice),
    }));
  });
}

function defaultLength(model: TextModel, prompt: string): number {
  return Math.min(DEFAULT_MAX_TOKENS, model.contextLength - model.prepare({ prompt }).ids.length);
}

/** Token ids as the text that they are of; throws 400 where the model would read that text as other ids. */
function textOf(model: TextModel, ids: readonly number[], index: number): string {
  const param = `prompt[${index}]`;
  const { vocabSize } = model.tokenizer;
  const beyond = ids.find((id) => id >= vocabSize);
  if (beyond !== undefined) {
    throw badRequest(`${param}: expected token ids below ${vocabSize}, found ${beyond}`, "prompt");
  }
  const text = model.tokenizer.decode(ids);
  const read = model.tokenizer.encode(text);
  if (read.length === ids.length && read.every((id, i) => id === ids[i])) return text;
  throw badRequest(
    `${param}: these token ids are not how this model's tokenizer writes their text; send the text`,
    "prompt",
  );
}

/** At temperature 0 and without a penalty the token that is drawn is the likeliest, which is all that is known of others. */
function logprobsOf({ logprobs, temperature, repetition_penalty }: CompletionBody, { defaults }: TextModel) {
  const penalty = repetition_penalty ?? defaults.repetitionPenalty ?? 1;
  return completionLogprobs(logprobs === 1 && (temperature ?? defaults.temperature) === 0 && penalty === 1);
}

async function streamCompletions(
  model: TextModel,
  requests: readonly RawRequest[],
  asked: CompletionBody,
  head: object,
  { events, signal }: Pick<Call, "events" | "signal">,
): Promise<undefined> {
  const withUsage = asked.stream_options?.include_usage === true;
  const chunk = { ...head, ...(withUsage && { usage: null }) };
  const choices = requests.map((_, index) => new StreamedCompletion(index, logprobsOf(asked, model), chunk, events));
  const usages = requests.map(() => ({ promptTokens: 0, completionTokens: 0 }));
  await streamAll(model, requests, signal, async (part, i) => {
    if (part.kind === "end") usages[i] = part.reply.usage;
    await choices[i]?.send(part);
  });
  if (withUsage) await events.send({ ...chunk, choices: [], usage: usageOf(usages, asked.n ?? 1) });
  await events.done();
  return undefined;
}

class StreamedCompletion {
  #tokens: GeneratedToken[] = [];
  readonly #shape: (tokens: readonly GeneratedToken[]) => CompletionLogprobs;

  constructor(
    readonly index: number,
    shape: (tokens: readonly GeneratedToken[]) => CompletionLogprobs,
    readonly chunk: object,
    readonly events: EventStream,
  ) {
    this.#shape = shape;
  }

  async send(part: TextPart): Promise<void> {
    if (part.kind === "tokens") this.#tokens.push(...part.tokens);
    else if (part.kind === "content") await this.#chunk(part.text, null);
    else if (part.kind === "end") await this.#chunk("", part.reply.finishReason);
  }

  #chunk(text: string, finish: string | null): Promise<void> {
    const tokens = this.#tokens;
    this.#tokens = [];
    const logprobs = tokens.length === 0 ? null : this.#shape(tokens);
    const choice = { index: this.index, text, logprobs, finish_reason: finish };
    return this.events.send({ ...this.chunk, choices: [choice] });
  }
}
