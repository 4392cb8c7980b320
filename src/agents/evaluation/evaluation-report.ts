/** @file The result of an evaluation as one JSON object: what was measured, and all that is needed to measure it again. */
import { z } from "zod";
import { THINKING_MODES } from "./thinking-mode.js";

const share = z.number().min(0).max(1);
const count = z.number().int().nonnegative();
const verdict = z.number().int().min(0).max(1);
const interval = { low: z.number(), high: z.number() };

const proportionFields = { share, count, n: count, ...interval, halfWidth: z.number().nonnegative() };
const proportionSchema = z.strictObject(proportionFields);
const meanFields = { mean: z.number(), n: count, ...interval };
const meanSchema = z.strictObject(meanFields);

const pairedSchema = z.strictObject({
  before: share,
  after: share,
  difference: z.number(),
  n: count,
  ...interval,
  lost: count.describe("right before, wrong after"),
  gained: count.describe("wrong before, right after"),
  p: share.describe("McNemar's exact test, two-sided"),
});

const marksSchema = z.strictObject({
  n: count,
  chance: share,
  accuracy: proportionSchema,
  byType: z.array(z.strictObject({ type: z.string(), chance: share, ...proportionFields })).readonly(),
  byGoldPosition: z.array(z.strictObject({ position: count, ...proportionFields })).readonly(),
  bothOrders: proportionSchema.nullable(),
  markable: proportionSchema,
  ended: proportionSchema,
  thinks: proportionSchema,
  thinkingRight: proportionSchema.nullable(),
  rightWithWrongThinking: proportionSchema.nullable(),
  wrongWithRightThinking: proportionSchema.nullable(),
  meanThinkingTokens: z.number().nonnegative().nullable(),
  verdicts: z.array(verdict).readonly(),
});

const judgedSchema = z.strictObject({
  judge: z.string(),
  n: count,
  wins: count,
  losses: count,
  ties: count,
  unjudged: count,
  withoutJudge: count,
  winRate: proportionSchema.nullable(),
  p: share.describe("exact sign test of wins against losses, two-sided"),
  bouts: z
    .array(
      z.strictObject({
        outcome: z.enum(["win", "loss", "tie", "unjudged"]),
        shownFirst: z.enum(["ours", "theirs"]).optional(),
        reason: z.string().optional(),
      }),
    )
    .readonly(),
});

const thinking = z.enum(THINKING_MODES);

const splitSchema = z.strictObject({
  split: z.string(),
  thinking,
  greedy: marksSchema,
  passAtK: z.array(z.strictObject({ k: count, ...meanFields })).readonly(),
  byDepth: z
    .array(
      z.strictObject({
        rounds: count,
        accuracy: proportionSchema,
        meanRounds: z.number(),
        change: pairedSchema.nullable(),
      }),
    )
    .readonly()
    .describe("empty where no rounds were asked for, and where thinking was not asked for"),
  against: z
    .strictObject({ other: marksSchema, change: pairedSchema.nullable(), judged: judgedSchema.nullable() })
    .nullable()
    .describe("change: the other before, the model after"),
});

const pairMeasure = z.strictObject({ accuracy: proportionSchema, margin: meanSchema });

const pairsSchema = z.strictObject({
  file: z.string(),
  leftOut: z.array(z.strictObject({ number: count, reason: z.string() })).readonly(),
  n: count,
  referenceFree: pairMeasure,
  againstBase: pairMeasure.nullable(),
  change: pairedSchema.nullable(),
  margins: z.array(z.number()).readonly(),
});

const openSchema = z.strictObject({
  file: z.string(),
  thinking,
  n: count,
  thinks: proportionSchema,
  answered: proportionSchema,
  ended: proportionSchema,
  meanThinkingTokens: z.number().nonnegative().nullable(),
  overlap: meanSchema.nullable(),
  judged: judgedSchema.nullable(),
});

/** One model as it was measured: its name, its content, and what it ran on. */
const modelSchema = z.strictObject({
  name: z.string(),
  hash: z.string(),
  adapter: z.strictObject({ path: z.string(), sha256: z.string() }).nullable(),
  device: z.string(),
  precision: z.string(),
  weights: z.string(),
});

export const evaluationReportSchema = z.strictObject({
  command: z.literal("eval"),
  format: z.literal(1),
  version: z.string(),
  invocation: z.string().describe("what to type to measure it again"),
  model: modelSchema,
  against: z.strictObject({ name: z.string(), sha256: z.string().nullable() }).nullable(),
  environment: z.strictObject({ name: z.string(), seed: z.number().int() }).nullable(),
  seed: z.number().int().nonnegative(),
  sampling: z
    .strictObject({ maxNewTokens: count, samples: count, temperature: z.number(), topP: z.number() })
    .describe("temperature and topP are those of the samples; all else is greedy"),
  limit: count.nullable(),
  critic: z.string().nullable(),
  splits: z.array(splitSchema).readonly(),
  pairs: pairsSchema.nullable(),
  openQuestions: z.array(openSchema).readonly(),
});

export type EvaluationReport = z.infer<typeof evaluationReportSchema>;
export type SplitReport = EvaluationReport["splits"][number];
export type PairsReport = NonNullable<EvaluationReport["pairs"]>;
export type OpenReport = EvaluationReport["openQuestions"][number];
export type EvaluatedModelFacts = EvaluationReport["model"];
