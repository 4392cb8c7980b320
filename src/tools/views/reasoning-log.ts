/** @file What was reasoned within a run, kept as a line of reasoning.jsonl each, and read back the latest first. */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readLines } from "../../agents/teaching/growing-lines.js";
import { readPlainJson } from "./read-file.js";
import { runPlace } from "./run-place.js";
import type { ReasoningView } from "./types.js";

export const REASONING_FILE = "reasoning.jsonl";

/** Longer texts are cut: a record has at most 11 rounds of four texts. */
const MOST_CHARACTERS = 8000;
/** As many are shown, and none of more bytes together. */
const MOST_SHOWN = 20;
const MOST_BYTES = 16 << 20;

const roundSchema = z.object({
  thinking: z.string(),
  answer: z.string(),
  score: z.number(),
  feedback: z.string().optional(),
  reflection: z.string().optional(),
});
const recordSchema = z.object({
  at: z.string(),
  question: z.string(),
  answer: z.string(),
  rounds: z.array(roundSchema),
  best: z.number().int(),
  integrated: z.boolean(),
});
/** What the demo keeps in summary.json. */
const demoSchema = z.object({
  reasoning: z.object({ question: z.string(), answer: z.string(), rounds: z.array(roundSchema).min(1) }),
});

/** Appends to the run's file; texts beyond {@link MOST_CHARACTERS} are cut, and end with an ellipsis. */
export async function appendReasoning(directory: string, record: ReasoningView): Promise<void> {
  const { question, answer, rounds, ...rest } = record;
  const kept = {
    ...rest,
    question: cut(question),
    answer: cut(answer),
    rounds: rounds.map(({ thinking, answer: own, score, feedback, reflection }) => ({
      thinking: cut(thinking),
      answer: cut(own),
      score,
      ...(feedback !== undefined && { feedback: cut(feedback) }),
      ...(reflection !== undefined && reflection !== "" && { reflection: cut(reflection) }),
    })),
  };
  await appendFile(join(directory, REASONING_FILE), `${JSON.stringify(kept)}\n`);
}

const cut = (text: string): string => (text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text);

/** The latest first; of the demo, its one question. Lines that cannot be read are left out. */
export async function reasoningViews(home: string, id: string): Promise<ReasoningView[]> {
  const directory = await runPlace(home, id);
  const file = join(directory, REASONING_FILE);
  const { total } = await readLines(file, { after: 0, limit: 1 });
  const { lines } = await readLines(file, {
    after: Math.max(0, total - MOST_SHOWN),
    limit: MOST_SHOWN,
    mostBytes: MOST_BYTES,
  });
  const records = lines.flatMap(({ text }) => readRecord(text));
  const views = [...(await demoRecord(directory)), ...records];
  return views.sort((a, b) => b.at.localeCompare(a.at));
}

function readRecord(text: string | undefined): ReasoningView[] {
  try {
    return [recordSchema.parse(JSON.parse(text ?? ""))];
  } catch {
    return [];
  }
}

async function demoRecord(directory: string): Promise<ReasoningView[]> {
  const read = await readPlainJson(join(directory, "summary.json"));
  const parsed = demoSchema.safeParse(read?.json);
  if (read === undefined || !parsed.success) return [];
  const { question, answer, rounds } = parsed.data.reasoning;
  const scores = rounds.map(({ score }) => score);
  const best = scores.indexOf(Math.max(...scores)) + 1;
  return [{ at: read.changed.toISOString(), question, answer, rounds, best, integrated: false }];
}
