/** @file The programmatic teacher's answers: queries, thinking and answer, all from passages. It has no other source. */
import { gatherEvidence, type PassageText, type Step } from "./evidence.js";
import { classQuestion, classSentence, joined, typeForms } from "./language.js";
import { readQuestion, type WorldQuestion } from "./reading.js";
import { reflectOn } from "./reflection.js";

/**
 * What to look up next: first which facts decide, then those facts, then the rules that join them. Empty where the
 * passages settle the question. A question of another kind is its own query.
 */
export function queriesFor(question: string, passages: readonly PassageText[] = []): readonly string[] {
  const asked = readQuestion(question);
  if (asked === undefined) return [question];
  const { link, steps } = gatherEvidence(asked, passages);
  if (link.facts === undefined) return [link.query];
  return steps.flatMap(({ said, query }) => (said === undefined && query !== undefined ? [query] : []));
}

export type Layout =
  | {
      readonly kind: "laid-out";
      readonly thinking: string;
      /** Where one was asked for. */
      readonly reflection?: string;
      readonly answer: string;
    }
  /** `what`: everything that the passages do not settle, in words. */
  | { readonly kind: "missing"; readonly what: readonly string[] };

export interface LayoutOptions {
  /**
   * Adds a reflection. The thinking of one half of the questions then holds a slip, a wrong fact with the rule that
   * follows from it, which the reflection puts right; the answer is right in either half. Default false.
   */
  readonly reflection?: boolean;
}

/**
 * Thinking: both facts and the rule as the passages have them, a sentence a line; of two candidates one after the
 * other, each with its class. The answer: one sentence.
 */
export function layOut(
  question: string,
  passages: readonly PassageText[],
  { reflection = false }: LayoutOptions = {},
): Layout {
  const asked = readQuestion(question);
  if (asked === undefined) {
    return { kind: "missing", what: [`a question of the form "${classQuestion("stiffness-class", "<material>")}"`] };
  }
  const evidence = gatherEvidence(asked, passages);
  const { link, steps } = evidence;
  if (link.facts === undefined) return { kind: "missing", what: [link.need] };
  const open = steps.filter(({ said, role }) => said === undefined && role !== "conclusion");
  if (open.length > 0) return { kind: "missing", what: open.map(({ need }) => need) };
  const answer = answerOf(asked, steps);
  if (answer === undefined) return { kind: "missing", what: [oneCandidate(asked)] };
  if (!reflection) return { kind: "laid-out", thinking: lines(steps.map(({ said }) => said!.sentence)), answer };
  const reflected = reflectOn(asked, evidence, passages);
  return { kind: "laid-out", thinking: lines(reflected.thinking), reflection: lines(reflected.reflection), answer };
}

const lines = (sentences: readonly string[]): string => sentences.join("\n");

/** The class of the subject, or of the only candidate that has the class of the question. */
function answerOf({ type, subjects, value }: WorldQuestion, steps: readonly Step[]): string | undefined {
  const classes = steps.flatMap(({ role, said }) => (role === "rule" ? [said!.value] : []));
  const fitting = subjects.flatMap((subject, i) => {
    const own = classes[i]!;
    return value === undefined || value === own ? [classSentence(type, subject, own)] : [];
  });
  return fitting.length === 1 ? fitting[0] : undefined;
}

const oneCandidate = ({ type, subjects, value }: WorldQuestion): string =>
  `exactly one of ${joined(subjects)} that is of the ${value} ${typeForms[type].noun}`;
