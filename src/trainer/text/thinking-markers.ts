/** @file The markers of thinking and reflection, and the sections between them. */
import type { Section, SectionMarkers } from "./types.js";

/** Delimiters of the thinking section (Buehler 2024, arXiv 2410.12375). */
export const THINKING: SectionMarkers = { start: "<|thinking|>", end: "<|/thinking|>" };

/** Delimiters of the reflection section, which stands between thinking and answer. */
export const REFLECT: SectionMarkers = { start: "<|reflect|>", end: "<|/reflect|>" };

/** Ends every user turn that asks for thinking. */
export const PROMPT_SUFFIX = " Use <|thinking|>.";

/**
 * The last complete section of `text`: up to the LAST end marker, so that `after` is what the answer mask compares, and
 * from the nearest start marker before it. Parts are returned as they stand, white space included.
 */
export function extractSection(text: string, markers: SectionMarkers): Section {
  const { start, end } = markers;
  const endAt = text.lastIndexOf(end);
  const startAt = endAt < 0 ? -1 : lastIndexBefore(text, start, endAt);
  if (startAt >= 0) {
    return {
      kind: "found",
      before: text.slice(0, startAt),
      text: text.slice(startAt + start.length, endAt),
      after: text.slice(endAt + end.length),
    };
  }
  const open = text.indexOf(start);
  if (open < 0) return { kind: "missing", before: "", text: "", after: text };
  return { kind: "unterminated", before: text.slice(0, open), text: text.slice(open + start.length), after: "" };
}

/** The opening of a reply whose thinking is given: the model goes on after it. */
export function prefilledThinking(thinking: string, markers: SectionMarkers = THINKING): string {
  return `${markers.start}\n${thinking}\n${markers.end}`;
}

/** Last occurrence of `needle` that ends at or before `limit`. */
function lastIndexBefore(text: string, needle: string, limit: number): number {
  return limit < needle.length ? -1 : text.lastIndexOf(needle, limit - needle.length);
}
