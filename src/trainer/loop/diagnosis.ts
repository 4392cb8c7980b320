/** @file What goes wrong in preference training and can be seen in its numbers, said once and in plain words. */
import type { TrainConfig } from "./train-config.js";
import type { Diagnosis, LogEntry } from "./train-events.js";
import type { TrainingData } from "./training-data.js";

/** Log entries that a trend is read from. */
const WINDOW = 10;
/** From this share of pairs on, what is lost is no detail any more. */
const NOTABLE_SHARE = 0.1;
/** A quarter of the pairs without a gradient is a quarter of the work for nothing. */
const VANISHING_SHARE = 0.25;
/** Chosen replies lose some likelihood in any DPO; a fifth more NLL than at the start is unlearning. */
const FALL_SHARE = 0.2;

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** What the data shows before the first step. */
export function diagnoseData(data: TrainingData, kept: number): Diagnosis[] {
  const { left = [], promptCut = 0, unmasked = 0 } = data;
  const diagnoses: Diagnosis[] = [];
  const say = (kind: Diagnosis["kind"], message: string): number => diagnoses.push({ kind, step: 0, message });
  const all = kept + left.length;
  if (left.length / all >= NOTABLE_SHARE) {
    say(
      "rows-left-out",
      `${left.length} of ${all} rows are left out; the reasons are listed, and a larger max_length may keep some.`,
    );
  }
  if (promptCut / kept >= NOTABLE_SHARE) {
    say("prompts-cut", `${promptCut} of ${kept} prompts lost their beginning; raise max_prompt_length or max_length.`);
  }
  if (unmasked > 0) {
    say(
      "rows-without-sections",
      `${unmasked} of ${kept} pairs have a reply without the thinking markers, so the mask leaves it as it is; check think_start_token and think_end_token.`,
    );
  }
  return diagnoses;
}

/** What the log shows so far; kinds in `said` are not repeated. */
export function diagnoseLog(history: readonly LogEntry[], { loss }: TrainConfig, said: readonly string[]): Diagnosis[] {
  const steps = history.filter((entry) => entry["loss"] !== undefined);
  const step = steps.at(-1)?.step ?? 0;
  if (steps.length < WINDOW) return [];
  const found = [
    vanishing(series(steps, "exo/vanishing")),
    falling(series(steps, "logps/chosen"), loss),
    stuck(series(steps, "rewards/accuracies")),
  ];
  return found.flatMap((item) => (item === undefined || said.includes(item.kind) ? [] : [{ ...item, step }]));
}

const series = (entries: readonly LogEntry[], name: string): number[] => entries.flatMap((entry) => entry[name] ?? []);

type Found = Omit<Diagnosis, "step"> | undefined;

function vanishing(shares: readonly number[]): Found {
  const recent = mean(shares.slice(-WINDOW));
  if (shares.length < WINDOW || recent < VANISHING_SHARE) return undefined;
  return {
    kind: "vanishing-exo-gradients",
    message: `${percent(recent)} of the pairs of the last ${WINDOW} logs are ranked so wrongly that the gradient of exo_pair all but vanishes on them; start from a better phase I, lower beta, or use sigmoid.`,
  };
}

function falling(logps: readonly number[], loss: TrainConfig["loss"]): Found {
  if (logps.length < 2 * WINDOW) return undefined;
  const before = mean(logps.slice(0, WINDOW));
  const middle = mean(logps.slice(-2 * WINDOW, -WINDOW));
  const now = mean(logps.slice(-WINDOW));
  if (now >= middle || before - now < FALL_SHARE * Math.abs(before)) return undefined;
  const remedy = loss === "orpo" || loss === "simpo" ? "lower learning_rate" : "lower learning_rate or raise beta";
  return {
    kind: "falling-chosen-logps",
    message: `logps/chosen fell from ${before.toFixed(3)} to ${now.toFixed(3)} and is still falling: the model unlearns the chosen replies too; ${remedy}, or stop at an earlier checkpoint.`,
  };
}

function stuck(accuracies: readonly number[]): Found {
  const recent = accuracies.slice(-WINDOW);
  if (recent.length < WINDOW) return undefined;
  if (recent.every((value) => value === 1)) {
    return {
      kind: "accuracies-stuck",
      message: `every pair of the last ${WINDOW} logs is ranked right: these pairs have little left to teach; make new ones against the trained model.`,
    };
  }
  if (!recent.every((value) => value === 0)) return undefined;
  return {
    kind: "accuracies-stuck",
    message: `no pair of the last ${WINDOW} logs is ranked right: check that chosen and rejected are not exchanged, or raise learning_rate.`,
  };
}
