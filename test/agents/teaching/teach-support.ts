/** @file Plans and runs of the teaching loop in tests. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { completePairs } from "../../../src/agents/teaching/answer-pair.js";
import type { TeachEvent } from "../../../src/agents/teaching/events.js";
import type { MadePair } from "../../../src/agents/teaching/round-pairs.js";
import type { PairSource, TeachContext } from "../../../src/agents/teaching/run.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import { parseTeachConfig, teachPlan } from "../../../src/agents/teaching/teach-config.js";
import { pairsOf, type TeachPlan } from "../../../src/agents/teaching/teach-plan.js";
import type { PairScore } from "../../../src/trainer/run/policy.js";
import type { TokenizedPair } from "../../../src/trainer/text/types.js";
import { fakePolicy } from "../../support/fake-policy.js";
import { type ScriptedStudent, scriptedStudent } from "../scripted-student.js";

/** Small steps of four pairs, two passes; `settings` go over them. */
export const planOf = (settings: Readonly<Record<string, unknown>>): TeachPlan =>
  teachPlan(
    parseTeachConfig({
      seed: 11,
      phases: ["orpo"],
      num_train_epochs: 2,
      per_device_train_batch_size: 4,
      gradient_accumulation_steps: 1,
      learning_rate: 1e-3,
      max_new_tokens: 100,
      max_prompt_length: 500,
      max_length: 2000,
      evaluate_every: 0,
      ...settings,
    }),
    { parameters: 1e6 },
  );

/** Everything that a run tells. */
export async function taught(context: TeachContext, plan: TeachPlan): Promise<TeachEvent[]> {
  const seen: TeachEvent[] = [];
  for await (const event of teach(context, plan)) seen.push(event);
  return seen;
}

export const ofKind = <K extends TeachEvent["kind"]>(all: readonly TeachEvent[], kind: K) =>
  all.filter((event): event is Extract<TeachEvent, { kind: K }> => event.kind === kind);

/** A scripted student whose policy learns deterministically and whose checkpoints are real ones; `theta` is what it has learned. */
export function learningStudent(reply: (prompt: string, seed: number, theta: readonly number[]) => string) {
  const policy = fakePolicy();
  const scripted: ScriptedStudent = scriptedStudent((prompt, seed) => reply(prompt, seed, policy.theta()));
  return { ...scripted, policy: { ...policy, generate: scripted.policy.generate }, learned: policy };
}

/** What the fake policy says of a pair where its weights are these: its formula, once more. */
export function scoreAt([a = 0, b = 0]: readonly number[], { chosen, rejected }: TokenizedPair): PairScore {
  const score = ({ ids, labels }: TokenizedPair["chosen"]) => {
    const mass = ids.reduce((sum, id, i) => sum + id * (0.5 + (labels[i] ?? 0)), 0);
    const count = labels.reduce((x, y) => x + y, 0);
    return { sum: -count * (1 + 0.1 * Math.sin(mass * a + b)), count };
  };
  return { chosen: score(chosen), rejected: score(rejected) };
}

/** Every file below a directory by its path, as text; times and the lock differ from run to run. */
export async function filesOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !/^(?:timing\.jsonl|run\.lock)$|tfevents/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [relative(directory, path), await readFile(path, "utf8")] as const)),
  );
}

/** Pairs without agents: questions about the passages that the graph picks, and the student's own samples. */
export const quickPairs: PairSource = async function* (context, plan, taken) {
  const made: MadePair[] = [];
  const wanted = plan.pairs ?? pairsOf(plan);
  for (const [i, passages] of (context.draws?.(wanted, plan.seed + plan.round) ?? []).entries()) {
    yield { kind: "progress", done: i, total: wanted, note: "drafts" };
    const [first] = passages;
    const question = `Round ${plan.round}, question ${i}: what is said in ${first?.id} about ${first?.text.slice(0, 40)}?`;
    const refused = taken.has(question) ? "the question was asked before" : context.refuse?.(question);
    if (refused !== undefined) {
      yield { kind: "failure", round: plan.round, topic: question, reason: refused };
      continue;
    }
    const askedFrom = passages.map(({ id }) => id);
    const draft = {
      question,
      prompt: question + plan.promptSuffix,
      chosen: `<|thinking|>\n${first?.text}\n<|/thinking|>\n${first?.source}`,
      answer: `${first?.source}`,
      askedFrom,
      passages: askedFrom,
      teacher: "quick",
      prompts: "0",
      seed: plan.seed + i,
    };
    const { samples } = plan;
    const { signal } = context;
    const [outcome] = await completePairs(context, [draft], { ...plan.sampling, samples, ...(signal && { signal }) });
    if (outcome?.kind === "failure") yield { ...outcome, round: plan.round };
    if (outcome?.kind === "pair") {
      const provenance = { ...outcome.pair.provenance, phase: plan.phase, round: plan.round };
      made.push({ pair: { ...outcome.pair, provenance }, askedFrom });
    }
  }
  return made;
};
