/** @file The programmatic teacher: questions, queries, thinking and answer, all from passages. It has no other source. */
import { gatherEvidence, type PassageText, statementsOf, stepsOf } from "./evidence.js";
import {
  classQuestion,
  classSentence,
  factForms,
  type QuestionType,
  questionTypes,
  readQuestion,
  rulePremise,
  typeForms,
} from "./language.js";

/** False for everything that is held out. */
export type Allowed = (subject: string, type: QuestionType) => boolean;

/**
 * A question on a material that the passages state a fact of; undefined where nothing is allowed.
 * `pick(n)` chooses 0 … n − 1, e.g. `rng.int`.
 */
export function writeQuestion(
  passages: readonly PassageText[],
  pick: (below: number) => number,
  allowed: Allowed,
): string | undefined {
  const named = statementsOf(passages).flatMap((statement) => (statement.kind === "fact" ? [statement.subject] : []));
  const options = [...new Set(named)]
    .sort()
    .flatMap((subject) =>
      questionTypes.filter((type) => allowed(subject, type)).map((type) => classQuestion(type, subject)),
    );
  return options.length === 0 ? undefined : options[pick(options.length)];
}

/** What to look up first: one query for each fact. A question of another kind is its own query. */
export function queriesFor(question: string): readonly string[] {
  const asked = readQuestion(question);
  if (asked === undefined) return [question];
  return typeForms[asked.type].facts.map(
    (fact) => `The ${factForms[fact].noun} of ${asked.subject} ${factForms[fact].verb}`,
  );
}

/** The query for the rule, once the passages hold both facts; undefined before. */
export function followUpQuery(question: string, passages: readonly PassageText[]): string | undefined {
  const asked = readQuestion(question);
  if (asked === undefined) return undefined;
  const [first, second] = gatherEvidence(asked, passages).facts.map(({ statement }) => statement?.value);
  if (first === undefined || second === undefined) return undefined;
  return `${rulePremise(asked.type, first, second)} ${typeForms[asked.type].noun}`;
}

export type Layout =
  | { readonly kind: "laid-out"; readonly thinking: string; readonly answer: string }
  /** `what`: everything that the passages do not settle, in words. */
  | { readonly kind: "missing"; readonly what: readonly string[] };

/** Thinking: both facts and the rule as the passages have them, a sentence a line. The answer: one sentence. */
export function layOut(question: string, passages: readonly PassageText[]): Layout {
  const asked = readQuestion(question);
  if (asked === undefined) {
    return { kind: "missing", what: [`a question of the form "${classQuestion("stiffness-class", "<material>")}"`] };
  }
  const evidence = gatherEvidence(asked, passages);
  const steps = stepsOf(evidence);
  const what = steps.flatMap(({ need, statement }) => (statement === undefined ? [need] : []));
  if (what.length > 0) return { kind: "missing", what };
  return {
    kind: "laid-out",
    thinking: steps.map(({ statement }) => statement!.sentence).join("\n"),
    answer: classSentence(asked.type, asked.subject, evidence.rule.statement!.value),
  };
}
