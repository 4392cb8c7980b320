/** @file What an evaluation may be asked for, and what does not fit together. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Commands, runCli } from "../../src/server/cli.js";
import { type EvalOptions, planOf } from "../../src/server/eval-plan.js";

let printed = "";
beforeEach(() => {
  printed = "";
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((text) => {
      printed += String(text);
      return true;
    });
  }
});
afterEach(() => vi.restoreAllMocks());

async function parsed(...args: string[]): Promise<EvalOptions | undefined> {
  const seen: EvalOptions[] = [];
  const commands = {
    eval: async (options: EvalOptions) => {
      seen.push(options);
      return 0;
    },
  } as unknown as Commands;
  await runCli(["eval", ...args], undefined, commands);
  return seen[0];
}

const defaults: EvalOptions = {
  worldSeed: 7,
  thinking: ["on"],
  temperature: 1,
  topP: 1,
  seed: 7,
  json: false,
  verbose: false,
  invocation: "preflexor eval",
};

describe("the flags of eval", () => {
  it("without any are the world of the package's model, thinking asked, greedy", async () => {
    const options = await parsed();
    expect(options).toMatchObject(defaults);
    expect(planOf(options!)).toEqual({
      environment: "materials-world",
      sampling: undefined,
      depths: [],
      judge: undefined,
    });
  });
  it("read lists and ranges, and are kept as what to type again", async () => {
    const options = await parsed(
      ...["--k", "1,4", "--rounds", "1..4", "--thinking", "off,on", "--adapter", "out dir", "--json"],
    );
    expect(options).toMatchObject({ k: [1, 4], rounds: [1, 2, 3, 4], thinking: ["on", "off"], json: true });
    expect(options?.invocation).toBe(
      `preflexor eval --adapter ${JSON.stringify(`${process.cwd()}/out dir`)} --thinking on,off --k 1,4 --rounds 1,2,3,4 --json`,
    );
    expect(planOf(options!)).toMatchObject({ sampling: { samples: 4, ks: [1, 4] }, depths: [1, 2, 3, 4] });
  });
  it.each([
    [["--k", "0"], /whole numbers from 1 to 4096/],
    [["--rounds", "4..2"], /whole numbers from 1 to 16/],
    [["--rounds", "1..99"], /whole numbers from 1 to 16/],
    [["--rounds", "two"], /whole numbers from 1 to 16/],
    [["--thinking", "maybe"], /one or more of on, off, forced-off/],
    [["--adapter", "a", "--run", "b"], /cannot be used with/],
    [["--limit", "0"], /whole number, 1 or more/],
    [["--adaptor", "a"], /Did you mean --adapter/],
  ])("refuse %j", async (args, message) => {
    expect(await parsed(...args)).toBeUndefined();
    expect(printed).toMatch(message);
  });
});

describe("a plan", () => {
  const refused = (options: Partial<EvalOptions>): string => {
    try {
      planOf({ ...defaults, ...options });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  it("has only files where only files are given, and both where both are", () => {
    expect(planOf({ ...defaults, pairs: "p.jsonl" }).environment).toBeUndefined();
    expect(planOf({ ...defaults, pairs: "p.jsonl", environment: "materials-world" }).environment).toBe(
      "materials-world",
    );
  });
  it("judges questions by their references where nobody else is named", () => {
    expect(planOf({ ...defaults, questions: "q.jsonl", against: "base" }).judge).toBe("lexical");
    expect(planOf({ ...defaults, questions: "q.jsonl" }).judge).toBeUndefined();
    expect(planOf({ ...defaults, against: "base" }).judge).toBeUndefined();
  });
  it("draws as many samples as the largest k needs, and pass@1 beside what was drawn", () => {
    expect(planOf({ ...defaults, k: [2, 8] }).sampling).toMatchObject({ samples: 8, ks: [2, 8] });
    expect(planOf({ ...defaults, samples: 4 }).sampling).toMatchObject({ samples: 4, ks: [1, 4] });
  });
  it.each<[string, Partial<EvalOptions>, RegExp]>([
    ["an unknown environment", { environment: "mars" }, /--environment: expected materials-world, found mars/],
    ["k above the samples", { k: [1, 8], samples: 4 }, /--k: expected at most the 4 of --samples, found 8/],
    ["samples that are all the same", { samples: 4, temperature: 0 }, /--temperature: at 0 all samples are the same/],
    ["samples of what nobody can mark", { questions: "q", k: [1] }, /only an environment can mark samples/],
    ["rounds without thinking", { rounds: [2], thinking: ["off"] }, /--rounds: .*--thinking on/],
    ["rounds without passages", { rounds: [2], questions: "q" }, /--rounds: only an environment/],
    ["a judge of nothing", { judge: "lexical" }, /--judge: expected --against/],
    ["a lexical judge without references", { judge: "lexical", against: "base" }, /only --questions has/],
    ["a judge of pairs", { judge: "openai:x", against: "base", pairs: "p" }, /pairs are scored, not judged/],
    ["pairs against an adapter", { pairs: "p", against: "other" }, /--against: .*expected base/],
    ["a judge without a provider", { judge: "gpt", against: "base" }, /provider:model, found gpt/],
    ["an output of another kind", { output: "a.txt" }, /--output: .*\.json or \.md, found a\.txt/],
  ])("refuses %s", (_, options, message) => {
    expect(refused(options)).toMatch(message);
  });
  it("names everything that does not fit at once", () => {
    expect(refused({ environment: "mars", k: [9], samples: 1, output: "a.txt" }).split("\n")).toHaveLength(3);
  });
});
