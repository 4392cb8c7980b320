/** @file A scripted student whose optimizer can be started anew and whose checkpoints lie on the disk, as far as a run folder reads them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Policy } from "../../src/trainer/run/policy.js";
import type { ScriptedStudent } from "../agents/scripted-student.js";
import { thinkingStudent } from "./small-context.js";

export interface SavingStudent extends ScriptedStudent {
  /** Calls that change what a loss compares with, or how it goes on, in order. */
  readonly changes: string[];
}

export function savingStudent(student: ScriptedStudent = thinkingStudent()): SavingStudent {
  const changes: string[] = [];
  const { batches } = student;
  let reset = 0;
  const stepCount = async (): Promise<number> => batches.length - reset;
  const policy: Policy = {
    ...student.policy,
    stepCount,
    async markReference() {
      changes.push(`reference at ${batches.length}`);
    },
    async resetOptimizer() {
      changes.push(`optimizer at ${batches.length}`);
      reset = batches.length;
    },
    async saveCheckpoint(directory, state) {
      await mkdir(directory, { recursive: true });
      const written = JSON.stringify({ ...state, global_step: await stepCount() });
      await writeFile(join(directory, "trainer_state.json"), written);
      return student.policy.saveCheckpoint(directory, state);
    },
  };
  return { ...student, policy, changes };
}
