/** @file Fields that chat and completions share: how tokens are drawn, where they end, how the reply is sent. */
import { z } from "zod";

/** Sequences one request may ask for; what runs at once is the admission's to say. */
export const MAX_CHOICES = 128;

/** Each is looked for at every token. */
const MAX_STOPS = 16;

/** A field that clients send and that changes nothing here. */
const ignored = z.unknown().optional();

/** A field that is refused unless it says what holds anyway. */
const only = <T>(allowed: (value: unknown) => boolean, why: string): z.ZodType<T | undefined> =>
  z.custom<T | undefined>((value) => value === undefined || allowed(value), { error: why }).optional();

const PENALTY = "is not supported: leave it out or send 0; repetition_penalty is";
const zero = only<0>((value) => value === 0, PENALTY);

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

export const stopField = z
  .preprocess(
    (value) => (typeof value === "string" ? [value] : value),
    z.array(z.string().min(1, { error: "expected text that is not empty" })).max(MAX_STOPS),
  )
  .optional();

export const commonFields = {
  model: z.string().min(1),
  stream: z.boolean().optional(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional(), include_obfuscation: ignored }).optional(),
  n: z.int().min(1).max(MAX_CHOICES).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().gt(0).max(1).optional(),
  /** Beyond OpenAI's fields, as vLLM and llama.cpp name them; -1 and 0 keep all. */
  top_k: z.int().min(-1).optional(),
  min_p: z.number().min(0).lt(1).optional(),
  repetition_penalty: z.number().gt(0).max(100).optional(),
  seed: z.int().min(0).optional(),
  stop: stopField,
  frequency_penalty: zero,
  presence_penalty: zero,
  logit_bias: only(isEmptyObject, "is not supported: leave it out"),
  user: ignored,
  metadata: ignored,
  store: ignored,
  service_tier: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_options: ignored,
  prompt_cache_retention: ignored,
};

export { ignored, only };
