/** @file `preflexor generate`: a prompt in, a reply out, while it is made. */
import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import type { TextMessage, TextModel, TextReply, TextRequest } from "../trainer/index.js";
import { type CommandFrame, runInFrame } from "./command-frame.js";
import { closeWhenStopped } from "./models.js";
import { inFlags, type OpenText, openText } from "./open-text.js";
import type { TextFlags } from "./text-flags.js";

export interface GenerateRunOptions extends TextFlags {
  readonly prompt?: string;
  readonly file?: string;
  readonly prefill?: string;
  /** Default: chat where the model has a chat template. */
  readonly form?: "chat" | "raw";
  /** Samples. */
  readonly n: number;
  readonly json: boolean;
}

interface Timing {
  readonly openMs: number;
  /** Absent where nothing was generated. */
  readonly firstTokenMs?: number;
  readonly generateMs: number;
  /** Of all samples together. */
  readonly tokensPerSecond: number;
}

/** Generates and prints; resolves to the exit code. */
export async function runGenerate(options: GenerateRunOptions): Promise<number> {
  return runInFrame({ verbose: options.verbose, explain: inFlags }, async (frame) => {
    const { display, signal, onEnd } = frame;
    const prompt = await promptText(options);
    // Without sections the text passes as the model writes it, markers and all.
    const open = await openText(options, display, signal, options.json ? {} : { markers: [] });
    onEnd(() => open.model.close());
    onEnd(closeWhenStopped(open.model.policy, signal));
    await generate(requestsOf(prompt, options, open), options, open, frame);
    return 0;
  });
}

async function promptText({ prompt, file }: GenerateRunOptions): Promise<string> {
  if (prompt !== undefined && file !== undefined) throw new Error("expected --prompt or --file, found both");
  if (prompt !== undefined) return prompt;
  if (file === undefined && process.stdin.isTTY) {
    throw new Error("expected a prompt, found none: give --prompt, --file, or a text on stdin");
  }
  const read = file === undefined ? readAll(process.stdin) : readFile(file, "utf8");
  const text = await read.catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`--file: ${cause.code === "ENOENT" ? `there is no file ${file}` : cause.message}`, { cause });
  });
  // echo and editors end a text with a line's end that nobody meant.
  return text.replace(/\r?\n$/, "");
}

function requestsOf(
  prompt: string,
  options: GenerateRunOptions,
  { model, sampling, adapter }: OpenText,
): TextRequest[] {
  const form = options.form ?? (model.template === undefined ? "raw" : "chat");
  const { system, prefill, n, json } = options;
  if (form === "raw" && (system !== undefined || prefill !== undefined)) {
    throw new Error("the model has no chat template: leave out --system and --prefill, or take an instruct model");
  }
  const messages: readonly TextMessage[] = [
    ...(system === undefined ? [] : [{ role: "system", content: system } as const]),
    { role: "user", content: prompt },
  ];
  return Array.from({ length: n }, (_, i) => ({
    ...(form === "raw" ? { prompt } : { messages, ...(prefill !== undefined && { prefill }) }),
    sampling: { ...sampling, ...(sampling.seed !== undefined && { seed: sampling.seed + i }) },
    adapter,
    logprobs: json,
  }));
}

async function generate(
  requests: readonly TextRequest[],
  options: GenerateRunOptions,
  { model, openMs }: OpenText,
  { display, signal }: CommandFrame,
): Promise<void> {
  const streamed = !options.json && requests.length === 1;
  const start = performance.now();
  let firstTokenMs: number | undefined;
  let ended = true;
  if (!streamed)
    display.phase(`generate ${requests.length} ${requests.length === 1 ? "sample" : "samples"}`, requests.length);
  const replies = await model.generate(requests, {
    signal,
    onPart: (part) => {
      if (part.kind === "end") return;
      firstTokenMs ??= performance.now() - start;
      if (!streamed || part.kind !== "content") return;
      process.stdout.write(part.text);
      ended = part.text.endsWith("\n");
    },
    ...(!streamed && { onProgress: (done: number, total: number) => display.progress(done, total) }),
  });
  display.end();
  if (streamed && !ended) process.stdout.write("\n");
  const generateMs = performance.now() - start;
  const tokens = replies.reduce((sum, { ids }) => sum + ids.length, 0);
  const timing: Timing = {
    openMs,
    ...(firstTokenMs !== undefined && { firstTokenMs }),
    generateMs,
    tokensPerSecond: (1000 * tokens) / Math.max(generateMs, 1e-3),
  };
  if (options.json) process.stdout.write(`${JSON.stringify(resultOf(replies, model, timing))}\n`);
  else if (!streamed) printSamples(replies);
  display.line(noteOf(replies, timing));
}

function resultOf(replies: readonly TextReply[], { name, policy }: TextModel, timing: Timing): object {
  const sum = (count: (reply: TextReply) => number): number => replies.reduce((total, each) => total + count(each), 0);
  return {
    command: "generate",
    model: name,
    device: policy.info.device,
    weights: policy.info.rolloutWeights,
    samples: replies.map(({ tokens = [], ids, ...reply }) => ({
      ...reply,
      ids: [...ids],
      logps: tokens.map(({ logp }) => logp),
    })),
    usage: {
      promptTokens: sum(({ usage }) => usage.promptTokens),
      completionTokens: sum(({ usage }) => usage.completionTokens),
    },
    timing,
  };
}

function printSamples(replies: readonly TextReply[]): void {
  replies.forEach(({ text, seed }, i) => {
    process.stdout.write(`--- sample ${i + 1} of ${replies.length}, seed ${seed}\n${text.replace(/\n?$/, "\n")}`);
  });
}

function noteOf(replies: readonly TextReply[], { firstTokenMs, tokensPerSecond }: Timing): string {
  const tokens = replies.reduce((sum, { ids }) => sum + ids.length, 0);
  const [reply] = replies;
  const one = replies.length === 1 && reply !== undefined ? `, ended by ${reply.finishReason}, seed ${reply.seed}` : "";
  const first = firstTokenMs === undefined ? "" : `, the first after ${Math.round(firstTokenMs)} ms`;
  return `${tokens} tokens${first}, ${tokensPerSecond.toFixed(1)} tokens/s${one}`;
}
