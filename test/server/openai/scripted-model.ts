/** @file A text model that says what it is told to, a part at a time, and remembers what it was asked; and a server of it. */
import OpenAI from "openai";
import { afterEach } from "vitest";
import { type ApiServerOptions, createApiServer, type Served } from "../../../src/server/openai/index.js";
import {
  type ChatRequest,
  type GeneratedToken,
  type PreparedRequest,
  type RawRequest,
  type TextModel,
  type TextPart,
  type TextReply,
  type TextRequest,
  TextRequestError,
} from "../../../src/trainer/generate/index.js";
import type { Embedder, Policy, Tokenizer } from "../../../src/trainer/index.js";

export const token = (text: string, logp: number, id = 1): GeneratedToken => ({
  id,
  text,
  logp,
  bytes: new TextEncoder().encode(text),
});

/** What the model answers: parts but the last, which is made of them. */
export interface Script {
  readonly parts: readonly TextPart[];
  readonly finishReason?: "stop" | "length";
  /** Called before each part. */
  readonly before?: (signal: AbortSignal) => Promise<void>;
}

export const says = (text: string): Script => ({ parts: [{ kind: "content", text }] });

export interface Scripted {
  readonly model: TextModel;
  readonly asked: TextRequest[];
  /** Requests whose signal was aborted before their end, or whose loop was left. */
  readonly left: TextRequest[];
  /** The most requests that ran at once. */
  readonly most: () => number;
}

const PROMPT_TOKENS = 7;

function replyOf({ parts, finishReason = "stop" }: Script, request: TextRequest): TextReply {
  const joined = (kind: "reasoning" | "content"): string =>
    parts.flatMap((part) => (part.kind === kind ? [part.text] : [])).join("");
  const tokens = parts.flatMap((part) => (part.kind === "tokens" ? part.tokens : []));
  const seed = request.sampling?.seed ?? 0;
  return {
    text: joined("content"),
    reasoning: joined("reasoning"),
    content: joined("content"),
    toolCalls: parts.flatMap((part) => (part.kind === "toolCall" ? [part.call] : [])),
    ids: new Int32Array(parts.length),
    ...(request.logprobs === true && { tokens }),
    finishReason,
    seed,
    usage: { promptTokens: PROMPT_TOKENS, completionTokens: parts.length },
  };
}

/** A tokenizer whose ids are the codes of ASCII characters. */
const TOKENIZER: Tokenizer = {
  encode: (text) => Int32Array.from(Buffer.from(text, "latin1")),
  decode: (ids) => Buffer.from(Array.from(ids).filter((id) => id > 0)).toString("latin1"),
  tokenId: () => undefined,
  vocabSize: 128,
  eosTokenId: 0,
  addsBos: false,
} as Partial<Tokenizer> as Tokenizer;

export function scripted(script: (request: TextRequest) => Script, adapters: readonly string[] = []): Scripted {
  const asked: TextRequest[] = [];
  const left: TextRequest[] = [];
  let running = 0;
  let most = 0;
  async function* run(request: TextRequest, signal: AbortSignal = new AbortController().signal) {
    let ended = false;
    most = Math.max(most, ++running);
    try {
      asked.push(request);
      const told = script(request);
      for (const part of told.parts) {
        await told.before?.(signal);
        signal.throwIfAborted();
        if (part.kind !== "tokens" || request.logprobs === true) yield part;
      }
      ended = true;
      yield { kind: "end", reply: replyOf(told, request) } satisfies TextPart;
    } finally {
      running--;
      if (!ended) left.push(request);
    }
  }
  const finish = async (request: TextRequest, signal?: AbortSignal): Promise<TextReply> => {
    for await (const part of run(request, signal)) if (part.kind === "end") return part.reply;
    throw new Error("the script has no end");
  };
  const model: Partial<TextModel> = {
    name: "small",
    policy: { info: {} } as Policy,
    tokenizer: TOKENIZER,
    contextLength: 128,
    adapters,
    defaults: {},
    prepare: (request) => ({ ids: TOKENIZER.encode(rawOf(request).prompt) }) as PreparedRequest,
    generate: (requests, options) => Promise.all(requests.map((request) => finish(request, options?.signal))),
    stream: (request, options) => run(request, options?.signal),
  };
  return { model: model as TextModel, asked, left, most: () => most };
}

export const EMBEDDER = {
  info: { model: "/models/mini", modelHash: "", dimensions: 3, maxTokens: 5, normalized: true, prompts: {} },
  embed: async (texts: readonly string[]) => texts.map((text) => Float32Array.of(text.length, -0.5, 1 / 3)),
  countTokens: (text: string) => text.split(" ").length + 2,
  close: async () => undefined,
} satisfies Embedder;

export const FINGERPRINT = "preflexor_0_float32_abc";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

export interface Running {
  /** http://127.0.0.1:port */
  readonly origin: string;
  readonly client: OpenAI;
  readonly close: (graceMs: number) => Promise<void>;
  /** Failures that the server kept to itself. */
  readonly errors: unknown[];
}

/** A server that ends with the test. */
export async function serve(
  { model }: Pick<Scripted, "model">,
  options: Partial<Omit<ApiServerOptions, "served">> & Partial<Pick<Served, "embedder">> = {},
): Promise<Running> {
  const { embedder, ...http } = options;
  const errors: unknown[] = [];
  const server = createApiServer({
    served: {
      text: model,
      raw: async () => model,
      fingerprint: FINGERPRINT,
      created: 1_700_000_000,
      ...(embedder !== undefined && { embedder }),
    },
    maxQueue: 64,
    host: "127.0.0.1",
    onError: (error) => errors.push(error),
    ...http,
  });
  const origin = await server.listen(0);
  open.push(() => server.close(0));
  const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: options.apiKey ?? "unused", maxRetries: 0 });
  return { origin, client, close: (graceMs) => server.close(graceMs), errors };
}

export const chatOf = (request: TextRequest | undefined): ChatRequest => request as ChatRequest;
export const rawOf = (request: TextRequest | undefined): RawRequest => request as RawRequest;

export const refuse = (field: string, message: string): never => {
  throw new TextRequestError([{ field, message, request: 0 }]);
};

/** Resolves once `holds`, which must come true soon. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!holds()) {
    if (Date.now() > end) throw new Error("it did not come true");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
