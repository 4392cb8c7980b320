/** @file A whole evaluation with scripted models: what the report holds, and what it looks like. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EnvironmentQuestion } from "../../src/agents/environments/index.js";
import {
  type EvaluationReport,
  evaluationMarkdown,
  evaluationReportSchema,
  type MarkingEnvironment,
  type PairJudge,
} from "../../src/agents/index.js";
import { lineDisplay } from "../../src/server/demo-display.js";
import type { EvalContext } from "../../src/server/eval-context.js";
import { measure } from "../../src/server/eval-measure.js";
import { parseJsonLines, readStoredReplies, replyJournal } from "../../src/server/eval-replies.js";
import { parsePreferences } from "../../src/trainer/index.js";
import { scriptedStudent } from "../agents/scripted-student.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "preflexor-eval-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const question = (id: string): EnvironmentQuestion => ({
  id,
  type: "colour",
  split: "unseen-material",
  subject: id,
  text: `Which colour has ${id}?`,
  candidates: ["red", "blue"],
});
const QUESTIONS = ["a", "b", "c", "d"].map(question);
const environment: MarkingEnvironment = {
  chance: () => 0.5,
  check: (_, reply) => ({ right: reply.endsWith("red"), markable: true, thinkingRight: undefined }),
};

/** Right about all but d; the opponent is right about a alone. */
const student = () => scriptedStudent((prompt) => (prompt.includes(" d?") ? "blue" : "<|thinking|>t<|/thinking|>red"));
const opponent = () => scriptedStudent((prompt) => (prompt.includes(" a?") ? "red" : "green"));
const judge: PairJudge = {
  name: "prefers red",
  comparePair: async ({ a, b }) => ({ winner: a === b ? "tie" : a === "red" ? "a" : b === "red" ? "b" : "tie" }),
};

const PAIRS = '{"prompt":"p","chosen":"good","rejected":"bad"}\n{"prompt":"p","chosen":"same","rejected":"same"}\n';

async function context(overrides: Partial<EvalContext> = {}): Promise<EvalContext> {
  return {
    model: {
      respondent: student(),
      hasBase: true,
      opponent: { kind: "model", name: "other", sha256: null, respondent: opponent() },
    },
    inputs: {
      environment: { name: "colours", seed: 1, environment, splits: [QUESTIONS], world: { documents: [] } },
      pairs: { ...(await parsePreferences(new TextEncoder().encode(PAIRS), "pairs.jsonl")), file: "pairs.jsonl" },
      questions: { file: "q.jsonl", list: [{ id: "0", text: "Which colour has d?", reference: "blue" }] },
      judge,
    },
    plan: {
      environment: "colours",
      sampling: { samples: 2, ks: [1, 2], temperature: 1, topP: 1 },
      depths: [1, 2],
      judge: "x",
    },
    thinking: ["on", "off"],
    maxNewTokens: 8,
    seed: 7,
    recursion: {
      critic: "scripted",
      reason: async () => [
        { reply: "blue", score: 0, hasAnswer: true },
        { reply: "red", score: 1, hasAnswer: true },
      ],
    },
    journal: replyJournal(),
    display: lineDisplay(() => undefined),
    signal: new AbortController().signal,
    ...overrides,
  };
}

async function reportOf(overrides: Partial<EvalContext> = {}): Promise<EvaluationReport> {
  return {
    command: "eval",
    format: 1,
    version: "0.0.0",
    invocation: "preflexor eval --k 1,2",
    model: {
      name: "scripted",
      hash: "0123456789abcdef",
      adapter: { path: "out/adapter", sha256: "fedcba9876543210" },
      device: "none",
      precision: "float32",
      weights: "float32",
    },
    against: { name: "other", sha256: null },
    environment: { name: "colours", seed: 1 },
    seed: 7,
    sampling: { maxNewTokens: 8, samples: 2, temperature: 1, topP: 1 },
    limit: null,
    critic: "scripted",
    ...(await measure(await context(overrides))),
  };
}

describe("an evaluation", () => {
  it("measures every split in every way of asking, and compares on the same questions", async () => {
    const { splits } = await reportOf();
    expect(splits.map(({ split, thinking }) => `${split} ${thinking}`)).toEqual([
      "unseen-material on",
      "unseen-material off",
    ]);
    const [on, off] = splits;
    expect(on?.greedy.verdicts).toEqual([1, 1, 1, 0]);
    expect(on?.passAtK).toMatchObject([
      { k: 1, mean: 0.75, n: 4 },
      { k: 2, mean: 0.75, n: 4 },
    ]);
    expect(on?.byDepth.map(({ accuracy }) => accuracy.share)).toEqual([0, 1]);
    expect(on?.byDepth[1]?.change).toMatchObject({ gained: 4, lost: 0, p: 2 / 2 ** 4 });
    expect(off?.byDepth).toEqual([]);
    expect(on?.against?.other.verdicts).toEqual([1, 0, 0, 0]);
    expect(on?.against?.change).toMatchObject({ before: 0.25, after: 0.75, gained: 2, lost: 0 });
    // a: the same answer; b and c: red against green; d: blue against green.
    expect(on?.against?.judged).toMatchObject({ wins: 2, losses: 0, ties: 2, unjudged: 0, withoutJudge: 1 });
  });
  it("scores pairs beside the base, and names those that cannot be scored", async () => {
    const { pairs } = await reportOf();
    expect(pairs).toMatchObject({ n: 1, leftOut: [{ number: 2, reason: "chosen and rejected are the same" }] });
    expect(pairs?.referenceFree.accuracy).toMatchObject({ count: 1, n: 1 });
    expect(pairs?.againstBase?.margin.mean).toBe(0);
  });
  it("sums up what nobody can mark", async () => {
    const { openQuestions } = await reportOf();
    expect(openQuestions).toMatchObject([
      { thinking: "on", n: 1, thinks: { count: 0 }, answered: { count: 1 }, overlap: { mean: 1 }, judged: { ties: 1 } },
      { thinking: "off" },
    ]);
  });
  it("is one object that the schema takes as it is, after a way through JSON", async () => {
    const report = await reportOf();
    expect(evaluationReportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
    expect(() => evaluationReportSchema.parse({ ...report, extra: 1 })).toThrow();
    expect(() => evaluationReportSchema.parse({ ...report, seed: undefined })).toThrow();
  });
  it("is written out with intervals, chance and the command", async () => {
    const markdown = evaluationMarkdown(await reportOf());
    // Wilson, 3 of 4: 0.3006 to 0.9544.
    expect(markdown).toContain("| accuracy | 75.0 % [30.1, 95.4] (3 of 4), chance 50.0 % |");
    expect(markdown).toContain("    preflexor eval --k 1,2");
    expect(markdown).toContain("| · change | +50.0 points [+0.0, +100.0]: 2 gained, 0 lost, McNemar p = 0.500 |");
    expect(markdown).toContain("| judged by prefers red | 2 wins, 0 losses, 2 ties, 0 not judged |");
    for (const line of markdown.split("\n").filter((each) => each.startsWith("|"))) {
      expect(line.match(/(?<!\\)\|/g)).toHaveLength(3);
    }
  });
  it("stops where it is told to", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(context({ signal }).then(measure)).rejects.toThrow("stopped");
  });
});

describe("replies on disk", () => {
  it("are compared with as if the model were asked again", async () => {
    const file = join(directory, "other.jsonl");
    const written = await context({ model: { respondent: opponent(), hasBase: false, opponent: undefined } });
    await measure(written);
    await written.journal.write(file);
    const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
    // 4 questions, two ways of asking, one greedy reply and two samples; and the open question in both ways.
    expect(lines).toHaveLength(2 * 4 * 3 + 2);
    expect(JSON.parse(lines[0]!)).toEqual({
      id: "a",
      split: "unseen-material",
      type: "colour",
      question: "Which colour has a?",
      thinking: "on",
      sample: 0,
      reply: "red",
      ended: true,
      right: true,
      markable: true,
      thinkingRight: null,
    });
    const stored = { kind: "stored", name: file, ...(await readStoredReplies(file)) } as const;
    const model = { respondent: student(), hasBase: true };
    const [asked, read] = [await reportOf(), await reportOf({ model: { ...model, opponent: stored } })];
    expect(read.splits).toEqual(asked.splits);
    expect(stored.sha256).toMatch(/^[0-9a-f]{64}$/);
  });
  it("must hold every question that is asked", async () => {
    const file = join(directory, "few.jsonl");
    await writeFile(file, '{"question": "Which colour has a?", "reply": "red"}\n');
    const opponent = { kind: "stored", name: file, ...(await readStoredReplies(file)) } as const;
    const asked = reportOf({ model: { respondent: student(), hasBase: true, opponent } });
    await expect(asked).rejects.toThrow("has no reply to 3 of 4 questions (thinking on)");
  });
  it("are read back as the model's likeliest: a drawn one is passed over, and one without a mode stands for all", async () => {
    const file = join(directory, "drawn.jsonl");
    const row = { question: "q", thinking: "on", sample: 0, reply: "greedy", ended: false };
    const rows = [{ ...row, sample: 1, reply: "drawn" }, row, { question: "r", reply: "any" }];
    await writeFile(file, rows.map((each) => `${JSON.stringify(each)}\n`).join(""));
    const { replies } = await readStoredReplies(file);
    expect(replies.find("q", "on")).toEqual({ text: "greedy", finish: "length" });
    expect(replies.find("q", "off")).toBeUndefined();
    expect(replies.find("r", "forced-off")).toEqual({ text: "any", finish: "stop" });
  });
  it.each([
    ["", "is empty"],
    ["\n \n", "is empty"],
    ["{\n", "line 1: not JSON"],
    ['{"question": "q"}\n[1]\n', "line 1: reply: expected a text"],
    ['{"question": "", "reply": "r"}', "line 1: question: expected a text, found nothing"],
  ])("are refused as %j", async (text, message) => {
    const file = join(directory, "bad.jsonl");
    await writeFile(file, text);
    await expect(readStoredReplies(file)).rejects.toThrow(message);
  });
  it("are refused with all bad lines, the first ten in full", () => {
    const schema = evaluationReportSchema as never;
    const bad = "{}\n".repeat(12);
    expect(() => parseJsonLines(bad, "f.jsonl", schema, "{}")).toThrow(/12 other\(s\)[\s\S]*line 10:[\s\S]*… 2 more/);
  });
  it("a file that is not there is named with its flag", async () => {
    await expect(readStoredReplies(join(directory, "none.jsonl"))).rejects.toThrow(/--against: there is no file/);
  });
});
