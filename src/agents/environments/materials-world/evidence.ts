/** @file What passages hold on a question: which facts decide, those facts, and the rules that join them. Knows no table. */
import {
  classPremise,
  classSentence,
  type FactKind,
  type FactPair,
  factForms,
  factPremise,
  factsPhrase,
  linkPremise,
  type QuestionType,
  rulePremise,
  typeForms,
} from "./language.js";
import {
  type FactStatement,
  type Link,
  type RuleStatement,
  readLinks,
  readStatements,
  type Statement,
  sameWord,
  type WorldQuestion,
} from "./reading.js";

/** A passage of a store has more fields; only its text is read. */
export interface PassageText {
  readonly text: string;
}

/** What the passages say on a step. */
export interface Said {
  readonly sentence: string;
  /** The sentence up to its value. */
  readonly premise: string;
  readonly value: string;
}

interface NeededStep {
  readonly subject: string;
  /** In words: "the building block of Veltrin". */
  readonly need: string;
  /** Undefined where the passages do not say it, or contradict each other. */
  readonly said: Said | undefined;
  /** What to look up for it; undefined where that depends on what is still open, or follows. */
  readonly query: string | undefined;
}
export type FactStep = NeededStep & { readonly role: "fact"; readonly fact: FactKind };
export type RuleStep = NeededStep & {
  readonly role: "rule";
  readonly facts: FactPair;
  /** The two facts that the rule joins, where both are known. */
  readonly values: readonly [string, string] | undefined;
};
/** A candidate's class, restated after the rule. Needed where there are two of them. */
export type ConclusionStep = NeededStep & { readonly role: "conclusion" };
export type Step = FactStep | RuleStep | ConclusionStep;

export interface Evidence {
  /** Which two facts decide the class, with what to look up for it; `facts` is undefined where no passage says so. */
  readonly link: { readonly need: string; readonly query: string; readonly facts: FactPair | undefined };
  /** In the order of use, a subject after the other. Empty without the link. */
  readonly steps: readonly Step[];
}

/** Whole sentences only: a passage that was cut can end within a word. */
export const statementsOf = (passages: readonly PassageText[]): Statement[] =>
  passages.flatMap(({ text }) => readStatements(text).filter(({ complete }) => complete));

export function gatherEvidence(question: WorldQuestion, passages: readonly PassageText[]): Evidence {
  const { type, subjects } = question;
  const facts = decidingFacts(type, passages);
  const link = { need: `the facts that the ${typeForms[type].noun} follows from`, query: linkPremise(type), facts };
  if (facts === undefined) return { link, steps: [] };
  const statements = statementsOf(passages);
  return { link, steps: subjects.flatMap((subject) => stepsOf(question, subject, facts, statements)) };
}

function decidingFacts(type: QuestionType, passages: readonly PassageText[]): FactPair | undefined {
  const links = passages.flatMap(({ text }) => readLinks(text).filter((link) => link.type === type && link.complete));
  const different = new Map(links.map((link: Link) => [link.facts.join(), link.facts]));
  return different.size === 1 ? links[0]!.facts : undefined;
}

function stepsOf(
  { type, subjects }: WorldQuestion,
  subject: string,
  facts: FactPair,
  statements: readonly Statement[],
): Step[] {
  const [first, second] = [factStep(facts[0], subject, statements), factStep(facts[1], subject, statements)];
  const rule = ruleStep(type, facts, [first, second], statements);
  return subjects.length === 1 ? [first, second, rule] : [first, second, rule, conclusionStep(type, rule)];
}

function factStep(fact: FactKind, subject: string, statements: readonly Statement[]): FactStep {
  const stated = statements.filter(
    (s): s is FactStatement => s.kind === "fact" && s.fact === fact && sameWord(s.subject, subject),
  );
  const query = factPremise(fact, subject);
  const need = `the ${factForms[fact].noun} of ${subject}`;
  return { role: "fact", fact, subject, query, ...settle(need, query, stated) };
}

function ruleStep(
  type: QuestionType,
  facts: FactPair,
  [first, second]: readonly [FactStep, FactStep],
  statements: readonly Statement[],
): RuleStep {
  const { noun } = typeForms[type];
  const step = { role: "rule", facts, subject: first.subject } as const;
  if (first.said === undefined || second.said === undefined) {
    const need = `the rule of the ${noun} for these two facts`;
    return { ...step, need, said: undefined, query: undefined, values: undefined };
  }
  const values = [first.said.value, second.said.value] as const;
  const stated = statements.filter(
    (s): s is RuleStatement =>
      s.kind === "rule" && s.type === type && String(s.facts) === String(facts) && String(s.values) === String(values),
  );
  const premise = rulePremise(facts, values);
  const settled = settle(`the ${noun} that a ${factsPhrase(facts, values)} gives`, premise, stated);
  return { ...step, values, query: `${premise} ${noun}`, ...settled };
}

function conclusionStep(type: QuestionType, { subject, said: rule }: RuleStep): ConclusionStep {
  const said = rule && {
    sentence: classSentence(type, subject, rule.value),
    premise: classPremise(type, subject),
    value: rule.value,
  };
  return { role: "conclusion", subject, need: `the ${typeForms[type].noun} of ${subject}`, said, query: undefined };
}

function settle(
  need: string,
  premise: string,
  stated: readonly (FactStatement | RuleStatement)[],
): Pick<NeededStep, "need" | "said"> {
  const values = [...new Set(stated.map(({ value }) => value))];
  const [first] = stated;
  if (values.length < 2) return { need, said: first && { sentence: first.sentence, premise, value: first.value } };
  return { need: `${need} (the passages disagree: ${values.join(", ")})`, said: undefined };
}
