/** @file Questions that were asked before, found again: equal ones, near duplicates, and the most similar. */
import { byCode, isCapitalised, plain, stemOf, words } from "./words.js";

export interface SimilarQuestion {
  readonly id: string;
  /** Jaccard of the character trigrams of both questions' content words, in [0, 1]. */
  readonly similarity: number;
  readonly duplicate: boolean;
}

/**
 * Similarity from which two questions may be the same. Words that were swapped are ruled out before, so what is left are
 * inflection, order and additions: 0.8 lets one plain word be added to about five.
 */
export const DUPLICATE_SIMILARITY = 0.8;
/** Questions that a new one is compared with: those that share its rarest words. Bounds the work of an insert. */
export const MOST_COMPARED = 256;

/** Function words that turn a question into another one. */
const POLAR = new Set(
  "not no nor cannot never neither without within more most over under up out off only same other".split(" "),
);
/** "Explain how …" asks what "How …" asks. */
const REQUESTS = new Set(["explain", "describe", "discuss"]);

interface Signature {
  readonly exact: string;
  /** Stems of the content words, in order. */
  readonly stems: readonly string[];
  /** The question with a blank for each content word. */
  readonly frame: string;
  /** Numbers, signs and polar words, sorted: where these differ, so do the questions. */
  readonly marks: string;
  readonly names: ReadonlySet<string>;
}

/** Case, white space and the closing mark make no difference. */
export const exactForm = (text: string): string =>
  plain(text)
    .toLowerCase()
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\s?.!]+$/, "");

function signatureOf(question: string): Signature {
  const text = plain(question).trim();
  const all = words(text).filter((word, i) => i > 0 || !REQUESTS.has(word.lower));
  const content = all.filter((word) => word.content);
  const signs = text.match(/[-−+]?\p{N}+(?:[.,]\p{N}+)*|[^\P{S}`]|[#%&@/\\]/gu) ?? [];
  const polar = all.map((word) => word.lower.replace(/^\p{L}+n't$/u, "not")).filter((lower) => POLAR.has(lower));
  return {
    exact: exactForm(question),
    stems: content.map((word) => stemOf(word.lower)),
    frame: all.map((word) => (word.content ? "_" : word.lower)).join(" "),
    marks: [...signs, ...polar].sort(byCode).join(" "),
    names: new Set(content.filter((word) => isCapitalised(word.text)).map((word) => stemOf(word.lower))),
  };
}

/**
 * Whether two questions ask the same. Not where numbers, signs or polar words differ; not where each has a content word that
 * the other lacks (a name, a material, "raises" for "lowers"); not where one adds a name; not where the same frame is
 * filled in another order. What passes is a duplicate from DUPLICATE_SIMILARITY on.
 */
function isNearDuplicate(a: Signature, b: Signature, similarity: number): boolean {
  if (similarity < DUPLICATE_SIMILARITY || a.marks !== b.marks || a.stems.length === 0) return false;
  if (a.frame === b.frame) return a.stems.join(" ") === b.stems.join(" ");
  const [onlyA, onlyB] = [lacking(a.stems, b.stems), lacking(b.stems, a.stems)];
  if (onlyA.length > 0 && onlyB.length > 0) return false;
  return !onlyA.some((stem) => a.names.has(stem)) && !onlyB.some((stem) => b.names.has(stem));
}

const lacking = (stems: readonly string[], other: readonly string[]): string[] =>
  stems.filter((stem) => !other.includes(stem));

/** Grows with every question; a rebuilt one answers as the original did if the questions come in the same order. */
export class QuestionIndex {
  private readonly signatures = new Map<string, Signature>();
  private readonly byExact = new Map<string, string>();
  private readonly postings = new Map<string, string[]>();

  add(id: string, text: string): void {
    const signature = signatureOf(text);
    this.signatures.set(id, signature);
    if (!this.byExact.has(signature.exact)) this.byExact.set(signature.exact, id);
    for (const stem of new Set(signature.stems)) {
      const ids = this.postings.get(stem);
      if (ids) ids.push(id);
      else this.postings.set(stem, [id]);
    }
  }

  /** The id of the question with this text, but for case, white space and the closing mark. */
  equal(text: string): string | undefined {
    return this.byExact.get(exactForm(text));
  }

  /** Questions that share a content word, the most similar first, equal ones by id. */
  similar(text: string): SimilarQuestion[] {
    const asked = signatureOf(text);
    const grams = trigrams(asked.stems);
    const found = this.candidates(asked).map((id): SimilarQuestion => {
      const signature = this.signatures.get(id);
      if (signature === undefined) throw new Error(`internal: question ${id} has no signature`);
      if (signature.exact === asked.exact) return { id, similarity: 1, duplicate: true };
      const similarity = jaccard(grams, trigrams(signature.stems));
      return { id, similarity, duplicate: isNearDuplicate(asked, signature, similarity) };
    });
    return found.sort((a, b) => b.similarity - a.similarity || byCode(a.id, b.id));
  }

  private candidates({ exact, stems }: Signature): string[] {
    const equal = this.byExact.get(exact);
    const found = new Set(equal === undefined ? [] : [equal]);
    const lists = [...new Set(stems)].map((stem) => this.postings.get(stem) ?? []).sort((a, b) => a.length - b.length);
    for (const ids of lists) {
      for (const id of ids) {
        if (found.size >= MOST_COMPARED) return [...found];
        found.add(id);
      }
    }
    return [...found];
  }
}

function trigrams(stems: readonly string[]): Set<string> {
  const text = ` ${stems.join(" ")} `;
  return new Set(Array.from({ length: Math.max(0, text.length - 2) }, (_, i) => text.slice(i, i + 3)));
}

function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let shared = 0;
  for (const gram of a) if (b.has(gram)) shared += 1;
  const union = a.size + b.size - shared;
  return union === 0 ? 0 : shared / union;
}
