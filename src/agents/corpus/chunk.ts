/** @file A document cut into passages whose offsets are exact: doc.text.slice(start, end) === passage.text. */

import { createHash } from "node:crypto";
import type { CorpusDocument } from "./read-documents.js";
import type { Passage } from "./types.js";

export interface ChunkOptions {
  /** Longest passage: in tokens where they are counted, else in UTF-16 units. */
  readonly size?: number | undefined;
  /** How much of the passage before may be repeated, in the same unit, cut at a word. */
  readonly overlap?: number | undefined;
  /** Tokens of a text, by the tokenizer of the model that will read passages: `(text) => tokenizer.encode(text).length`. */
  readonly countTokens?: ((text: string) => number) | undefined;
  /** Name of that tokenizer. It is recorded with what is ingested: another name cuts documents again. */
  readonly tokenizer?: string | undefined;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** How long texts are, in the unit of the options. */
interface Measure {
  readonly size: number;
  readonly overlap: number;
  readonly length: (text: string) => number;
  /** Whether the size holds to the last unit; UTF-16 units give way to a surrogate pair or a full stop. */
  readonly strict: boolean;
}

/** A few paragraphs: enough context for a question, short enough that three fit a small model's prompt. */
const DEFAULT_UNITS = { size: 1200, overlap: 100 };
/** About as much of English text. */
const DEFAULT_TOKENS = { size: 300, overlap: 25 };
/** No text has fewer tokens than one in so many units: longer ones are cut before they are counted. */
const MOST_UNITS_PER_TOKEN = 64;
/** 64 bits: a collision among 50,000 passages has a probability below 1e-10. */
const ID_HEX_DIGITS = 16;
/** Tried after Markdown's own separators (headings, fences, paragraphs, lines) and before single words. */
const SENTENCE_ENDS = [". ", "? ", "! "];

/** Short documents stay one passage. Throws where overlap does not leave room for text. */
export async function chunkDocument(doc: CorpusDocument, options: ChunkOptions = {}): Promise<Passage[]> {
  const measure = measureOf(options);
  const whole = trimmed(doc.text, 0, doc.text.length);
  if (whole.end === whole.start) return [];
  const spans =
    measure.length(doc.text.slice(whole.start, whole.end)) <= measure.size ? [whole] : await cut(doc.text, measure);
  return toPassages(doc, spans);
}

/** Says how these options cut: equal names give equal passages of equal text. */
export function chunkingName(options: ChunkOptions): string {
  const { size, overlap, strict } = measureOf(options);
  return `${size}/${overlap} ${strict ? (options.tokenizer ?? "tokens") : "units"}`;
}

function measureOf({ size, overlap, countTokens }: ChunkOptions): Measure {
  const defaults = countTokens === undefined ? DEFAULT_UNITS : DEFAULT_TOKENS;
  const measure = { ...defaults, ...(size !== undefined && { size }), ...(overlap !== undefined && { overlap }) };
  const isWhole = Number.isInteger(measure.size) && Number.isInteger(measure.overlap);
  if (!isWhole || measure.overlap < 0 || measure.size < 2 * measure.overlap || measure.size < 8) {
    throw new Error(
      `chunk size ${measure.size} with overlap ${measure.overlap}: expected whole numbers, size >= 8 and >= 2 * overlap`,
    );
  }
  if (countTokens === undefined) return { ...measure, length: (text) => text.length, strict: false };
  const most = MOST_UNITS_PER_TOKEN * measure.size;
  const length = (text: string) => (text.length > most ? text.length : countTokens(text));
  return { ...measure, length, strict: true };
}

/** Passages of all documents, in order. */
export async function chunkDocuments(docs: readonly CorpusDocument[], options: ChunkOptions = {}): Promise<Passage[]> {
  const passages: Passage[] = [];
  for (const doc of docs) passages.push(...(await chunkDocument(doc, options)));
  return passages;
}

async function cut(text: string, measure: Measure): Promise<Span[]> {
  const spans = await splitSpans(text, measure);
  const fitting = measure.strict ? spans.flatMap((span) => halved(text, span, measure)) : spans;
  return withOverlap(text, fitting, measure);
}

/**
 * Without overlap the splitter's pieces are the text in order, less white space between them, so each begins at the
 * first character after the last one: no searching, which would go astray in repetitive text.
 */
async function splitSpans(text: string, { size, overlap, length, strict }: Measure): Promise<Span[]> {
  const { RecursiveCharacterTextSplitter } = await import("@langchain/textsplitters");
  const markdown = RecursiveCharacterTextSplitter.getSeparatorsForLanguage("markdown");
  const words = [...markdown.filter((s) => s.trim() !== "" || s.includes("\n")), ...SENTENCE_ENDS, " "];
  const splitter = new RecursiveCharacterTextSplitter({
    chunkSize: size - overlap,
    chunkOverlap: 0,
    // What has no space is not counted character by character: it is halved until it fits.
    separators: strict ? words : [...words, ""],
    lengthFunction: length,
  });
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

/** Pieces that fit, whether the splitter found no place to cut or tokens of parts are fewer than of the whole. */
function halved(text: string, span: Span, measure: Measure): Span[] {
  const { start, end } = span;
  if (start === end) return [];
  if (measure.length(text.slice(start, end)) <= measure.size - measure.overlap) return [span];
  const middle = (start + end) >> 1;
  const space = text.slice(start, middle).lastIndexOf(" ") + start;
  const at = space > start ? space : isLowSurrogate(text, middle) ? middle + 1 : middle;
  if (at <= start || at >= end) return [span];
  return [trimmed(text, start, at), trimmed(text, at, end)].flatMap((half) => halved(text, half, measure));
}

/** The splitter leaves a sentence's full stop on the next piece, and may cut a surrogate pair. */
function repairEdges(text: string, { start, end }: Span, before: Span | undefined, after: Span | undefined): Span {
  const moved = (at: number) =>
    SENTENCE_ENDS.includes(text.slice(at, at + 2)) || isLowSurrogate(text, at) ? at + 1 : at;
  // Only edges that two pieces share: what stands behind white space has no piece before it to go to.
  return trimmed(text, before?.end === start ? moved(start) : start, after?.start === end ? moved(end) : end);
}

/** Each piece from the first word of the piece before it that lets both the overlap and the passage fit. */
function withOverlap(text: string, spans: readonly Span[], measure: Measure): Span[] {
  const { size, overlap, length, strict } = measure;
  return spans.map((span, i) => {
    const before = spans[i - 1];
    if (before === undefined || overlap === 0) return span;
    const starts = wordStarts(text, before.start, span.start);
    const fits = (start: number) =>
      length(text.slice(start, span.start)) <= overlap && (!strict || length(text.slice(start, span.end)) <= size);
    const start = starts[firstThat(starts.length, (at) => fits(starts[at] as number))];
    return start === undefined ? span : trimmed(text, start, span.end);
  });
}

/** `from`, and where white space stands before `to`. */
function wordStarts(text: string, from: number, to: number): number[] {
  const starts = [from];
  for (const { index } of text.slice(from, to).matchAll(/\s/g)) if (index > 0) starts.push(from + index);
  return starts;
}

/** The first number below `count` from which on `holds`; `count` where there is none. */
function firstThat(count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
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
