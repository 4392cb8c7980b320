/** @file A preference pair as text: what is stored in pairs.jsonl, exported, and read by the trainer. */
import { z } from "zod";

/** Where a pair came from: enough to make it again. Passages are ids of the passage store. */
export const provenanceSchema = z.object({
  passages: z.array(z.string()),
  teacher: z.string(),
  student: z.string(),
  seed: z.number().int().nonnegative(),
  topic: z.string().optional(),
  question: z.string().optional(),
  /** Phase and round of the run that made it. */
  phase: z.string().optional(),
  round: z.number().int().nonnegative().optional(),
  /** Of the prompts that the agents were given: the first 16 hex digits of their SHA-256. */
  prompts: z.string().optional(),
  /** Samples that the rejected reply was chosen from, the one that was, and by which rule. */
  samples: z.number().int().positive().optional(),
  sample: z.number().int().nonnegative().optional(),
  rule: z.string().optional(),
  verdict: z.record(z.string(), z.unknown()).optional(),
});

/** `prompt` is the user's turn; `chosen` and `rejected` are replies (thinking section included, if any). */
export const preferencePairSchema = z.object({
  prompt: z.string().min(1),
  chosen: z.string().min(1),
  rejected: z.string().min(1),
  provenance: provenanceSchema,
});

export type Provenance = z.infer<typeof provenanceSchema>;
export type PreferencePair = z.infer<typeof preferencePairSchema>;
