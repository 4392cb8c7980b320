/** @file Preference pairs to tokens: prompt and replies are separate segments, and nothing is cut or dropped uncounted. */
import type { ChatTemplate } from "./chat-template.js";
import type { Prompt } from "./conversation.js";
import { type PromptFormat, promptIds } from "./prompt-ids.js";
import { type ReplyMask, replyLabels } from "./reply-labels.js";
import { encodeMarked, type MarkedTokens } from "./segments.js";
import { concatIds } from "./token-ids.js";
import type { Tokenizer } from "./tokenizer.js";
import type { DropReason, LabelledTokens, SectionMarkers, TokenizedPair, TokenizeOutcome } from "./types.js";

export interface TokenizePairOptions {
  readonly tokenizer: Tokenizer;
  /** Needed for conversations, and for prompts of format "chat". */
  readonly template?: ChatTemplate;
  /** What a prompt is that is a string; default "chat". */
  readonly promptFormat?: PromptFormat;
  /** Tokens of the prompt; a longer one loses its beginning. */
  readonly maxPromptLength: number;
  /** Tokens of prompt and the longer reply, EOS included. */
  readonly maxLength: number;
  readonly mask: ReplyMask;
  readonly includeThinkingTokenInLabels: boolean;
  readonly markers: SectionMarkers;
}

export interface PairText {
  /** Its line or row in a dataset, for errors. */
  readonly number?: number;
  readonly prompt: Prompt;
  readonly chosen: string;
  readonly rejected: string;
}

/** Fewer prompt tokens than this (or than the prompt has) are no question any more: the pair is dropped. */
export const MIN_PROMPT_TOKENS = 16;

/**
 * One pair as tokens, or why not. A prompt that does not fit loses its beginning (BOS stays); replies are never cut.
 * `row` makes the random mask differ from row to row.
 */
export function tokenizePair(pair: PairText, options: TokenizePairOptions, row = 0): TokenizeOutcome {
  const { tokenizer, markers } = options;
  if (pair.chosen.trim() === "" || pair.rejected.trim() === "") return dropped("empty-answer");
  const chosen = encodeMarked(pair.chosen, markers, tokenizer);
  const rejected = encodeMarked(pair.rejected, markers, tokenizer);
  if (chosen.ids.join() === rejected.ids.join()) return dropped("identical-answers");
  if (options.mask === "dynamic-answer" && (endsWithMarker(chosen) || endsWithMarker(rejected))) {
    return dropped("nothing-to-compare");
  }
  const misfit = replyMisfit([chosen, rejected], options.maxLength);
  if (misfit) return dropped(misfit);
  const prompt = promptIds(pair.prompt, options);
  const room = Math.min(options.maxPromptLength, options.maxLength - longest([chosen, rejected]));
  if (room < Math.min(prompt.length, MIN_PROMPT_TOKENS)) return dropped("prompt-too-long");
  const sides = [chosen, rejected].map((reply, side) => labelReply(reply, options, [row, side]));
  const [left, right] = sides as [LabelledReply, LabelledReply];
  const tokens: TokenizedPair = {
    prompt: keepEnd(prompt, room, tokenizer),
    chosen: left.tokens,
    rejected: right.tokens,
  };
  return { kind: "kept", pair: tokens, promptCut: prompt.length > room, unmasked: !left.masked || !right.masked };
}

/** What became of a list of pairs; `indices[i]` is the row that `pairs[i]` came from. */
export interface TokenizedPairs {
  readonly pairs: readonly TokenizedPair[];
  readonly indices: readonly number[];
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Which rows were dropped, and why. */
  readonly drops: readonly { readonly row: number; readonly reason: DropReason }[];
  /** Kept pairs of which a side has no section that the mask could act on. */
  readonly unmasked: number;
  /** Kept pairs whose prompt lost its beginning. */
  readonly promptCut: number;
}

/** Tokenizes every pair and counts what happened to it. */
export function tokenizePairs(list: readonly PairText[], options: TokenizePairOptions): TokenizedPairs {
  const pairs: TokenizedPair[] = [];
  const indices: number[] = [];
  const counts: Record<DropReason, number> = {
    "prompt-too-long": 0,
    "answer-too-long": 0,
    "end-marker-cut": 0,
    "empty-answer": 0,
    "identical-answers": 0,
    "nothing-to-compare": 0,
  };
  const drops: { row: number; reason: DropReason }[] = [];
  let unmasked = 0;
  let promptCut = 0;
  list.forEach((text, row) => {
    const outcome = named(text, row, () => tokenizePair(text, options, row));
    if (outcome.kind === "dropped") {
      counts[outcome.reason]++;
      drops.push({ row, reason: outcome.reason });
    } else {
      pairs.push(outcome.pair);
      indices.push(row);
      if (outcome.unmasked) unmasked++;
      if (outcome.promptCut) promptCut++;
    }
  });
  return { pairs, indices, dropped: counts, drops, unmasked, promptCut };
}

/** A template refuses what it does not know (a system turn, two user turns in a row): the error says where. */
export function named<T>(text: { readonly number?: number }, row: number, tokenize: () => T): T {
  try {
    return tokenize();
  } catch (cause) {
    throw new Error(`row ${text.number ?? row + 1} cannot be tokenized: ${(cause as Error).message}`, { cause });
  }
}

function dropped(reason: DropReason): TokenizeOutcome {
  return { kind: "dropped", reason };
}

/** Length of the longer reply with its EOS. */
function longest(replies: readonly MarkedTokens[]): number {
  return 1 + Math.max(...replies.map((reply) => reply.ids.length));
}

/** A reply that leaves no room for even one prompt token; it says so apart where cutting would have cost an end marker. */
function replyMisfit(replies: readonly MarkedTokens[], maxLength: number): DropReason | undefined {
  if (longest(replies) < maxLength) return undefined;
  const cutsMarker = replies.some((reply) => (reply.ends.at(-1)?.to ?? 0) >= maxLength);
  return cutsMarker ? "end-marker-cut" : "answer-too-long";
}

function endsWithMarker(reply: MarkedTokens): boolean {
  return reply.ends.at(-1)?.to === reply.ids.length;
}

interface LabelledReply {
  readonly tokens: LabelledTokens;
  readonly masked: boolean;
}

function labelReply(reply: MarkedTokens, options: TokenizePairOptions, stream: readonly number[]): LabelledReply {
  const { mask, includeThinkingTokenInLabels } = options;
  const { labels, masked } = replyLabels(reply, { mask, includeThinkingTokenInLabels, stream });
  return { tokens: { ids: concatIds(reply.ids, [options.tokenizer.eosTokenId]), labels }, masked };
}

/** The last `room` tokens of a prompt, BOS in their first place where the prompt has one. */
export function keepEnd(prompt: Int32Array, room: number, tokenizer: Tokenizer): Int32Array {
  if (prompt.length <= room) return prompt;
  const end = prompt.slice(prompt.length - room);
  if (prompt[0] === tokenizer.bosTokenId) end[0] = prompt[0]!;
  return end;
}
