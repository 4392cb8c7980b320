/** @file Plans and runs of the teaching loop in tests. */
import type { TeachEvent } from "../../../src/agents/teaching/events.js";
import type { TeachContext } from "../../../src/agents/teaching/run.js";
import { teach } from "../../../src/agents/teaching/teach.js";
import { parseTeachConfig, teachPlan } from "../../../src/agents/teaching/teach-config.js";
import type { TeachPlan } from "../../../src/agents/teaching/teach-plan.js";
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

/** A scripted student whose policy learns deterministically and whose checkpoints are real ones. */
export function learningStudent(reply: (prompt: string, seed: number) => string) {
  const scripted: ScriptedStudent = scriptedStudent(reply);
  const policy = fakePolicy();
  return { ...scripted, policy: { ...policy, generate: scripted.policy.generate }, learned: policy };
}
