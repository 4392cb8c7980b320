/** @file Replies on disk: each with what it was asked and how it was marked, and read back to compare another model with. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { type Mark, type OpenQuestion, THINKING_MODES, type ThinkingMode, type WholeReply } from "../agents/index.js";

/** Rows of other origin need question and reply alone. */
const storedRowSchema = z.object({
  question: z.string("expected a text").min(1, "expected a text, found nothing"),
  reply: z.string("expected a text"),
  /** Absent: the reply stands for every way of asking. */
  thinking: z.enum(THINKING_MODES).optional(),
  /** Whether the model ended it. */
  ended: z.boolean().default(true),
  /** 0: the greedy reply; 1 … n: drawn ones, which are not read back. */
  sample: z.number().int().nonnegative().default(0),
});

export interface StoredReplies {
  /** The reply to this question, asked in this way; undefined where the file has none. */
  find(question: string, thinking: ThinkingMode): WholeReply | undefined;
}

export async function readStoredReplies(
  file: string,
): Promise<{ readonly replies: StoredReplies; readonly sha256: string }> {
  const text = await readText(file, "--against");
  const rows = parseJsonLines(text, file, storedRowSchema, '{"question", "reply"}').filter(
    ({ sample }) => sample === 0,
  );
  const byQuestion = new Map<string, WholeReply>();
  for (const { question, reply, thinking, ended } of rows) {
    for (const mode of thinking === undefined ? THINKING_MODES : [thinking]) {
      const key = keyOf(question, mode);
      if (!byQuestion.has(key)) byQuestion.set(key, { text: reply, finish: ended ? "stop" : "length" });
    }
  }
  return {
    replies: { find: (question, thinking) => byQuestion.get(keyOf(question, thinking)) },
    sha256: createHash("sha256").update(text).digest("hex"),
  };
}

const keyOf = (question: string, thinking: ThinkingMode): string => `${thinking}\n${question}`;

/** What was asked and answered, in order. */
export interface ReplyJournal {
  mark(mark: Mark, thinking: ThinkingMode, sample: number): void;
  reply(question: OpenQuestion, reply: WholeReply, thinking: ThinkingMode): void;
  write(file: string): Promise<void>;
}

export function replyJournal(): ReplyJournal {
  const lines: string[] = [];
  return {
    mark({ question, reply, right, markable, thinkingRight }, thinking, sample) {
      const { id, split, type, text } = question;
      const asked = { id, split, type, question: text, thinking, sample };
      const verdict = { right, markable, thinkingRight: thinkingRight ?? null };
      lines.push(JSON.stringify({ ...asked, ...written(reply), ...verdict }));
    },
    reply({ id, text }, reply, thinking) {
      lines.push(JSON.stringify({ id, question: text, thinking, sample: 0, ...written(reply) }));
    },
    write: (file) => writeFile(file, lines.map((line) => `${line}\n`).join("")),
  };
}

const written = ({ text, finish }: WholeReply) => ({ reply: text, ended: finish === "stop" });

export async function readText(file: string, flag: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`${flag}: ${cause.code === "ENOENT" ? `there is no file ${file}` : cause.message}`, { cause });
  });
}

/** The rows of a JSONL file; throws with every line that is none, and where there are none at all. */
export function parseJsonLines<T>(text: string, file: string, schema: z.ZodType<T>, expected: string): T[] {
  const problems: string[] = [];
  const rows = text.split("\n").flatMap((line, i): T[] => {
    if (line.trim() === "") return [];
    const row = parseLine(line, schema);
    if ("value" in row) return [row.value];
    problems.push(`line ${i + 1}: ${row.problem}`);
    return [];
  });
  if (problems.length > 0) {
    const shown = problems
      .slice(0, MOST_SHOWN)
      .map((problem) => `\n  ${problem}`)
      .join("");
    const more = problems.length > MOST_SHOWN ? `\n  … ${problems.length - MOST_SHOWN} more` : "";
    throw new Error(
      `${file}: expected a JSON object ${expected} a line, found ${problems.length} other(s):${shown}${more}`,
    );
  }
  if (rows.length === 0) throw new Error(`${file} is empty: expected a JSON object ${expected} a line`);
  return rows;
}

const MOST_SHOWN = 10;

function parseLine<T>(line: string, schema: z.ZodType<T>): { readonly value: T } | { readonly problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    return { problem: `not JSON (${(error as Error).message})` };
  }
  const { data, error } = schema.safeParse(json);
  if (error === undefined) return { value: data as T };
  return { problem: error.issues.map(({ path, message }) => `${path.join(".") || "row"}: ${message}`).join("; ") };
}
