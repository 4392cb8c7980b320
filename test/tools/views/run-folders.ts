/** @file Run directories with content of any size, made without a model. */
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createRunDirectory, type RunKind } from "../../../src/agents/index.js";
import type { PreferencePair } from "../../../src/trainer/index.js";

export const newHome = (): Promise<string> => mkdtemp(join(tmpdir(), "preflexor-views-"));

export type Files = Readonly<Record<string, string>>;

export async function fill(directory: string, files: Files): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

export interface Made {
  readonly id: string;
  readonly path: string;
}

/** Seconds of `at` tell runs of one test apart. */
export async function makeRun(
  home: string,
  files: Files = {},
  { kind = "teach" as RunKind, request = {}, at = "2026-03-01T10:20:30Z" } = {},
): Promise<Made> {
  const { name, path } = await createRunDirectory(home, { kind, request, created: new Date(at) });
  await fill(path, files);
  return { id: name, path };
}

export const pair = (i: number, more: Partial<PreferencePair["provenance"]> = {}): PreferencePair => ({
  prompt: `What is number ${i}?`,
  chosen: `<|thinking|>\nIt is ${i}.\n<|/thinking|>\n${i}.`,
  rejected: "Nobody knows.",
  provenance: { passages: [`p${i}`], teacher: "t", student: "s", seed: i, ...more },
});

export const lines = (values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");

export const step = (n: number, loss = 1 / n) => ({
  kind: "step",
  step: n,
  round: 1,
  loss,
  "rewards/margins": n / 100,
});

export const evaluation = (round: number, right: number, n: number) => ({
  kind: "evaluation",
  round,
  split: "unseen-combination",
  accuracy: right / n,
  n,
  chance: 0.5,
  byType: [{ type: "choice", right, n, chance: 0.5 }],
  markable: n,
  thinkingRight: 0,
  verdicts: Array.from({ length: n }, (_, i) => (i < right ? 1 : 0)),
});

/** A graph of one question from one passage, about one concept, answered twice. */
export const GRAPH = {
  options: { type: "mixed", multi: true, allowSelfLoops: false },
  attributes: { format: "preflexor-question-graph", version: 1 },
  nodes: [
    { key: "passage:a", attributes: { kind: "passage", source: "nacre.md", start: 0, end: 90, asked: 1 } },
    { key: "concept:nacre", attributes: { kind: "concept" } },
    {
      key: "question:q1",
      attributes: {
        kind: "question",
        text: "What is nacre?",
        round: 1,
        asked: 2,
        topic: "nacre",
        outcomes: [
          { round: 1, right: false },
          { round: 2, right: true },
          { round: 2, right: null },
        ],
      },
    },
  ],
  edges: [
    { key: "e0", source: "question:q1", target: "passage:a", attributes: { kind: "asked-from", weight: 1 } },
    { key: "e1", source: "question:q1", target: "concept:nacre", attributes: { kind: "mentions", weight: 1 } },
  ],
};
