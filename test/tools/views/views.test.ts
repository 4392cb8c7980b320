/** @file Views of run directories, whole and broken, at rest and while they are written. */
import { appendFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { lockRun } from "../../../src/agents/index.js";
import {
  graphView,
  listRunItems,
  NoSuchRunError,
  pairsPage,
  reasoningViews,
  runDetail,
  runMetrics,
  runReport,
} from "../../../src/tools/views/index.js";
import { evaluation, fill, GRAPH, lines, makeRun, newHome, pair, step } from "./run-folders.js";

let home: string;
beforeEach(async () => {
  home = await newHome();
});

describe("the list of runs", () => {
  it("tells of each run how far it came, and of a folder that is none why", async () => {
    const { id, path } = await makeRun(
      home,
      { "pairs.jsonl": lines([pair(0), pair(1)]), "metrics.jsonl": lines([step(1), step(2)]) },
      { request: { model: "lab/tiny" } },
    );
    await fill(join(home, "runs"), { "notes/x.txt": "", "teach-2026-01-01T00-00-00/run.json": "{" });
    const { runs, broken } = await listRunItems(home);
    expect(runs).toMatchObject([
      { id, kind: "teach", status: "interrupted", model: "lab/tiny", pairs: 2, step: 2, loss: 0.5 },
    ]);
    expect(broken.map((run) => run.id)).toEqual(["notes", "teach-2026-01-01T00-00-00"]);
    expect(broken[1]?.problem).toMatch(/run\.json/);
    const release = await lockRun(path);
    expect((await listRunItems(home)).runs[0]?.status).toBe("working");
    await release();
    await fill(path, { "outcome.json": JSON.stringify({ at: "x", status: "failed", message: "no memory" }) });
    expect((await listRunItems(home)).runs[0]).toMatchObject({ status: "failed", outcome: { message: "no memory" } });
  });

  it("sees what was appended since it was asked last, and runs that are gone", async () => {
    const { path } = await makeRun(home, { "pairs.jsonl": lines([pair(0)]) });
    expect((await listRunItems(home)).runs[0]?.pairs).toBe(1);
    await appendFile(join(path, "pairs.jsonl"), `${lines([pair(1)])}{"prompt": "half`);
    expect((await listRunItems(home)).runs[0]?.pairs).toBe(2);
    await rm(path, { recursive: true });
    expect(await listRunItems(home)).toEqual({ runs: [], broken: [] });
  });

  it("of a home without runs is empty", async () => {
    expect(await listRunItems(join(home, "nowhere"))).toEqual({ runs: [], broken: [] });
  });
});

describe("an id", () => {
  it.each([
    "..",
    ".",
    "",
    "../..",
    "../runs/teach",
    "a/b",
    "a\\b",
    "C:x",
    "x\u0000y",
    "x\ny",
    "n".repeat(300),
    "%2e%2e",
    "constructor",
  ])("%j names no folder outside the runs", async (id) => {
    await makeRun(home);
    const error = await runDetail(home, id).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(NoSuchRunError);
    expect((error as Error).message).toMatch(/list-runs/);
    expect((error as Error).message.length).toBeLessThan(400);
  });

  it("of a link is refused, and nearly right ones get a guess", async () => {
    const { id, path } = await makeRun(home);
    await symlink(path, join(home, "runs", "linked"));
    await expect(runDetail(home, "linked")).rejects.toThrow(/link, which is not followed/);
    await expect(pairsPage(home, `${id}0`)).rejects.toThrow(`did you mean ${id}?`);
  });
});

describe("one run", () => {
  it("is told with its settings, but no secret, and with what changed", async () => {
    const { id, path } = await makeRun(
      home,
      {
        "pairs.jsonl": lines([pair(0)]),
        "metrics.jsonl": lines([evaluation(0, 40, 80), step(1), step(2), evaluation(1, 60, 80)]),
        "failures.jsonl": lines([
          { round: 1, topic: "a", reason: "timeout" },
          { round: 1, topic: "b", reason: "timeout" },
        ]),
        "adapter/adapter_config.json": "{}",
        "checkpoint-2/x": "",
      },
      {
        request: {
          hub_token: "hf_abc",
          token_budget: 5,
          max_new_tokens: 96,
          think_start_token: "<t>",
          think_end_token: "</t>",
          teacher: { url: "https://me:pw@host/v1", api_key: "sk-1" },
        },
      },
    );
    const detail = await runDetail(home, id);
    expect(detail).toMatchObject({
      id,
      directory: path,
      checkpoints: [2],
      adapter: join(path, "adapter"),
      failures: { timeout: 2 },
      markers: { start: "<t>", end: "</t>" },
      request: {
        hub_token: "(not shown)",
        token_budget: 5,
        max_new_tokens: 96,
        think_start_token: "<t>",
        teacher: { url: "https://host/v1" },
      },
    });
    expect(JSON.stringify(detail)).not.toMatch(/hf_abc|sk-1|:pw@/);
    const table = Object.fromEntries(detail.table);
    expect(table["loss"]).toBe("1.0000 → 0.5000");
    expect(table["held-out combinations"]).toMatch(/^50\.0 % → 75\.0 %/);
  });

  it("of the tools or the demo is read as well", async () => {
    await fill(join(home, "runs", "tools-2026-03-01T10-20-30"), {
      "metrics.jsonl": lines([{ kind: "step", step: 1, loss_type: "orpo", loss: 2 }]),
    });
    expect(await runDetail(home, "tools-2026-03-01T10-20-30")).toMatchObject({ kind: "tools", status: "open" });
    expect((await runMetrics(home, "tools-2026-03-01T10-20-30")).steps).toEqual([
      { step: 1, round: 0, metrics: { loss: 2 } },
    ]);
    const rounds = [
      { thinking: "a", answer: "b", score: 0.2, opening: "none" },
      { thinking: "c", answer: "d", score: 0.7, opening: "improved", feedback: "more" },
    ];
    const demo = await makeRun(
      home,
      { "summary.json": JSON.stringify({ reasoning: { question: "q", answer: "d", rounds } }) },
      { kind: "demo" },
    );
    expect((await runDetail(home, demo.id)).status).toBe("completed");
    expect(await reasoningViews(home, demo.id)).toMatchObject([
      { question: "q", best: 2, rounds: [{ score: 0.2 }, { thinking: "c", feedback: "more" }] },
    ]);
  });
});

describe("metrics", () => {
  it("are thinned evenly, with the first and the last step kept", async () => {
    const { id } = await makeRun(home, {
      "metrics.jsonl": lines(Array.from({ length: 30_000 }, (_, i) => step(i + 1))),
    });
    const { steps, totalSteps } = await runMetrics(home, id, { points: 200 });
    expect(totalSteps).toBe(30_000);
    expect(steps).toHaveLength(200);
    expect([steps[0]?.step, steps.at(-1)?.step]).toEqual([1, 30_000]);
    const gaps = steps.slice(1).map(({ step: n }, i) => n - steps[i]!.step);
    expect(Math.max(...gaps)).toBeLessThan(1.2 * (30_000 / 199));
    expect(Math.min(...gaps)).toBeGreaterThan(0.8 * (30_000 / 199));
    expect((await runMetrics(home, id, { points: 1e9 })).steps.length).toBeLessThanOrEqual(4096);
    expect((await runMetrics(home, id, { points: 1 })).steps.map(({ step: n }) => n)).toEqual([30_000]);
  });

  it("have Wilson's interval, and a damaged line is counted, not fatal", async () => {
    const { id, path } = await makeRun(home, {
      "metrics.jsonl": `${lines([evaluation(1, 8, 10)])}not json\n${lines([step(1)])}{"kind":"st`,
    });
    const { evaluations, damagedLines, totalSteps } = await runMetrics(home, id);
    // Newcombe 1998 and any table: 8 of 10 lies in 0.490 … 0.943.
    expect(evaluations[0]?.ci95).toBeCloseTo(0.8 - 0.4902, 3);
    expect([damagedLines, totalSteps]).toEqual([1, 1]);
    await appendFile(join(path, "metrics.jsonl"), `ep","step":2,"round":1,"loss":null}\n`);
    expect((await runMetrics(home, id)).steps.at(-1)).toEqual({ step: 2, round: 1, metrics: {} });
  });
});

describe("pairs", () => {
  it("come in pages whose ends meet, and a damaged one is named by its place", async () => {
    const { id } = await makeRun(home, {
      "pairs.jsonl": `${lines([pair(0), pair(1)])}{"prompt":"only"}\n${lines([pair(3), pair(4)])}`,
    });
    const first = await pairsPage(home, id, { limit: 3 });
    expect(first).toMatchObject({ total: 5, next: 3, damaged: [2], pairs: [{ index: 0 }, { index: 1 }] });
    const second = await pairsPage(home, id, { after: 3, limit: 3 });
    expect(second.pairs.map(({ index, prompt }) => [index, prompt])).toEqual([
      [3, "What is number 3?"],
      [4, "What is number 4?"],
    ]);
    expect(second).not.toHaveProperty("next");
    expect((await pairsPage(home, id, { after: 99 })).pairs).toEqual([]);
    expect((await pairsPage(home, id, { after: -5, limit: 0 })).pairs).toHaveLength(1);
  });

  it("of 100,000 are paged to the last in well under a second, once the file is known", async () => {
    const { id } = await makeRun(home, { "pairs.jsonl": lines(Array.from({ length: 100_000 }, (_, i) => pair(i))) });
    expect((await pairsPage(home, id)).total).toBe(100_000);
    const started = performance.now();
    for (let i = 0; i < 100; i++) {
      const after = (i * 7919) % 99_990;
      const { pairs } = await pairsPage(home, id, { after, limit: 10 });
      expect(pairs.map(({ index, provenance }) => index - provenance.seed)).toEqual(Array(10).fill(0));
      expect(pairs[0]?.index).toBe(after);
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("are all seen by a reader that pages while a writer appends", async () => {
    const { id, path } = await makeRun(home);
    const file = join(path, "pairs.jsonl");
    const writing = (async () => {
      for (let i = 0; i < 300; i++) {
        const text = lines([pair(i)]);
        await appendFile(file, text.slice(0, 40));
        await appendFile(file, text.slice(40));
      }
    })();
    const seen: number[] = [];
    while (seen.length < 300) {
      const { pairs, damaged } = await pairsPage(home, id, { after: seen.length, limit: 7 });
      expect(damaged).toBeUndefined();
      seen.push(...pairs.map(({ provenance }) => provenance.seed));
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  it("behind a link are not read", async () => {
    const { id, path } = await makeRun(home);
    await writeFile(join(home, "elsewhere.jsonl"), lines([pair(1)]));
    await symlink(join(home, "elsewhere.jsonl"), join(path, "pairs.jsonl"));
    await expect(pairsPage(home, id)).rejects.toThrow(/link, which is not followed/);
  });
});

describe("the question graph", () => {
  it("is the one that the state names, with the share of right answers of the latest round", async () => {
    const { id } = await makeRun(home, {
      "state.json": JSON.stringify({ graph: "question-graph-11.json" }),
      "question-graph-11.json": JSON.stringify(GRAPH),
      "question-graph-20.json": "{",
    });
    const view = await graphView(home, id);
    expect(view.nodes).toContainEqual({
      id: "question:q1",
      kind: "question",
      label: "What is nacre?",
      asked: 2,
      right: 1,
      topic: "nacre",
    });
    expect(view.edges).toHaveLength(2);
    expect(await graphView(home, id, { nodes: 2 })).toMatchObject({
      nodes: [{ id: "question:q1" }, { id: "passage:a" }],
      edges: [{ kind: "asked-from" }],
      totalNodes: 3,
    });
  });

  it("is empty where there is none, and says what is wrong with one that is damaged", async () => {
    const { id, path } = await makeRun(home);
    expect(await graphView(home, id)).toEqual({ nodes: [], edges: [], totalNodes: 0 });
    await fill(path, { "question-graph-10.json": '{"nodes": 3}' });
    expect((await graphView(home, id)).problem).toMatch(/question-graph-10\.json cannot be read/);
  });
});

it("a report has all views, and pairs from the whole run", async () => {
  const { id, path } = await makeRun(
    home,
    {
      "pairs.jsonl": lines(Array.from({ length: 100 }, (_, i) => pair(i))),
      "question-graph-10.json": JSON.stringify(GRAPH),
    },
    { request: { seed: 7 } },
  );
  await mkdir(join(path, "model"));
  const report = await runReport(home, id);
  expect(report.title).toBe(`Self-teaching run ${id}, seed 7`);
  expect(report.pairs.pairs).toHaveLength(24);
  expect([report.pairs.pairs[0]?.index, report.pairs.pairs.at(-1)?.index]).toEqual([0, 99]);
  expect(report.graph.totalNodes).toBe(3);
  expect(report.run.adapter).toBe(join(path, "model"));
});
