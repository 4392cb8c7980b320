/** @file A reply that comes in pieces, parted into thinking sections and everything else. */
import { createTextScan, type TextScan } from "./text-scan.js";
import type { SectionMarkers } from "./types.js";

export interface SectionText {
  readonly kind: "reasoning" | "content";
  readonly text: string;
}

export interface ThinkingSplit {
  push(text: string): SectionText[];
  finish(): SectionText[];
}

/**
 * Markers are left out, and so is the white space beside them. `inside`: the reply begins in the middle of such a section
 * (its start marker is in the pre-fill). An end marker without a section stays text.
 */
export function createThinkingSplit(markers: readonly SectionMarkers[], inside?: SectionMarkers): ThinkingSplit {
  const starts = markers.map(({ start }) => start);
  let open = inside;
  let scan: TextScan = createTextScan(open === undefined ? starts : [open.end]);
  let parts: SectionText[] = [];
  let afterMarker = open !== undefined;
  let space = "";

  const emit = (text: string): void => {
    const fresh = afterMarker ? text.trimStart() : space + text;
    if (fresh === "") return;
    afterMarker = false;
    const shown = fresh.trimEnd();
    space = fresh.slice(shown.length);
    if (shown !== "") parts.push({ kind: open === undefined ? "content" : "reasoning", text: shown });
  };
  const cross = (found: string): void => {
    open = open === undefined ? markers.find(({ start }) => start === found) : undefined;
    scan = createTextScan(open === undefined ? starts : [open.end]);
    afterMarker = true;
    space = "";
  };
  const take = (): SectionText[] => {
    const out = parts;
    parts = [];
    return out;
  };
  return {
    push(text) {
      let rest = text;
      for (;;) {
        const result = scan.push(rest);
        if (typeof result === "string") {
          emit(result);
          return take();
        }
        emit(result.before);
        cross(result.found);
        rest = result.after;
      }
    },
    finish() {
      emit(scan.finish());
      if (space !== "") parts.push({ kind: open === undefined ? "content" : "reasoning", text: space });
      space = "";
      return take();
    },
  };
}
