/** @file A reply as token segments: markers are boundaries, so spans are exact even where a marker is several tokens. */
import type { Tokenizer } from "./tokenizer.js";
import type { SectionMarkers } from "./types.js";

/** Token positions [from, to). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Tokens of a reply (without EOS) and where its markers are, in order. */
export interface MarkedTokens {
  readonly ids: readonly number[];
  readonly starts: readonly Span[];
  readonly ends: readonly Span[];
}

/** Tokenizes the pieces between markers, and each marker, on their own. */
export function encodeMarked(text: string, markers: SectionMarkers, tokenizer: Tokenizer): MarkedTokens {
  const ids: number[] = [];
  const starts: Span[] = [];
  const ends: Span[] = [];
  for (const piece of splitAtMarkers(text, markers)) {
    const from = ids.length;
    for (const id of tokenizer.encode(piece)) ids.push(id);
    if (piece === markers.start) starts.push({ from, to: ids.length });
    else if (piece === markers.end) ends.push({ from, to: ids.length });
  }
  return { ids, starts, ends };
}

/** Sections with both markers: each end closes the nearest open start; what is left over is no section. */
export function matchedSpans({ starts, ends }: MarkedTokens): { readonly start: Span; readonly end: Span }[] {
  const marks = [...starts.map((span) => ({ span, opens: true })), ...ends.map((span) => ({ span, opens: false }))];
  marks.sort((a, b) => a.span.from - b.span.from);
  const sections: { start: Span; end: Span }[] = [];
  let open: Span | undefined;
  for (const { span, opens } of marks) {
    if (opens) open = span;
    else if (open) {
      sections.push({ start: open, end: span });
      open = undefined;
    }
  }
  return sections;
}

function splitAtMarkers(text: string, { start, end }: SectionMarkers): string[] {
  const pieces: string[] = [];
  let at = 0;
  while (at < text.length) {
    const next = [start, end]
      .map((marker) => ({ marker, at: text.indexOf(marker, at) }))
      .filter((hit) => hit.at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    pieces.push(text.slice(at, next.at), next.marker);
    at = next.at + next.marker.length;
  }
  pieces.push(text.slice(at));
  return pieces.filter((piece) => piece !== "");
}
