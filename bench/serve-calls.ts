/** @file One client's calls of the serving bench: what it asks, and how it reads the stream. Knows nothing of the server's code. */
import { generator } from "./model.js";

const SUBJECTS = ["nacre", "bamboo", "spider silk", "bone", "chitin", "elastin", "keratin", "collagen"];
const QUESTIONS = ["What is", "Why is", "What makes", "Tell me about"];
const SHORTEST = 8;
const LONGEST = 96;
/** Every so many calls hang up, after a few events. */
const HANGS_UP = 6;

export interface PlannedCall {
  readonly text: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  /** Events with text after which the client goes away; undefined: it stays. */
  readonly hangUpAfter: number | undefined;
}

/** The same call for the same number, whoever makes it and whenever. */
export function plannedCall(seed: number, index: number): PlannedCall {
  const random = generator(seed * 1_000_003 + index);
  const below = (limit: number): number => Math.floor(random() * limit);
  const text = `${QUESTIONS[below(QUESTIONS.length)]} ${SUBJECTS[below(SUBJECTS.length)]}?`;
  const maxTokens = SHORTEST + below(LONGEST - SHORTEST + 1);
  const temperature = below(4) === 0 ? 0 : 0.8;
  const hangUpAfter = index % HANGS_UP === HANGS_UP - 1 ? 1 + below(2) : undefined;
  return { text, maxTokens, temperature, seed: index, hangUpAfter };
}

export interface Reply {
  /** Thinking and answer, as far as they came. */
  readonly text: string;
  readonly tokens: number;
  /** undefined: the client hung up before the end. */
  readonly finish: string | undefined;
  readonly ms: number;
  readonly firstTokenMs: number;
}

interface ChatEvent {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number } | null;
  readonly error?: { readonly message: string };
}

/** Streams one call. Throws where the server refuses it, or the stream ends without having said why, or is no UTF-8. */
export async function call(url: string, model: string, plan: PlannedCall, timeoutMs: number): Promise<Reply> {
  const hangUp = new AbortController();
  const started = performance.now();
  const response = await fetch(`${url}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model,
      messages: [{ role: "user", content: plan.text }],
      max_tokens: plan.maxTokens,
      temperature: plan.temperature,
      seed: plan.seed,
      stream: true,
      stream_options: { include_usage: true },
    }),
    signal: AbortSignal.any([hangUp.signal, AbortSignal.timeout(timeoutMs)]),
  });
  if (!response.ok || response.body === null) throw new Error(`status ${response.status}: ${await response.text()}`);
  let text = "";
  let finish: string | undefined;
  let tokens = 0;
  let texts = 0;
  let firstTokenMs = Number.NaN;
  let isDone = false;
  let isGone = false;
  for await (const data of eventData(response.body)) {
    if (data === "[DONE]") {
      isDone = true;
      continue;
    }
    const event = JSON.parse(data) as ChatEvent;
    if (event.error !== undefined) throw new Error(`in the stream: ${event.error.message}`);
    const [choice] = event.choices ?? [];
    const piece = `${choice?.delta?.reasoning_content ?? ""}${choice?.delta?.content ?? ""}`;
    if (piece !== "" && texts === 0) firstTokenMs = performance.now() - started;
    if (piece !== "") texts += 1;
    text += piece;
    finish = choice?.finish_reason ?? finish;
    tokens = event.usage?.completion_tokens ?? tokens;
    if (plan.hangUpAfter !== undefined && texts >= plan.hangUpAfter && finish === undefined) {
      isGone = true;
      break;
    }
  }
  const ms = performance.now() - started;
  // Leaving the loop has closed the body; this closes the connection, too.
  if (isGone) hangUp.abort();
  if (isGone) return { text, tokens, finish: undefined, ms, firstTokenMs };
  if (!isDone || finish === undefined)
    throw new Error(`the stream ended without ${isDone ? "a finish_reason" : "[DONE]"}`);
  return { text, tokens, finish, ms, firstTokenMs };
}

/** What follows "data: " in each event, however the bytes were cut on their way. */
export async function* eventData(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const events = rest.split("\n\n");
    rest = events.pop() as string;
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data: "));
      if (lines.length > 0) yield lines.map((line) => line.slice(6)).join("\n");
    }
  }
  decoder.decode();
}

/** The value that `share` of all are not above (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Whether a reply given in company is the one that the same request gets alone: all of it, or its start where the client left. */
export const isSameReply = (before: Reply, alone: Reply): boolean =>
  before.finish === undefined
    ? alone.text.startsWith(before.text)
    : alone.text === before.text && alone.finish === before.finish;
