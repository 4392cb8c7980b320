/** @file What `preflexor teach` shows of a run while it works, and the result in the end. */
import type { RunLog, TeachEvent, TeachPlan } from "../agents/index.js";
import { accuracyChange, changeRows, endsOf, percent, splitName } from "../agents/teaching/log-changes.js";
import { type Display, textTable } from "./demo-display.js";

const STAGES = {
  pairs: "make pairs",
  train: "train",
  checkpoint: "write a checkpoint",
  samples: "sample the demo prompts",
  evaluate: "evaluate",
  publish: "publish",
} as const;

/** Shows every event. A failure is shown once for each reason, with how often it came in the end. */
export async function showTeaching(
  events: AsyncGenerator<TeachEvent, unknown>,
  display: Display,
  plan: Pick<TeachPlan, "phases">,
): Promise<void> {
  const rounds = plan.phases.reduce((sum, { iterations }) => sum + iterations, 0);
  const reasons = new Map<string, number>();
  for await (const event of events) {
    if (event.kind === "failure") reasons.set(event.reason, (reasons.get(event.reason) ?? 0) + 1);
    showEvent(event, display, rounds);
  }
  for (const [reason, count] of reasons) display.line(`  left out: ${count} × ${reason}`);
}

/** What one event says to somebody at a terminal. */
export function showEvent(event: TeachEvent, display: Display, rounds: number): void {
  if (event.kind === "stage") {
    const when = event.round === 0 ? "before training" : `round ${event.round} of ${rounds}`;
    display.phase(`${when}: ${STAGES[event.stage]}`, event.total);
  }
  if (event.kind === "progress") display.progress(event.done, event.total, splitName(event.note ?? ""));
  if (event.kind === "preference-accuracy") display.progress(event.n, event.n);
  if (event.kind === "step") {
    const { loss = Number.NaN, epoch = 0 } = event.metrics;
    display.step(`loss ${loss.toFixed(4)}, pass ${epoch.toFixed(1)}`);
  }
  for (const line of linesOf(event)) display.line(line);
}

function linesOf(event: TeachEvent): readonly string[] {
  switch (event.kind) {
    case "phase":
      return [`phase ${event.index + 1}: ${event.phase}`];
    case "held-out": {
      const { eval_loss: loss = Number.NaN } = event.metrics;
      const kept = event.kept ? "kept" : `taken back, as it was ${event.best.toFixed(4)} before`;
      return [`  held-out loss ${loss.toFixed(4)}: ${kept}`];
    }
    case "early-stop":
      return [`  phase ${event.phase} ends early: ${event.rounds} round(s) without a lower held-out loss`];
    case "evaluation": {
      const { split, accuracy, chance, n } = event.result;
      return [`  ${splitName(split)}: ${percent(accuracy)} right (n ${n}, chance ${percent(chance)})`];
    }
    case "preference-accuracy":
      return [`  held-out pairs ranked right: ${percent(event.accuracy)} (n ${event.n})`];
    case "samples":
      return event.samples.map(({ prompt, reply }) => `  ${prompt}\n    ${reply.replaceAll("\n", "\n    ")}`);
    case "published":
      return [`  published: ${event.where}`];
    case "notice":
      return [`  ${event.message}`];
    default:
      return [];
  }
}

export interface TeachResult {
  readonly runDir: string;
  readonly model: string;
  readonly pairs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly loss: { readonly first: number; readonly last: number } | null;
  readonly heldOutLoss: { readonly first: number; readonly last: number } | null;
  readonly accuracy: ReturnType<typeof accuracyChange>;
  readonly unseenMaterials: ReturnType<typeof accuracyChange>;
  readonly preferenceAccuracy: { readonly before: number; readonly after: number; readonly n: number } | null;
  readonly failures: Readonly<Record<string, number>>;
}

export function teachResult(log: RunLog, runDir: string, model: string): TeachResult {
  const ranked = log.preferenceAccuracies;
  const [before, after] = [ranked[0], ranked.at(-1)];
  return {
    runDir,
    model,
    pairs: log.pairs,
    steps: log.steps.length,
    seconds: Math.round(log.milliseconds / 1000),
    loss: endsOf(log, "loss"),
    heldOutLoss: endsOf({ steps: log.heldOut }, "eval_loss"),
    accuracy: accuracyChange(log, "unseen-combination"),
    unseenMaterials: accuracyChange(log, "unseen-material"),
    preferenceAccuracy: before && after ? { before: before.accuracy, after: after.accuracy, n: after.n } : null,
    failures: log.failures,
  };
}

export function teachTable(result: TeachResult): string {
  return textTable([
    ["pairs", String(result.pairs)],
    ["optimizer steps", String(result.steps)],
    ...changeRows(result),
    ["run directory", result.runDir],
  ]);
}
