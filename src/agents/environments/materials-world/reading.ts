/** @file The sentences of the materials world, read: in any text, wherever they stand. */
import {
  choiceQuestion,
  classQuestion,
  classSentence,
  type FactKind,
  type FactPair,
  factForms,
  factKinds,
  factSentence,
  linkSentence,
  listPremise,
  type QuestionType,
  questionTypes,
  ruleSentence,
  typeForms,
} from "./language.js";

interface Read {
  /** The words as they stand, in one line. */
  readonly sentence: string;
  readonly at: number;
  /** It ends in a full stop. A passage that was cut can end within a word. */
  readonly complete: boolean;
}
export type FactStatement = Read & {
  readonly kind: "fact";
  readonly fact: FactKind;
  readonly subject: string;
  readonly value: string;
};
export type RuleStatement = Read & {
  readonly kind: "rule";
  readonly type: QuestionType;
  readonly facts: FactPair;
  readonly values: readonly [string, string];
  readonly value: string;
};
export type ClassStatement = Read & {
  readonly kind: "class";
  readonly type: QuestionType;
  readonly subject: string;
  readonly value: string;
};
export type Statement = FactStatement | RuleStatement | ClassStatement;

/** Which two facts decide the class of a type. */
export type Link = Read & { readonly type: QuestionType; readonly facts: FactPair };

const word = "([A-Za-z]+)";
const oneOf = (texts: readonly string[]): string => `(${[...new Set(texts)].join("|")})`;
const forms = Object.values(factForms);
const factNoun = oneOf(forms.map(({ noun }) => noun));
const factVerb = oneOf(forms.map(({ verb }) => verb));
const factInRule = oneOf(forms.map(({ inRule }) => inRule));
const joint = oneOf(forms.map((form) => form.joint));
const typeNoun = oneOf(Object.values(typeForms).map(({ noun }) => noun));

// A value that another word follows ("is chitin collagen") is not what it seems; a conjunction may follow.
const end = "\\b(?:(\\.)|(?![ \\t]+(?!(?:and|but|so|then|hence|while|which)\\b)[a-z]))";
const pattern = (form: string): RegExp => new RegExp(`\\b${form.replaceAll(" ", "\\s+")}${end}`, "gi");

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");
const low = (text: string): string => oneLine(text).toLowerCase();
const byNoun = (noun: string): FactKind => factKinds.find((kind) => factForms[kind].noun === noun)!;
const byRuleNoun = (noun: string): FactKind => factKinds.find((kind) => factForms[kind].inRule === noun)!;
const byTypeNoun = (noun: string): QuestionType => questionTypes.find((type) => typeForms[type].noun === noun)!;

interface Reader<S> {
  /** Wider than the form: any noun with any verb or joint. */
  readonly form: RegExp;
  readonly read: (words: readonly string[], at: Read) => S;
  /** The form itself, with which what was read is compared. */
  readonly write: (read: S) => string;
}

const factReader: Reader<FactStatement> = {
  form: pattern(`The ${factNoun} of ${word} ${factVerb} ${word}`),
  read: ([noun, subject, , value], at) => ({
    ...at,
    kind: "fact",
    fact: byNoun(low(noun!)),
    subject: subject!,
    value: low(value!),
  }),
  write: ({ fact, subject, value }) => factSentence(fact, subject, value),
};

const ruleReader: Reader<RuleStatement> = {
  form: pattern(`A ${word} ${factInRule} ${joint} ${word} ${factInRule} gives the ${word} ${typeNoun}`),
  read: ([first, a, , second, b, value, type], at) => ({
    ...at,
    kind: "rule",
    type: byTypeNoun(low(type!)),
    facts: [byRuleNoun(low(a!)), byRuleNoun(low(b!))],
    values: [low(first!), low(second!)],
    value: low(value!),
  }),
  write: ({ type, facts, values, value }) => ruleSentence(type, facts, values, value),
};

const classReader: Reader<ClassStatement> = {
  form: pattern(`The ${typeNoun} of ${word} is ${word}`),
  read: ([type, subject, value], at) => ({
    ...at,
    kind: "class",
    type: byTypeNoun(low(type!)),
    subject: subject!,
    value: low(value!),
  }),
  write: ({ type, subject, value }) => classSentence(type, subject, value),
};

const linkReader: Reader<Link> = {
  form: pattern(`The ${typeNoun} follows from the ${factNoun} and the ${factNoun}`),
  read: ([type, a, b], at) => ({ ...at, type: byTypeNoun(low(type!)), facts: [byNoun(low(a!)), byNoun(low(b!))] }),
  write: ({ type, facts }) => linkSentence(type, facts),
};

function readAll<S extends Read>({ form, read, write }: Reader<S>, text: string): S[] {
  return [...text.matchAll(form)]
    .map((match) => {
      const complete = match.at(-1) === ".";
      return read(match.slice(1, -1), { sentence: oneLine(match[0]), at: match.index, complete });
    })
    .filter((found) => low(write(found)) === low(found.sentence) + (found.complete ? "" : "."));
}

/** Every statement of a known form, wherever it stands in the text, in the order of the text. */
export function readStatements(text: string): Statement[] {
  return [...readAll(factReader, text), ...readAll(ruleReader, text), ...readAll(classReader, text)].sort(
    (a, b) => a.at - b.at,
  );
}

export const readLinks = (text: string): Link[] => readAll(linkReader, text);

/** The classes that a list sentence of the text names; empty where there is none. */
export function readClassList(type: QuestionType, text: string): string[] {
  const list = new RegExp(`\\b${listPremise(typeForms[type].plural).replaceAll(" ", "\\s+")}([^.]*)\\.`, "i").exec(
    text,
  );
  return (list?.[1]?.match(/[a-z]+/gi) ?? []).map(low).filter((each) => each !== "and");
}

/** A question about the class of one material, or about which of two has a class. */
export interface WorldQuestion {
  readonly type: QuestionType;
  /** One, or the two candidates in the order of the question. */
  readonly subjects: readonly [string] | readonly [string, string];
  /** The class that one of the two candidates has; undefined where the class is what is asked. */
  readonly value?: string;
}

const loosely = (form: string): RegExp => new RegExp(form.replace("?", "").replaceAll(" ", "\\s+"), "i");
const questionForms = questionTypes.map((type) => ({
  type,
  class: loosely(classQuestion(type, word)),
  choice: loosely(choiceQuestion(type, [word, word], word)),
}));

/** Reads a question, with or without a suffix such as " Use <|thinking|>."; undefined where it is none of this world. */
export function readQuestion(text: string): WorldQuestion | undefined {
  for (const { type, ...form } of questionForms) {
    const subject = form.class.exec(text)?.[1];
    if (subject !== undefined) return { type, subjects: [subject] };
    const [, first, second, value] = form.choice.exec(text) ?? [];
    if (first !== undefined && !sameWord(first, second!))
      return { type, subjects: [first, second!], value: low(value!) };
  }
  return undefined;
}

export const sameWord = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
