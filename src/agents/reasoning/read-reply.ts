/** @file A reply as its sections: thinking, reflection, answer, in this order. */
import { extractSection, REFLECT, THINKING } from "../../trainer/index.js";
import type { DraftRound } from "./reasoning-types.js";

export type ReadReply = Pick<DraftRound, "thinking" | "section" | "reflection" | "reflectSection" | "answer">;

/** White space around the parts is left out. Sections that are unterminated or missing are outcomes, not errors. */
export function readReply(text: string): ReadReply {
  const thinking = extractSection(text, THINKING);
  const reflection = extractSection(thinking.after, REFLECT);
  return {
    thinking: thinking.text.trim(),
    section: thinking.kind,
    reflection: reflection.text.trim(),
    reflectSection: reflection.kind,
    answer: reflection.after.trim(),
  };
}

const MARKERS = [THINKING.start, THINKING.end, REFLECT.start, REFLECT.end];

/** A critic's text is put between markers: one inside it would end the section early. */
export function withoutMarkers(text: string): string {
  return MARKERS.reduce((rest, marker) => rest.replaceAll(marker, ""), text);
}
