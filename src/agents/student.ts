/** @file The model that learns, with what is needed to talk to it: user turns in, replies out, in one batch. */
import {
  type ChatMessage,
  type ChatTemplate,
  concatIds,
  encodeMarked,
  type Policy,
  THINKING,
  type Tokenizer,
  withBos,
} from "../trainer/index.js";

export interface Student {
  readonly policy: Policy;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
}

export interface Sampling {
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
}

export interface StudentTurn {
  /** A user turn, or a whole conversation that ends with one. */
  readonly prompt: string | readonly ChatMessage[];
  readonly seed: number;
  /** What the reply begins with; the model goes on from there. */
  readonly prefill?: string;
}

export interface Reply {
  /** The whole reply, the pre-fill included. */
  readonly text: string;
  readonly finish: "stop" | "length";
  /** Tokens that were drawn: neither the pre-fill nor the end of the turn. */
  readonly newTokens: number;
}

export interface ReplyOptions extends Sampling {
  /** As in the trainer's SamplingOptions: "off" is the bare base model. Default: as trained so far. */
  readonly adapter?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (finished: number, total: number) => void;
}

/** Ids of a turn as the model was trained on them: prompt and reply are separate segments. */
export function turnIds({ tokenizer, template }: Omit<Student, "policy">, turn: StudentTurn): Int32Array {
  const messages = typeof turn.prompt === "string" ? [{ role: "user", content: turn.prompt } as const] : turn.prompt;
  const prompt = withBos(tokenizer.encode(template.render(messages, { addGenerationPrompt: true })), tokenizer);
  return concatIds(prompt, encodeMarked(turn.prefill ?? "", THINKING, tokenizer).ids);
}

/** All replies of one batched call, in the order of the turns. */
export async function replies(
  student: Student,
  turns: readonly StudentTurn[],
  options: ReplyOptions,
): Promise<Reply[]> {
  options.signal?.throwIfAborted();
  if (turns.length === 0) return [];
  const requests = turns.map((turn) => ({ ids: turnIds(student, turn), seed: turn.seed }));
  const generations = await student.policy.generate(requests, {
    ...options,
    stopTokenIds: [student.tokenizer.eosTokenId],
  });
  return generations.map(({ ids, finish }, i) => ({
    text: (turns[i]?.prefill ?? "") + student.tokenizer.decode(ids),
    finish,
    newTokens: ids.length,
  }));
}
