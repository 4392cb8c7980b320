/** @file Assistants on the real program and the package's own model: whole runs, from a wish to an adapter that PEFT readers take. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { assist, type Goal, type Work } from "./assistant.js";
import { type Era, type OpenDesk, programDesk } from "./desks.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));
/** Seconds of work, minutes where other tests take the cores. */
const SLOW_MS = 240_000;

/** As small as a run can be. */
const SETTINGS = { n_steps: 2, max_new_tokens: 48, student_samples: 1, evaluate_every: 0 };
const FACTS = { folder: "materials-world", phases: ["orpo"], iterations: 1, topics: 3, limit: 2, on: ["world"] };

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "preflexor-assistant-"));
});

async function atDesk<T>(era: Era, work: (desk: OpenDesk) => Promise<T>): Promise<T> {
  const program = { command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home } };
  const desk = await programDesk(program, era);
  try {
    return await work(desk);
  } finally {
    await desk.close();
  }
}

const assisted = (era: Era, goal: Goal): Promise<Work> => atDesk(era, (desk) => assist(desk, goal));
const callsOf = ({ steps }: Work, tool: string) => steps.filter((step) => step.tool === tool);

describe("an assistant that only has a wish", () => {
  let work: Work;
  beforeAll(async () => {
    work = await assisted("2026-07-28", {
      wishes: [
        "Start a self-teaching run",
        "Evaluate what the model can do on held-out questions",
        "Export what the run trained as a PEFT adapter",
      ],
      // Without held-out pairs there is nothing by which a round could be rolled back.
      facts: { ...FACTS, settings: { ...SETTINGS, held_out_pairs: 0 } },
    });
  }, SLOW_MS);

  it("tries the run first, and corrects a plan that cannot be", () => {
    const [first, second, third] = callsOf(work, "start-run");
    expect(first).toMatchObject({ args: { dry_run: true }, answer: { isError: true } });
    expect(second).toMatchObject({
      args: { dry_run: true, settings: { held_out_pairs: 1 } },
      answer: { structured: { status: "dry-run", estimate: { rounds: 1, steps: 2 } } },
    });
    expect(third).toMatchObject({ args: { dry_run: false }, answer: { structured: { status: "working" } } });
  });

  it("follows the run through a tool until it has ended", () => {
    const looks = callsOf(work, "get-run");
    expect(looks.length).toBeGreaterThan(0);
    expect(looks.at(-1)?.answer.structured).toMatchObject({ status: "completed", kind: "teach" });
  });

  it("measures it", () => {
    expect(work.results[1]?.structured).toMatchObject({ dryRun: false, report: expect.anything() });
  });

  it("has an adapter that PEFT readers take", async () => {
    const output = String(work.results[2]?.structured?.["output"]);
    const config = JSON.parse(await readFile(join(output, "adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ peft_type: "LORA", r: expect.any(Number), target_modules: expect.any(Array) });
    const bytes = await readFile(join(output, "adapter_model.safetensors"));
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    const names = Object.keys(header).filter((name) => name !== "__metadata__");
    expect(names.filter((name) => /^base_model\.model\..*\.lora_[AB]\.weight$/.test(name)).length).toBeGreaterThan(0);
  });
});

describe("an assistant that is told to stop", () => {
  it(
    "stops the run, and goes on with it in another conversation",
    async () => {
      const begun = await assisted("2025-11-25", {
        wishes: ["Start a self-teaching run"],
        leaves: true,
        facts: { ...FACTS, topics: 12, settings: { ...SETTINGS, held_out_pairs: 1 } },
      });
      const run = String(begun.results[0]?.structured?.["run"]);
      const work = await assisted("2025-11-25", {
        wishes: ["Stop the run", "Start the run again from where it stopped"],
      });
      expect(work.results[0]?.structured).toMatchObject({ status: "cancelled" });
      expect(callsOf(work, "start-run").at(-1)?.args).toEqual({ resume: run });
      expect(work.results[1]?.structured).toMatchObject({ id: run, status: "completed" });
    },
    SLOW_MS,
  );
});
