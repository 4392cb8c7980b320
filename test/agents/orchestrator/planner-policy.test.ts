/** @file The planner's policy, decision by decision: it reads results, so other results bring other moves. */
import { describe, expect, it } from "vitest";
import { type OrchestratorTask, parseOrchestratorTask } from "../../../src/agents/orchestrator/orchestrator-task.js";
import { nextMove } from "../../../src/agents/orchestrator/planner-policy.js";
import { toolsNamedIn } from "../../../src/agents/orchestrator/planner-recovery.js";
import type { ToolRecord } from "../../../src/agents/orchestrator/tool-records.js";

const TASK = parseOrchestratorTask({
  corpus: "/notes",
  questions: ["Q1?", "Q2?"],
  topics: ["shells", "bones"],
  pairsPerRound: 12,
});
const taskWith = (change: Partial<OrchestratorTask>): OrchestratorTask => ({ ...TASK, ...change });

const done = (name: string, args: ToolRecord["args"], data: Record<string, unknown>): ToolRecord => ({
  name,
  args,
  ok: true,
  data,
});
const failed = (name: string, args: ToolRecord["args"], error: string): ToolRecord => ({
  name,
  args,
  ok: false,
  error,
});

const ingested = done("ingest-corpus", { path: "/notes" }, { passages: 9, documents: 3, teacher: "t" });
const looked = (...sources: string[]): ToolRecord =>
  done("retrieve-context", { query: "q" }, { passages: sources.map((source) => ({ source })) });

interface Reply {
  readonly score: number;
  readonly thinking?: string;
  readonly answer?: string;
}
const answered = (question: string, { score, thinking = "t", answer = "a" }: Reply): ToolRecord =>
  done("recursive-reason", { question }, { answer, best: 1, rounds: [{ thinking, score }] });
const evaluated = (reply: Reply): ToolRecord[] => TASK.questions.map((question) => answered(question, reply));
const SILENT = { score: 0, thinking: "" };

const made = (
  topic: string,
  count: number,
  { made = count, dropped = {} }: { made?: number; dropped?: object } = {},
): ToolRecord => done("generate-preference-pair", { topic, count }, { made, failures: [], dropped, pairsFile: "p" });
const trained = (first: number, last: number, lossType = "orpo"): ToolRecord =>
  done(
    "train-iteration",
    {},
    { steps: 5, loss: { first, last }, lossType, pairs: 12, dropped: {}, totalSteps: 5, checkpoint: "c" },
  );

const BASELINE = [ingested, ...evaluated(SILENT)];
const PAIRS = [made("shells", 4), made("bones", 4), made("shells", 4)];
const FIRST_ROUND = [...BASELINE, ...PAIRS, trained(4, 3.9)];

/** The next move as a call's name and arguments, or as a verdict with its reason. */
function move(records: readonly ToolRecord[], task = TASK) {
  const next = nextMove(task, records);
  return next.kind === "call" ? { [next.name]: next.args } : next.handIn;
}

describe("before the first training", () => {
  it("ingests, asks every question, and makes pairs on the topics in turn", () => {
    expect(move([])).toEqual({ "ingest-corpus": { path: "/notes" } });
    expect(move([ingested])).toEqual({ "recursive-reason": { question: "Q1?", rounds: 2 } });
    expect(move([ingested, answered("Q1?", SILENT)])).toEqual({ "recursive-reason": { question: "Q2?", rounds: 2 } });
    expect(move(BASELINE)).toEqual({ "generate-preference-pair": { topic: "shells", count: 4 } });
    expect(move([...BASELINE, made("shells", 4)])).toEqual({
      "generate-preference-pair": { topic: "bones", count: 4 },
    });
    expect(move([...BASELINE, ...PAIRS])).toEqual({ "train-iteration": { loss: "orpo" } });
  });

  it("makes more pairs where some are too long to be trained on", () => {
    const long = made("shells", 4, { dropped: { "too long": 3 } });
    expect(move([...BASELINE, long, made("bones", 4), made("shells", 4)])).toEqual({
      "generate-preference-pair": { topic: "bones", count: 3 },
    });
  });

  it("leaves a topic aside that brought fewer pairs than were asked for, and draws by chance when none is left", () => {
    const short = [...BASELINE, made("shells", 4, { made: 1 })];
    expect(move(short)).toEqual({ "generate-preference-pair": { topic: "bones", count: 4 } });
    expect(move([...short, made("bones", 4, { made: 0 })])).toEqual({ "generate-preference-pair": { count: 11 } });
  });

  it("trains on what it has when calls run short, and stops where it has nothing", () => {
    const limits = { ...TASK.limits, toolCalls: 7 };
    expect(move([...BASELINE, made("shells", 4)], taskWith({ limits }))).toEqual({
      "train-iteration": { loss: "orpo" },
    });
    expect(move([...BASELINE, made("shells", 4, { made: 0 })], taskWith({ limits }))).toMatchObject({
      verdict: "unknown",
      reason: expect.stringContaining("no pairs could be made"),
    });
  });
});

describe("after a training", () => {
  it("trains again on the same pairs while the loss fell by a tenth, three times at most", () => {
    const records = [...BASELINE, ...PAIRS];
    expect(move([...records, trained(4, 3)])).toEqual({ "train-iteration": { loss: "orpo" } });
    expect(move([...records, trained(4, 3.7)])).toHaveProperty("recursive-reason");
    // Against what the training before had left, not against its own first step.
    expect(move([...records, trained(4, 3), trained(3.5, 2.8)])).toHaveProperty("recursive-reason");
    expect(move([...records, trained(4, 3), trained(3, 2), trained(2, 1)])).toHaveProperty("recursive-reason");
  });

  it("goes on with EXO once most replies think and answer, and with ORPO until then", () => {
    const next = (reply: Reply) => move([...FIRST_ROUND, ...evaluated(reply), ...PAIRS]);
    expect(next({ score: 0.8 })).toEqual({ "train-iteration": { loss: "exo_pair" } });
    expect(next({ score: 0.8, answer: "" })).toEqual({ "train-iteration": { loss: "orpo" } });
  });

  it("does not take one EXO training's loss for a fall that another would go on with: its reference moves", () => {
    const records = [...FIRST_ROUND, ...evaluated({ score: 0.8 }), ...PAIRS, trained(3, 1, "exo_pair")];
    expect(move(records)).toHaveProperty("recursive-reason");
  });

  it("makes another round where the last one brought something, and stops where it brought nothing", () => {
    expect(move([...FIRST_ROUND, ...evaluated({ score: 0.5 })])).toHaveProperty("generate-preference-pair");
    expect(move([...FIRST_ROUND, ...evaluated({ score: 0, answer: "" })])).toHaveProperty("generate-preference-pair");
    expect(move([...FIRST_ROUND, ...evaluated(SILENT)])).toMatchObject({
      verdict: "unchanged",
      reason: expect.stringContaining("the last round brought no gain"),
    });
  });

  it("stops after the rounds of the task, and says what came out", () => {
    const records = [...FIRST_ROUND, ...evaluated({ score: 0.5 })];
    const one = taskWith({ rounds: 1 });
    expect(move(records, one)).toMatchObject({
      verdict: "improved",
      reason: expect.stringContaining("0.00 before, 0.50 after"),
    });
    const worse = [ingested, ...evaluated({ score: 0.9 }), ...PAIRS, trained(4, 3.9), ...evaluated({ score: 0.2 })];
    expect(move(worse, one)).toMatchObject({ verdict: "worse" });
  });
});

describe("after an error", () => {
  const topic = { topic: "quarks", count: 4 };

  it.each([
    ["the corpus is empty: call ingest-corpus first", "ingest-corpus"],
    ["no pairs yet: call generate-preference-pair first", "generate-preference-pair"],
    [
      "3 of 3 stored pairs cannot be trained on: call generate-preference-pair again, with other topics",
      "generate-preference-pair",
    ],
    ["stopped after 2 of 5 steps: call train-iteration again to go on", "train-iteration"],
    ["something broke", "train-iteration"],
  ])("%j of train-iteration, it calls %s", (error, name) => {
    expect(move([...BASELINE, failed("train-iteration", { loss: "orpo" }, error)])).toHaveProperty([name]);
  });

  it("about a topic, it looks into the corpus and takes the names of what it finds", () => {
    const none = failed(
      "generate-preference-pair",
      topic,
      'no passage is about "quarks": call retrieve-context to see what it holds',
    );
    const task = taskWith({ topics: ["quarks"] });
    expect(move([...BASELINE, none], task)).toEqual({ "retrieve-context": { query: "quarks" } });
    expect(move([...BASELINE, none, looked("notes/gecko-adhesion.md", "notes/silk.md")], task)).toEqual({
      "generate-preference-pair": { topic: "silk", count: 4 },
    });
  });

  it("gives a call up that failed twice, and goes on without it", () => {
    const broken = failed("recursive-reason", { question: "Q1?" }, "the engine is gone");
    expect(move([ingested, broken])).toEqual({ "recursive-reason": { question: "Q1?" } });
    expect(move([ingested, broken, broken])).toEqual({ "recursive-reason": { question: "Q2?", rounds: 2 } });
    const training = failed("train-iteration", { loss: "orpo" }, "the loss is not finite");
    expect(move([...BASELINE, ...PAIRS, training, training])).toMatchObject({
      verdict: "unknown",
      reason: expect.stringContaining("the training fails (the loss is not finite)"),
    });
  });

  it("does not go round in circles between two tools that name each other", () => {
    const empty = failed("generate-preference-pair", {}, "the corpus is empty: call ingest-corpus first");
    const circle = [empty, ingested];
    const records = [...BASELINE, ...circle, ...circle, ...circle, empty];
    expect(move(records)).not.toHaveProperty("ingest-corpus");
  });

  it("that a limit is reached, it reports", () => {
    const limits = { ...TASK.limits, toolCalls: 3 };
    const refused = failed(
      "generate-preference-pair",
      {},
      "a limit is reached: all 3 calls of tools are made. Call submit-report now",
    );
    expect(move([...BASELINE, refused], taskWith({ limits }))).toMatchObject({ verdict: "unknown" });
  });

  it("reads only names of tools that there are", () => {
    expect(
      toolsNamedIn("Call the police, call train-iteration, or call down-under; then call recursive-reason"),
    ).toEqual(["train-iteration", "recursive-reason"]);
  });
});

it("says which tool's result is not what this package's tool would say", () => {
  const foreign = done("train-iteration", {}, { ok: true });
  expect(() => nextMove(TASK, [...BASELINE, foreign])).toThrow(
    /the result of train-iteration is not that of this package's/,
  );
});
