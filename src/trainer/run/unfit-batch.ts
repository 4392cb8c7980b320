/** @file What is wrong with a batch before anything runs. */
import { lossOptionsProblems } from "../losses/index.js";
import type { StepOptions, TrainBatch } from "./policy.js";
import { needsReference } from "./train-feeds.js";

/** Throws one error with every problem of a step; `context` is the longest row that the model can read. */
export function refuseUnfitBatch({ pairs, texts, reference }: TrainBatch, options: StepOptions, context: number): void {
  const { loss } = options;
  if (loss !== "sft" && pairs.length === 0)
    throw new Error(`a step by ${loss} needs at least one pair; none was given`);
  const problems = loss === "sft" || loss === "orpo" ? [] : lossOptionsProblems(loss, options);
  pairs.forEach(({ prompt, chosen, rejected }, i) => {
    const length = prompt.length + Math.max(chosen.ids.length, rejected.ids.length);
    if (length > context) problems.push(`pair ${i} has ${length} tokens, the model's context holds ${context}`);
  });
  texts.forEach(({ ids }, i) => {
    if (ids.length > context) problems.push(`text ${i} has ${ids.length} tokens, the model's context holds ${context}`);
  });
  if (needsReference(loss) && reference?.length !== pairs.length) {
    problems.push(
      `${loss} needs the reference's scores of its ${pairs.length} pairs, found ${reference?.length ?? "none"}: take them from scorePairs(pairs, { weights: "reference" })`,
    );
  }
  if (problems.length > 0) throw new Error(`the step cannot be taken:\n  - ${problems.join("\n  - ")}`);
}
