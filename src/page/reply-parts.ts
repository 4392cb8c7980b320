/** @file A reply cut into what was thought and what was said. Knows no markup. */
import type { RunDetail } from "../tools/views/types.js";

export interface ReplyPart {
  readonly kind: "thinking" | "answer";
  readonly text: string;
  /** The section has no end marker. */
  readonly open: boolean;
}

/** Sections between the markers, in order; a section without an end runs to the end of the reply. Empty parts are left out. */
export function replyParts(reply: string, { start, end }: RunDetail["markers"]): ReplyPart[] {
  const parts: ReplyPart[] = [];
  const add = (kind: ReplyPart["kind"], text: string, open = false): void => {
    if (text.trim() !== "" || open) parts.push({ kind, text: text.trim(), open });
  };
  let rest = reply;
  for (;;) {
    const from = start === "" ? -1 : rest.indexOf(start);
    if (from < 0) {
      add("answer", rest);
      return parts;
    }
    add("answer", rest.slice(0, from));
    const inside = rest.slice(from + start.length);
    const to = inside.indexOf(end);
    if (to < 0) {
      add("thinking", inside, true);
      return parts;
    }
    add("thinking", inside.slice(0, to));
    rest = inside.slice(to + end.length);
  }
}

/** Who wrote a rejected reply: the weights' name, and how far they were trained. */
export function studentText(student: string): string {
  const [, weights, step] = /^([0-9a-f]{8})[0-9a-f]*@(\d+)$/.exec(student) ?? [];
  return weights === undefined ? student : `${weights} after ${step} step${step === "1" ? "" : "s"}`;
}

/** A verdict as words: "chosen: right, not markable · rejected: not right". */
export function verdictText(verdict: Readonly<Record<string, unknown>>): string {
  const words = (name: string): string =>
    name.replaceAll(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  const said = ([name, value]: [string, unknown]): string =>
    value === true
      ? words(name)
      : value === false
        ? `not ${words(name)}`
        : value !== null && typeof value === "object"
          ? `${words(name)}: ${Object.entries(value).map(said).join(", ")}`
          : `${words(name)} ${String(value)}`;
  return Object.entries(verdict).map(said).join(" · ");
}
