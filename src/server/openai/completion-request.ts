/** @file The body of POST /v1/completions. */
import { z } from "zod";
import { commonFields, only } from "./fields.js";

/** Prompts in one request; each is a sequence of its own. */
const MAX_PROMPTS = 128;

const tokenIds = z.array(z.int().min(0)).min(1);

/** A text, a list of texts, token ids, or a list of those; the schema makes a list of each. */
const promptField = z.preprocess(
  (value) => {
    if (typeof value === "string") return [value];
    return Array.isArray(value) && typeof value[0] === "number" ? [value] : value;
  },
  z
    .array(z.union([z.string(), tokenIds], { error: "expected text or a list of token ids" }), {
      error: "expected a text, token ids, or a list of either",
    })
    .min(1)
    .max(MAX_PROMPTS),
);

export const completionRequestSchema = z
  .strictObject({
    ...commonFields,
    prompt: promptField,
    max_tokens: z.int().min(1).optional(),
    logprobs: z.union([z.literal(0), z.literal(1)], { error: "expected 0 or 1" }).optional(),
    best_of: z.int().min(1).optional(),
    echo: only<false>(
      (value) => value === false,
      "is not supported: put the prompt in front of the completion yourself",
    ),
    suffix: only<"">((value) => value === "", "is not supported: the model writes what follows a prompt"),
  })
  .refine(({ best_of, n }) => best_of === undefined || best_of === (n ?? 1), {
    path: ["best_of"],
    error: "is supported where it equals n: every completion that is drawn is returned",
  });

export type CompletionBody = z.output<typeof completionRequestSchema>;
