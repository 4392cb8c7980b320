/** @file Assistants on the real program and the package's own model: from a folder to a trained adapter, by whole runs. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { assist } from "./assistant.js";
import { programDesk } from "./desks.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));

it("goes from a wish to an adapter", async () => {
  const home = await mkdtemp(join(tmpdir(), "preflexor-assistant-"));
  const desk = await programDesk(
    { command: process.execPath, args: [MAIN], env: { PREFLEXOR_HOME: home } },
    "2026-07-28",
  );
  try {
    const work = await assist(desk, {
      wishes: [
        "Start a self-teaching run",
        "Evaluate what the model can do on held-out questions",
        "Export what the run trained as a PEFT adapter",
      ],
      facts: {
        folder: "materials-world",
        phases: ["orpo"],
        iterations: 1,
        topics: 4,
        settings: { n_steps: 2, max_new_tokens: 64, student_samples: 1 },
        limit: 4,
      },
    });
    console.log(
      work.steps
        .map(({ tool, args, answer }) => `${tool} ${JSON.stringify(args)}\n   ${answer.text.slice(0, 500)}`)
        .join("\n"),
    );
    expect(work.results).toHaveLength(3);
  } finally {
    await desk.close();
  }
});
