/** @file A small run as the page shows it, made of nothing but numbers and a text that a test chooses. */
import type { RunReport } from "../../../../src/tools/views/types.js";

const MARKERS = { start: "<|thinking|>", end: "<|/thinking|>" };

export interface SampleOptions {
  readonly title?: string;
  /** Stands wherever a run holds text of a corpus or a model. */
  readonly text?: string;
  readonly steps?: number;
  readonly pairs?: number;
}

export function sampleReport({ title = "A run", text = "why", steps = 24, pairs = 30 }: SampleOptions = {}): RunReport {
  return {
    title,
    run: {
      id: "teach-1",
      kind: "teach",
      status: "completed",
      created: "2026-11-30T10:00:00.000Z",
      changed: "2026-11-30T10:05:00.000Z",
      model: text,
      phase: "orpo",
      round: 2,
      step: steps,
      pairs,
      loss: 0.5,
      bytes: 123_456,
      directory: text,
      request: { seed: 7, corpus: text },
      checkpoints: [12, 24],
      failures: { [text]: 3 },
      markers: MARKERS,
      table: [[text, text]],
    },
    metrics: sampleMetrics(text, steps),
    pairs: { pairs: Array.from({ length: pairs }, (_, index) => samplePair(text, index)), total: pairs },
    graph: sampleGraph(text),
    reasoning: [
      {
        at: "2026-11-30T10:04:00.000Z",
        question: text,
        answer: text,
        rounds: [
          { thinking: `at first ${text}`, answer: "one", score: 0.4 },
          { thinking: `at last ${text}`, answer: "two", score: 0.9, feedback: text, reflection: text },
        ],
        best: 2,
        integrated: false,
      },
    ],
  };
}

function sampleMetrics(text: string, steps: number): RunReport["metrics"] {
  const half = steps / 2;
  return {
    steps: Array.from({ length: steps }, (_, i) => ({
      step: i + 1,
      round: i < half ? 1 : 2,
      metrics: {
        loss: 3 / (1 + i / 4),
        "rewards/margins": i / steps,
        "rewards/accuracies": Math.min(1, 0.4 + i / steps),
        "logps/chosen": -4 + i / steps,
        "logps/rejected": -3 - i / steps,
        grad_norm: 1 + (i % 3),
        learning_rate: 1e-5,
      },
    })),
    totalSteps: steps,
    heldOut: [half, steps].map((step) => ({ step, round: step / half, metrics: { eval_loss: 4 / step } })),
    evaluations: [0, 1, 2].map((round) => ({
      round,
      ci95: 0.1,
      result: {
        split: text,
        accuracy: 0.25 + round / 4,
        n: 40,
        chance: 0.25,
        byType: [{ type: text, right: 10 + 10 * round, n: 40, chance: 0.25 }],
      },
    })),
    preferenceAccuracies: [],
  };
}

const samplePair = (text: string, index: number): RunReport["pairs"]["pairs"][number] => ({
  index,
  prompt: `${text} number ${index + 1}`,
  chosen: `${MARKERS.start}\nbecause ${text}\n${MARKERS.end}\nanswer ${text}`,
  rejected: `${MARKERS.start}\nno end ${text}`,
  provenance: {
    passages: [text, "p2"],
    teacher: text,
    student: "4ef3f2a3680a62cb@24",
    seed: index,
    topic: text,
    question: `${text} number ${index + 1}`,
    round: index < 15 ? 1 : 2,
    rule: index % 2 === 0 ? "first-wrong" : "lowest-logp",
    verdict: { chosen: { right: true } },
  },
});

function sampleGraph(text: string): RunReport["graph"] {
  return {
    nodes: [
      { id: "p", kind: "passage", label: `passage ${text}`, asked: 5 },
      { id: "c", kind: "concept", label: `concept ${text}`, asked: 0 },
      { id: "q1", kind: "question", label: `right ${text}`, asked: 2, right: 1, topic: text },
      { id: "q2", kind: "question", label: `wrong ${text}`, asked: 1, right: 0 },
      { id: "q3", kind: "question", label: `partly ${text}`, asked: 2, right: 0.5 },
      { id: "q4", kind: "question", label: `unjudged ${text}`, asked: 1, right: null },
    ],
    edges: [
      ...["q1", "q2", "q3", "q4"].map((target) => ({
        source: target,
        target: "p",
        kind: "asked-from" as const,
        weight: 1,
      })),
      { source: "q1", target: "q2", kind: "similar-to", weight: 0.5 },
      { source: "p", target: "c", kind: "mentions", weight: 1 },
    ],
    totalNodes: 6,
  };
}
