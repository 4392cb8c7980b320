/** @file Slow, about ten seconds: the planner runs the real server over stdio, through LangChain's MCP adapters, on the package's model. */
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { expect, it } from "vitest";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { createPlanner, orchestrate, PLANNER_NAME } from "../../../src/agents/orchestrator/index.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));

it("slow: trains models/nano from pairs that it had made, and asks before and after", async () => {
  const home = await mkdtemp(join(tmpdir(), "preflexor-orchestrator-"));
  const client = new MultiServerMCPClient({
    mcpServers: {
      preflexor: { transport: "stdio", command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home } },
    },
  });
  try {
    const questions = [createMaterialsWorld({ seed: 7 }).questions("unseen-material")[0]!.text];
    const subject = /of (\w+)/.exec(questions[0]!)?.[1] as string;
    const report = await orchestrate(
      {
        corpus: "materials-world",
        questions,
        // About a material that is held out nothing may be asked: the planner has to do without.
        topics: [subject],
        pairsPerRound: 4,
        stepsPerTraining: 2,
        rounds: 1,
        answerRounds: 1,
        limits: { trainings: 1 },
      },
      { model: createPlanner(), tools: await client.getTools() },
    );
    expect(report).toMatchObject({
      corpus: { path: "materials-world", teacher: "world-teacher" },
      steps: 2,
      trainings: [{ lossType: "orpo", pairs: report.pairs.made }],
      answers: [{ before: { thinks: false }, after: { answer: expect.any(String) } }],
      planner: PLANNER_NAME,
      ended: "report",
    });
    expect(report.pairs.made).toBeGreaterThanOrEqual(4);
    expect(report.pairs.topics).not.toContain(subject);
    expect(report.calls.failed).toBeGreaterThan(0);
    expect(report.loss?.last).toBeLessThan(report.loss?.first ?? 0);
    expect(await readdir(report.trainings[0]!.checkpoint)).toContain("adapter_model.safetensors");
  } finally {
    await client.close();
  }
});
