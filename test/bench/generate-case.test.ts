import { describe, expect, it } from "vitest";
import { parseGenerateOptions } from "../../bench/generate-options.js";
import { casePrompts } from "../../bench/generate-ours.js";

describe("casePrompts", () => {
  it("begin differently for every row of every case, so that no prefix is in a cache", () => {
    const cases = [1, 8].flatMap((batch) => [16, 128, 1024].map((prompt) => ({ batch, prompt })));
    const starts = cases.flatMap((of) => casePrompts(of, 49_152).map((ids) => ids.slice(0, 4).join()));
    expect(new Set(starts).size).toBe(starts.length);
  });

  it("are the same whenever they are asked for", () => {
    expect(casePrompts({ batch: 2, prompt: 8 }, 100)).toEqual(casePrompts({ batch: 2, prompt: 8 }, 100));
  });
});

describe("parseGenerateOptions", () => {
  it("has twelve cases of 256 tokens by default", () => {
    const { weights, batches, prompts, newTokens } = parseGenerateOptions([]);
    expect([weights.length * batches.length * prompts.length, newTokens]).toEqual([12, 256]);
  });

  it("names all problems at once", () => {
    const parse = () => parseGenerateOptions(["--weights", "int4,int3", "--batch", "1,x", "--new-tokens", "2,3"]);
    expect(parse).toThrow(/--weights: .*int4,int3[\s\S]*--batch: .*1,x[\s\S]*--new-tokens: .*one number/);
  });
});
