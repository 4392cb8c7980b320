/** @file The card of an uploaded run: facts, and nothing else. */
import { describe, expect, it } from "vitest";
import { type ModelCardFacts, modelCard } from "../../../src/trainer/hub/index.js";

const FACTS: ModelCardFacts = {
  repo: "lab/tutor",
  baseModel: "HuggingFaceTB/SmolLM2-135M-Instruct",
  revision: "12fd25f77366fa6b3b4b768ec3050bf629380bac",
  library: "peft",
  version: "1.2.3",
  phases: [
    { loss: "orpo", steps: 40 },
    { loss: "exo", steps: 20 },
  ],
  seeds: [7],
  teachers: ["extractive"],
  pairs: 96,
  command: "preflexor teach --corpus ./texts --rounds 3",
};

describe("a model card", () => {
  it("says what the run was, in the hub's front matter and in a table", () => {
    expect(modelCard(FACTS)).toBe(`---
base_model: "HuggingFaceTB/SmolLM2-135M-Instruct"
library_name: peft
tags:
- "preflexor"
- "orpo"
- "exo"
---

# tutor

A LoRA adapter, trained by PRefLexOR for TypeScript (the npm package \`preflexor\`, version 1.2.3).

| | |
|---|---|
| base model | HuggingFaceTB/SmolLM2-135M-Instruct, commit 12fd25f77366fa6b3b4b768ec3050bf629380bac |
| optimizer steps | 60 |
| losses | orpo (40 steps), exo (20 steps) |
| preference pairs | 96 |
| teachers | extractive |
| seed | 7 |

The command:

\`\`\`sh
preflexor teach --corpus ./texts --rounds 3
\`\`\`
`);
  });

  it("leaves a base model that is no hub id out of the front matter, where the hub would refuse it", () => {
    for (const baseModel of ["nano", "/home/me/models/tiny", "./x/y", "lab/tiny@main"]) {
      const card = modelCard({ ...FACTS, baseModel });
      expect(card).not.toContain("base_model:");
      expect(card).toMatch(/\| base model \| .+ \|/);
    }
  });

  it("names a license only where it is known", () => {
    expect(modelCard(FACTS)).not.toContain("license");
    expect(modelCard({ ...FACTS, license: "apache-2.0" })).toContain('\nlicense: "apache-2.0"\n');
  });

  it("keeps names and commands in their places, whatever is in them", () => {
    const card = modelCard({ ...FACTS, teachers: ["a|b\n---\n`c`"], command: "echo '```'\n--x" });
    expect(card).toContain("| teachers | a\\|b --- \\`c\\` |");
    expect(card).toContain("````sh\necho '```'\n--x\n````");
    expect(card.match(/^---$/gm)).toHaveLength(2);
  });

  it("tells of a model that it is one, lists files, and ends with how to load it", () => {
    const files = [["pairs.jsonl", "the pairs"]] as const;
    const card = modelCard({ ...FACTS, library: "transformers", phases: [], files, usage: "## Use\n" });
    expect(card).toContain("library_name: transformers");
    expect(card).toContain("A language model, trained by");
    expect(card).toContain("| losses | none yet |");
    expect(card.endsWith("- `pairs.jsonl`: the pairs\n\n## Use\n")).toBe(true);
  });
});
