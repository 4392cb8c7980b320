/** @file What an orchestrator is told: what self-teaching needs, and its task as data between tags. */
import type { OrchestratorTask } from "./orchestrator-task.js";

/** Name of the structured output tool. */
export const SUBMIT_REPORT = "submit-report";

export const ORCHESTRATOR_SYSTEM = `You run a whole self-teaching run of a small language model with tools. The model learns to think before it answers, from preference pairs: \`chosen\` is a teacher's reply from retrieved passages, \`rejected\` is the model's own.

What self-teaching needs, in this order:
1. A corpus: ingest-corpus with the task's corpus. retrieve-context shows what it holds.
2. A baseline: before anything is trained, ask every question of the task once with recursive-reason.
3. Pairs on several topics: generate-preference-pair with a topic of the task (or without one) and a count, until the round has its pairs. Read \`made\`, \`failures\` and \`dropped\`: where questions came to nothing or pairs are too long, make more, on other topics. Never make pairs about the task's questions themselves: they are held out.
4. Training: train-iteration, the first time with loss "orpo". Read \`loss\`: where it still falls clearly, train again on the same pairs. Once the model thinks in most of its answers, the next round's new pairs may be trained with loss "exo_pair".
5. The same questions again with recursive-reason, one call each. Compare answers, scores and whether there is thinking with the baseline.
6. Another round (new pairs are made against the trained model) where the last one brought a gain and the limits allow it; otherwise stop.

Rules:
- An error of a tool says what to call next. Do that; do not repeat a call that failed twice.
- Calls are limited. Keep enough of them to ask every question after the last training.
- Scores say how far retrieved passages support the thinking. A few questions prove little: say so.
- When you stop, call ${SUBMIT_REPORT} with your verdict and your reason. Numbers are taken from the tools' results, not from you.`;

/** The user's turn; `readTask` reads it back. */
export const taskPrompt = (task: OrchestratorTask): string => `<task>\n${JSON.stringify(task, null, 2)}\n</task>`;

/** The task of a user's turn as plain data, or undefined. */
export function readTask(text: string): unknown {
  const json = /<task>\n([\s\S]*?)\n<\/task>/.exec(text)?.[1];
  return json === undefined ? undefined : JSON.parse(json);
}
