/** @file A document cut into passages whose offsets are exact: doc.text.slice(start, end) === passage.text. */

import { createHash } from "node:crypto";
import type { CorpusDocument } from "./read-documents.js";
import type { Passage } from "./types.js";

export interface ChunkOptions {
  /** Longest passage, in UTF-16 units. */
  readonly size?: number;
  /** How much of the passage before may be repeated, cut at a word. */
  readonly overlap?: number;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A few paragraphs: enough context for a question, short enough that three fit a small model's prompt. */
const DEFAULT_SIZE = 1200;
const DEFAULT_OVERLAP = 100;
/** 64 bits: a collision among 50,000 passages has a probability below 1e-10. */
const ID_HEX_DIGITS = 16;
/** Tried after Markdown's own separators (headings, fences, paragraphs, lines) and before single words. */
const SENTENCE_ENDS = [". ", "? ", "! "];

/** Short documents stay one passage. Throws where overlap does not leave room for text. */
export async function chunkDocument(doc: CorpusDocument, options: ChunkOptions = {}): Promise<Passage[]> {
  const { size = DEFAULT_SIZE, overlap = DEFAULT_OVERLAP } = options;
  if (!Number.isInteger(size) || !Number.isInteger(overlap) || overlap < 0 || size < 2 * overlap || size < 8) {
    throw new Error(`chunk size ${size} with overlap ${overlap}: expected whole numbers, size >= 8 and >= 2 * overlap`);
  }
  const whole = trimmed(doc.text, 0, doc.text.length);
  if (whole.end === whole.start) return [];
  const spans =
    whole.end - whole.start <= size
      ? [whole]
      : withOverlap(doc.text, await splitSpans(doc.text, size - overlap), overlap);
  return toPassages(doc, spans);
}

/** Passages of all documents, in order. */
export async function chunkDocuments(docs: readonly CorpusDocument[], options: ChunkOptions = {}): Promise<Passage[]> {
  const passages: Passage[] = [];
  for (const doc of docs) passages.push(...(await chunkDocument(doc, options)));
  return passages;
}

/**
 * Without overlap the splitter's pieces are the text in order, less white space between them, so each begins at the
 * first character after the last one: no searching, which would go astray in repetitive text.
 */
async function splitSpans(text: string, size: number): Promise<Span[]> {
  const { RecursiveCharacterTextSplitter } = await import("@langchain/textsplitters");
  const markdown = RecursiveCharacterTextSplitter.getSeparatorsForLanguage("markdown");
  const separators = [...markdown.filter((s) => s.trim() !== "" || s.includes("\n")), ...SENTENCE_ENDS, " ", ""];
  const splitter = new RecursiveCharacterTextSplitter({ chunkSize: size, chunkOverlap: 0, separators });
  const spans: Span[] = [];
  let from = 0;
  for (const piece of await splitter.splitText(text)) {
    while (!text.startsWith(piece, from)) {
      if (from >= text.length || text.charAt(from).trim() !== "")
        throw new Error("internal: a piece is not in its text");
      from++;
    }
    spans.push({ start: from, end: from + piece.length });
    from += piece.length;
  }
  return spans.map((span, i) => repairEdges(text, span, spans[i - 1], spans[i + 1])).filter((s) => s.end > s.start);
}

/** The splitter leaves a sentence's full stop on the next piece, and may cut a surrogate pair. */
function repairEdges(text: string, { start, end }: Span, before: Span | undefined, after: Span | undefined): Span {
  const moved = (at: number) =>
    SENTENCE_ENDS.includes(text.slice(at, at + 2)) || isLowSurrogate(text, at) ? at + 1 : at;
  // Only edges that two pieces share: what stands behind white space has no piece before it to go to.
  return trimmed(text, before?.end === start ? moved(start) : start, after?.start === end ? moved(end) : end);
}

function withOverlap(text: string, spans: readonly Span[], overlap: number): Span[] {
  return spans.map((span, i) => {
    const before = spans[i - 1];
    if (before === undefined || overlap === 0) return span;
    const earliest = Math.max(before.start, span.start - overlap);
    const space = earliest === before.start ? earliest : text.slice(earliest, span.start).search(/\s/) + earliest;
    if (space < earliest) return span;
    return trimmed(text, space, span.end);
  });
}

function toPassages(doc: CorpusDocument, spans: readonly Span[]): Passage[] {
  const seen = new Map<string, number>();
  return spans.map(({ start, end }) => {
    const text = doc.text.slice(start, end);
    const ordinal = seen.get(text) ?? 0;
    seen.set(text, ordinal + 1);
    return { id: passageId(doc.source, text, ordinal), text, source: doc.source, start, end };
  });
}

/** Content address of the `ordinal`-th passage with this text in this source. */
export function passageId(source: string, text: string, ordinal = 0): string {
  const hash = createHash("sha256").update(source).update("\0").update(text);
  if (ordinal > 0) hash.update(`\0${ordinal}`);
  return hash.digest("hex").slice(0, ID_HEX_DIGITS);
}

function trimmed(text: string, start: number, end: number): Span {
  const cut = text.slice(start, end);
  const left = cut.length - cut.trimStart().length;
  return { start: start + left, end: start + Math.max(left, cut.trimEnd().length) };
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const previous = text.charCodeAt(at - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && previous >= 0xd800 && previous <= 0xdbff;
}
