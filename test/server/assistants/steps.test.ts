/** @file Assistants that work step by step: from a folder to a trained adapter by descriptions, results and errors alone. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { smallContext } from "../../tools/small-context.js";
import { assist } from "./assistant.js";
import { httpDesk, type OpenDesk, stdioDesk } from "./desks.js";

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function opened(desk: Promise<OpenDesk>): Promise<OpenDesk> {
  const open = await desk;
  closing.push(() => open.close());
  return open;
}

const toolsOf = (work: { steps: readonly { tool: string }[] }): string[] => work.steps.map(({ tool }) => tool);

describe("an assistant that begins with the wrong tool", () => {
  it.each(["2025-11-25", "2026-07-28"] as const)("is led through pairs and corpus to training (%s)", async (era) => {
    const desk = await opened(stdioDesk(await smallContext(), era));
    const work = await assist(desk, {
      wishes: ["Train the model"],
      beginsWith: "train-iteration",
      facts: { folder: "materials-world" },
    });
    expect(toolsOf(work)).toEqual([
      "train-iteration",
      "generate-preference-pair",
      "ingest-corpus",
      "generate-preference-pair",
      "train-iteration",
    ]);
    expect(work.results[0]?.structured).toMatchObject({ pairs: 1, lossType: "orpo" });
  });
});
