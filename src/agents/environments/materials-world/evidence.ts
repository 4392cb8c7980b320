/** @file What passages hold on a question: its two facts and its rule. Reads sentences; knows no table of facts. */
import {
  type ClassQuestion,
  type FactKind,
  type FactStatement,
  factForms,
  type RuleStatement,
  readStatements,
  type Statement,
  sameWord,
  typeForms,
} from "./language.js";

/** A passage of a store has more fields; only its text is read. */
export interface PassageText {
  readonly text: string;
}

export interface Step<S extends Statement> {
  /** What the step needs, in words: "the building block of Veltrin". */
  readonly need: string;
  /** Undefined where the passages do not say it, or contradict each other. */
  readonly statement: S | undefined;
}

/** The three steps of every question, in the order of use. */
export interface Evidence {
  readonly facts: readonly [Step<FactStatement>, Step<FactStatement>];
  readonly rule: Step<RuleStatement>;
}

/** Whole sentences only: a passage that was cut can end within a word. */
export const statementsOf = (passages: readonly PassageText[]): Statement[] =>
  passages.flatMap(({ text }) => readStatements(text).filter(({ complete }) => complete));

export function gatherEvidence(question: ClassQuestion, passages: readonly PassageText[]): Evidence {
  const statements = statementsOf(passages);
  const [a, b] = typeForms[question.type].facts;
  const facts = [factStep(a, question.subject, statements), factStep(b, question.subject, statements)] as const;
  return { facts, rule: ruleStep(question, facts, statements) };
}

export const stepsOf = ({ facts, rule }: Evidence): readonly Step<FactStatement | RuleStatement>[] => [...facts, rule];

function factStep(fact: FactKind, subject: string, statements: readonly Statement[]): Step<FactStatement> {
  const stated = statements.filter(
    (s): s is FactStatement => s.kind === "fact" && s.fact === fact && sameWord(s.subject, subject),
  );
  return settle(`the ${factForms[fact].noun} of ${subject}`, stated);
}

function ruleStep(
  { type }: ClassQuestion,
  facts: Evidence["facts"],
  statements: readonly Statement[],
): Step<RuleStatement> {
  const [first, second] = facts.map(({ statement }) => statement?.value);
  if (first === undefined || second === undefined) {
    return { need: `the rule of the ${typeForms[type].noun} for these two facts`, statement: undefined };
  }
  const stated = statements.filter(
    (s): s is RuleStatement => s.kind === "rule" && s.type === type && s.values[0] === first && s.values[1] === second,
  );
  return settle(`the ${typeForms[type].noun} that a ${typeForms[type].premise(first, second)} gives`, stated);
}

function settle<S extends FactStatement | RuleStatement>(need: string, stated: readonly S[]): Step<S> {
  const values = [...new Set(stated.map(({ value }) => value))];
  if (values.length < 2) return { need, statement: stated[0] };
  return { need: `${need} (the passages disagree: ${values.join(", ")})`, statement: undefined };
}
