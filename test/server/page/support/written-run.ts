/** @file A run directory with all that the page shows, written by hand; a test chooses the text that stands in it. */
import { mkdir } from "node:fs/promises";
import { GRAPH, lines, makeRun, pair } from "../../../tools/views/run-folders.js";

export const TEXT = "nacre of abalone";

const stepLine = (step: number) => ({
  kind: "step",
  step,
  round: step <= 10 ? 1 : 2,
  loss: 3 / (1 + step / 5),
  "rewards/margins": step / 20,
  "rewards/accuracies": Math.min(1, 0.4 + step / 40),
  "logps/chosen": -4 + step / 20,
  "logps/rejected": -3 - step / 20,
  grad_norm: 1 + (step % 3),
  learning_rate: 1e-5,
});

const evaluationLine = (round: number) => ({
  kind: "evaluation",
  round,
  split: "unseen-combination",
  accuracy: 0.25 + round / 4,
  n: 40,
  chance: 0.25,
  byType: [{ type: "two-hop", right: 10 + 10 * round, n: 40, chance: 0.25 }],
  markable: 40,
  thinkingRight: 0,
  verdicts: Array.from({ length: 40 }, (_, i) => (i < 10 + 10 * round ? 1 : 0)),
});

export const stepLines = (from: number, to: number): string =>
  lines(Array.from({ length: to - from + 1 }, (_, i) => stepLine(from + i)));

export const pairLines = (count: number, text = TEXT): string =>
  lines(
    Array.from({ length: count }, (_, i) => {
      const rule = i % 2 === 0 ? "first-wrong" : "lowest-logp";
      const made = pair(i, {
        question: `${text} ${i + 1}?`,
        topic: text,
        round: i < 15 ? 1 : 2,
        rule,
        passages: [text, "p2"],
      });
      return { ...made, prompt: `${text} ${i + 1}?`, rejected: `<|thinking|>\nno end of ${text}` };
    }),
  );

const reasoning = (text: string) => ({
  at: "2026-03-01T10:30:00.000Z",
  question: `Why is ${text} tough?`,
  answer: "Because cracks are turned aside.",
  rounds: [
    { thinking: `Layers of ${text} are thin.`, answer: "It is hard.", score: 0.4 },
    {
      thinking: `Layers of ${text} are thin and glide.`,
      answer: "Cracks are turned aside.",
      score: 0.8,
      feedback: `Say what ${text} does.`,
    },
  ],
  best: 2,
  integrated: true,
});

export async function writeRun(
  home: string,
  { text = TEXT, steps = 20, pairs = 30, at = "2026-03-01T10:20:30Z" } = {},
): Promise<{ id: string; path: string }> {
  await mkdir(home, { recursive: true });
  const graph = structuredClone(GRAPH);
  for (const { attributes } of graph.nodes) if ("text" in attributes) attributes.text = `What is ${text}?`;
  return makeRun(
    home,
    {
      "metrics.jsonl": stepLines(1, steps) + lines([0, 1, 2].map(evaluationLine)),
      "pairs.jsonl": pairLines(pairs, text),
      "reasoning.jsonl": lines([reasoning(text)]),
      "question-graph-1.json": JSON.stringify(graph),
      "failures.jsonl": lines([{ reason: "no question" }]),
    },
    { request: { model: text, seed: 7 }, at },
  );
}
