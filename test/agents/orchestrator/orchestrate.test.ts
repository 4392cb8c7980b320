/** @file The orchestrator over the real tools: a scripted model on one path, and the planner that is a program through errors, limits and an abort. */
import { AIMessage } from "@langchain/core/messages";
import { fakeModel } from "langchain";
import { afterEach, describe, expect, it } from "vitest";
import {
  createPlanner,
  type OrchestratorEvent,
  orchestrate,
  PLANNER_NAME,
} from "../../../src/agents/orchestrator/index.js";
import { SUBMIT_REPORT } from "../../../src/agents/orchestrator/orchestrator-prompt.js";
import type { SmallContext } from "../../tools/small-context.js";
import { type LearningContext, learningContext } from "./learning-context.js";

const QUESTION = "How much aragonite does nacre contain?";

let opened: LearningContext;
afterEach(() => opened.close());

type Step = readonly [name: string, args: Record<string, unknown>];

/** A model that makes these calls, one a turn. */
function scripted(steps: readonly Step[]): ReturnType<typeof fakeModel> {
  const model = fakeModel();
  for (const [i, [name, args]] of steps.entries()) model.respondWithTools([{ id: `call-${i}`, name, args }]);
  return model;
}

const ask: Step = ["recursive-reason", { question: QUESTION, rounds: 1 }];
const submit: Step = [SUBMIT_REPORT, { verdict: "improved", reason: "It thinks now." }];

describe("with a model that calls tools", () => {
  it("reports what the tools said, whatever the model claims, and the model's verdict", async () => {
    opened = await learningContext();
    const { tools, articles } = opened;
    const model = scripted([
      ["ingest-corpus", { path: articles }],
      ask,
      ["generate-preference-pair", { topic: "gecko adhesion", count: 2 }],
      ["generate-preference-pair", { count: 2 }],
      ["train-iteration", { steps: 4 }],
      ask,
      [SUBMIT_REPORT, { verdict: "worse", reason: "I made 9000 pairs." }],
    ]);
    const report = await orchestrate({ corpus: articles, questions: [QUESTION] }, { model, tools });
    expect(report).toMatchObject({
      verdict: "worse",
      reason: "I made 9000 pairs.",
      ended: "report",
      corpus: { path: articles, documents: 3, teacher: "extractive-teacher" },
      pairs: { made: 4, usable: 4, topics: ["gecko adhesion"], file: (await opened.context.run()).pairsFile },
      steps: 4,
      loss: { first: 1, last: 1 / 4 },
      answers: [
        {
          question: QUESTION,
          before: { answer: "Aragonite, I guess.", thinks: false, score: 0 },
          after: { answer: "About 95 percent.", thinks: true },
        },
      ],
      calls: { tools: { "recursive-reason": 2, "generate-preference-pair": 2 }, failed: 0, model: 7 },
    });
    expect(report.score?.after).toBeGreaterThan(0.5);
  });

  it("tells the model what self-teaching needs, and its task as data", async () => {
    opened = await learningContext();
    const model = scripted([submit]);
    await orchestrate({ corpus: "somewhere", questions: ["Why?"] }, { model, tools: opened.tools });
    const [system, user] = model.calls[0]?.messages ?? [];
    expect(system?.text).toMatch(/baseline[\s\S]*generate-preference-pair[\s\S]*held out[\s\S]*train-iteration/);
    expect(user?.text).toContain('"corpus": "somewhere"');
  });

  it("hands the model a tool's error as text, and goes on", async () => {
    opened = await learningContext();
    const model = scripted([
      ["train-iteration", {}],
      ["train-everything", {}],
      ["retrieve-context", { k: "two" }],
      submit,
    ]);
    const report = await orchestrate({ corpus: "x", questions: ["Why?"] }, { model, tools: opened.tools });
    expect(report.calls).toMatchObject({ failed: 3, model: 4 });
    const errors = model.calls.at(-1)?.messages.filter((message) => message.getType() === "tool") ?? [];
    expect(errors.map((message) => message.text)).toEqual([
      "no pairs yet: call generate-preference-pair first",
      expect.stringContaining("train-everything is not a valid tool"),
      expect.stringContaining("did not match expected schema"),
    ]);
  });

  it("asks again for a report that does not fit", async () => {
    opened = await learningContext();
    const model = scripted([[SUBMIT_REPORT, { verdict: "splendid" }], submit]);
    const report = await orchestrate({ corpus: "x", questions: ["Why?"] }, { model, tools: opened.tools });
    expect(report).toMatchObject({ verdict: "improved", ended: "report", calls: { model: 2 } });
  });

  it("reports an unknown verdict where the model ends in prose", async () => {
    opened = await learningContext();
    const model = fakeModel().respond(new AIMessage("I would rather write a poem."));
    const report = await orchestrate({ corpus: "x", questions: ["Why?"] }, { model, tools: opened.tools });
    expect(report).toMatchObject({
      verdict: "unknown",
      reason: "I would rather write a poem.",
      ended: "prose",
      steps: 0,
    });
    expect(report).not.toHaveProperty("loss");
  });
});

describe("limits", () => {
  it("on tool calls refuse the next one, and still take the report", async () => {
    opened = await learningContext();
    const look: Step = ["retrieve-context", { query: "nacre" }];
    const model = scripted([look, look, look, submit]);
    const task = { corpus: "x", questions: ["Why?"], limits: { toolCalls: 2 } };
    const report = await orchestrate(task, { model, tools: opened.tools });
    expect(report).toMatchObject({ ended: "report", calls: { failed: 3 } });
    const last = model.calls.at(-1)?.messages.at(-1)?.text;
    expect(last).toBe("a limit is reached: all 2 calls of tools are made. Call submit-report now");
  });

  it("on turns end the run, with what was done until then", async () => {
    opened = await learningContext();
    const model = scripted([["ingest-corpus", { path: opened.articles }], ask, ask, ask]);
    const task = { corpus: opened.articles, questions: [QUESTION], limits: { modelCalls: 2 } };
    const report = await orchestrate(task, { model, tools: opened.tools });
    expect(report).toMatchObject({ ended: "limit", verdict: "unknown", calls: { model: 2 } });
    expect(report.answers[0]?.before?.answer).toBe("Aragonite, I guess.");
  });

  it("on trainings leave everything else allowed", async () => {
    opened = await learningContext();
    const { tools, articles } = opened;
    const model = scripted([
      ["ingest-corpus", { path: articles }],
      ["generate-preference-pair", { topic: "nacre tablets" }],
      ["train-iteration", { steps: 1 }],
      ["train-iteration", { steps: 1 }],
      ask,
      submit,
    ]);
    const task = { corpus: articles, questions: [QUESTION], limits: { trainings: 1 } };
    const report = await orchestrate(task, { model, tools });
    expect(report).toMatchObject({ steps: 1, trainings: [{ totalSteps: 1 }], calls: { failed: 1 } });
    expect(report.answers[0]).toHaveProperty("after");
  });
});

describe("the planner that is a program", () => {
  const TASK = {
    questions: [QUESTION],
    pairsPerRound: 4,
    stepsPerTraining: 2,
    topics: ["gecko adhesion", "tendon collagen"],
  };

  it("runs the whole course: baseline, pairs on several topics, ORPO while the loss falls, the questions again, EXO, a verdict", async () => {
    opened = await learningContext();
    const { tools, articles, context } = opened;
    const events: OrchestratorEvent[] = [];
    const onEvent = (event: OrchestratorEvent) => events.push(event);
    const report = await orchestrate({ ...TASK, corpus: articles }, { model: createPlanner(), tools, onEvent });
    expect(report).toMatchObject({
      planner: PLANNER_NAME,
      verdict: "improved",
      ended: "report",
      answers: [{ before: { thinks: false }, after: { thinks: true } }],
      calls: { failed: 0 },
    });
    expect(report.reason).toMatch(/on 1 question, which is too few to prove anything/);
    expect(report.pairs.topics).toEqual(TASK.topics);
    // The scripted loss is 1 over the step: 1 → 1/2, then 1/4, then 1/6, which is the third.
    expect(report.trainings.map(({ lossType }) => lossType)).toEqual(["orpo", "orpo", "orpo", "exo_pair"]);
    expect(report.pairs.made).toBe((await (await context.run()).pairs()).length);
    const names = events.flatMap((event) => (event.kind === "call" ? [event.name] : []));
    expect(names.indexOf("recursive-reason")).toBeLessThan(names.indexOf("generate-preference-pair"));
    expect(names.at(-1)).toBe("recursive-reason");
    // Every turn says why, but the last, which hands in.
    expect(events.filter((event) => event.kind === "turn" && event.why === "")).toHaveLength(1);
  });

  it("calls the same and reports the same when it is run again", async () => {
    const runs: unknown[] = [];
    for (let run = 0; run < 2; run++) {
      opened = await learningContext();
      const calls: unknown[] = [];
      const onEvent = (event: OrchestratorEvent) =>
        event.kind === "call" && event.name !== "ingest-corpus" && calls.push(event);
      const model = createPlanner();
      const { reason, answers, score, pairs } = await orchestrate(
        { ...TASK, corpus: opened.articles },
        { model, tools: opened.tools, onEvent },
      );
      runs.push({ calls, reason, answers, score, failures: pairs.failures });
      if (run === 0) await opened.close();
    }
    expect(runs[0]).toEqual(runs[1]);
  });

  it("looks into the corpus where a topic is not in it, as the error says, and takes a topic from what it finds", async () => {
    opened = await learningContext();
    const { tools, articles } = opened;
    const calls: Step[] = [];
    const onEvent = (event: OrchestratorEvent) => event.kind === "call" && calls.push([event.name, event.args]);
    const task = { ...TASK, corpus: articles, topics: ["chromodynamics"], rounds: 1 };
    const report = await orchestrate(task, { model: createPlanner(), tools, onEvent });
    expect(report.calls.failed).toBe(1);
    const failed = calls.findIndex(([, args]) => args["topic"] === "chromodynamics");
    expect(calls[failed + 1]).toEqual(["retrieve-context", { query: "chromodynamics" }]);
    expect(report.pairs.topics).toEqual(["gecko adhesion", "tendon collagen"]);
    expect(report.verdict).toBe("improved");
  });

  it("ingests again where a tool finds the corpus empty in the middle of the run", async () => {
    let emptied = false;
    opened = await learningContext({}, (context) =>
      withEmptyStoreOnce(
        context,
        () => emptied,
        () => {
          emptied = true;
        },
      ),
    );
    const { tools, articles } = opened;
    const names: string[] = [];
    const onEvent = (event: OrchestratorEvent) => event.kind === "call" && names.push(event.name);
    const report = await orchestrate(
      { ...TASK, corpus: articles, rounds: 1 },
      { model: createPlanner(), tools, onEvent },
    );
    expect(names.filter((name) => name === "ingest-corpus")).toHaveLength(2);
    expect(report).toMatchObject({ verdict: "improved", calls: { failed: 1 } });
  });

  it("tries a failing training once more, and goes on from what the steps before have left", async () => {
    opened = await learningContext();
    const { tools, articles, context } = opened;
    failOnce(context, 1, new Error("the loss is not finite"));
    const report = await orchestrate({ ...TASK, corpus: articles, rounds: 1 }, { model: createPlanner(), tools });
    expect(report.calls.failed).toBe(1);
    expect(report.trainings[0]).toMatchObject({ steps: 2, totalSteps: 3 });
  });

  it("gives up a corpus that is not there, and says so", async () => {
    opened = await learningContext();
    const task = { ...TASK, corpus: `${opened.articles}/none` };
    const report = await orchestrate(task, { model: createPlanner(), tools: opened.tools });
    expect(report).toMatchObject({ verdict: "unknown", steps: 0, calls: { tools: { "ingest-corpus": 2 }, failed: 2 } });
    expect(report.reason).toMatch(/cannot be ingested \(.*nothing to read/);
    expect(report).not.toHaveProperty("corpus");
  });

  it("keeps calls in reserve, so that a small budget still ends in answers after the training", async () => {
    opened = await learningContext();
    // Corpus, baseline, pairs, training, answer: nothing to spare.
    const task = { ...TASK, corpus: opened.articles, pairsPerRound: 100, limits: { toolCalls: 5 } };
    const report = await orchestrate(task, { model: createPlanner(), tools: opened.tools });
    expect(report).toMatchObject({
      ended: "report",
      calls: { failed: 0, tools: { "train-iteration": 1, "recursive-reason": 2 } },
    });
    expect(report.answers[0]).toHaveProperty("after");
  });

  it("ends with the reason of an abort, and the steps of the training under way are kept", async () => {
    opened = await learningContext();
    const { tools, articles, context } = opened;
    const controller = new AbortController();
    const step = context.scripted.policy.trainStep;
    Object.assign(context.scripted.policy, {
      async trainStep(...args: Parameters<typeof step>) {
        if (context.scripted.batches.length === 1) controller.abort(new Error("enough"));
        await new Promise((resolve) => setTimeout(resolve, 5));
        return step(...args);
      },
    });
    const task = { ...TASK, corpus: articles, stepsPerTraining: 1000 };
    await expect(orchestrate(task, { model: createPlanner(), tools, signal: controller.signal })).rejects.toThrow(
      "enough",
    );
    await context.exclusive(new AbortController().signal, async () => undefined);
    expect(context.scripted.saved).toHaveLength(1);
  });
});

/** The store fails at the first pair, as if another client had removed the corpus. */
function withEmptyStoreOnce(context: SmallContext, isDone: () => boolean, done: () => void): SmallContext {
  return {
    ...context,
    async store() {
      if (!isDone() && context.scripted.generateCalls.length > 0) {
        done();
        throw new Error("the corpus is empty: call ingest-corpus first");
      }
      return context.store();
    },
  };
}

function failOnce({ scripted: { policy, batches } }: SmallContext, at: number, error: Error): void {
  const step = policy.trainStep;
  let failed = false;
  Object.assign(policy, {
    async trainStep(...args: Parameters<typeof step>) {
      if (batches.length === at && !failed) {
        failed = true;
        throw error;
      }
      return step(...args);
    },
  });
}

describe("bad input", () => {
  it("is refused before anything runs, with every problem", async () => {
    opened = await learningContext();
    const { tools } = opened;
    const model = createPlanner();
    const run = (task: object) => orchestrate(task as never, { model, tools });
    await expect(run({ corpus: "", questions: [], round: 3 })).rejects.toThrow(
      /^the orchestrator's task: [\s\S]*round[\s\S]*corpus[\s\S]*questions|^the orchestrator's task: [\s\S]*corpus[\s\S]*questions[\s\S]*round/,
    );
    await expect(orchestrate({ corpus: "x", questions: ["Why?"] }, { model, tools: tools.slice(2) })).rejects.toThrow(
      /missing ingest-corpus, retrieve-context: pass the tools of langChainTools\(\)/,
    );
  });
});
