/** @file The sentences of the materials world, written. Knows the forms, not a single fact. */

export const factKinds = ["block", "interface", "architecture", "surroundings"] as const;
export type FactKind = (typeof factKinds)[number];
export type FactPair = readonly [FactKind, FactKind];

export const questionTypes = ["mechanism-class", "stiffness-class", "failure-class"] as const;
export type QuestionType = (typeof questionTypes)[number];

/** Which of two materials has a class: the types of questions with two candidates. */
export const choiceTypes = ["mechanism-choice", "stiffness-choice", "failure-choice"] as const;
export type ChoiceType = (typeof choiceTypes)[number];

interface FactForm {
  readonly noun: string;
  readonly plural: string;
  readonly verb: "is" | "are";
  /** The noun as rules have it. */
  readonly inRule: string;
  /** How a rule joins it to the fact before it. */
  readonly joint: "with a" | "in";
}

export const factForms: Record<FactKind, FactForm> = {
  block: { noun: "building block", plural: "building blocks", verb: "is", inRule: "block", joint: "with a" },
  interface: { noun: "interface", plural: "interfaces", verb: "is", inRule: "interface", joint: "with a" },
  architecture: {
    noun: "architecture",
    plural: "architectures",
    verb: "is",
    inRule: "architecture",
    joint: "with a",
  },
  surroundings: { noun: "surroundings", plural: "surroundings", verb: "are", inRule: "surroundings", joint: "in" },
};

interface TypeForm {
  readonly noun: string;
  readonly plural: string;
  readonly choice: ChoiceType;
}

export const typeForms: Record<QuestionType, TypeForm> = {
  "mechanism-class": { noun: "mechanism class", plural: "mechanism classes", choice: "mechanism-choice" },
  "stiffness-class": { noun: "stiffness class", plural: "stiffness classes", choice: "stiffness-choice" },
  "failure-class": { noun: "failure class", plural: "failure classes", choice: "failure-choice" },
};

export const joined = (subjects: readonly string[]): string => subjects.join(" and ");

export const introSentence = (...subjects: readonly string[]): string => `This note describes ${joined(subjects)}.`;

/** A fact's sentence up to its value: "The building block of Veltrin is". */
export const factPremise = (fact: FactKind, subject: string): string =>
  `The ${factForms[fact].noun} of ${subject} ${factForms[fact].verb}`;

export const factSentence = (fact: FactKind, subject: string, value: string): string =>
  `${factPremise(fact, subject)} ${value}.`;

export const factQuestion = (fact: FactKind, subject: string): string =>
  `What ${factForms[fact].verb} the ${factForms[fact].noun} of ${subject}?`;

/** Two facts as a rule joins them: "chitin block in dry surroundings". */
export const factsPhrase = ([a, b]: FactPair, [first, second]: readonly [string, string]): string =>
  `${first} ${factForms[a].inRule} ${factForms[b].joint} ${second} ${factForms[b].inRule}`;

/** A rule sentence up to the class: "A chitin block in dry surroundings gives the". */
export const rulePremise = (facts: FactPair, values: readonly [string, string]): string =>
  `A ${factsPhrase(facts, values)} gives the`;

export const ruleSentence = (
  type: QuestionType,
  facts: FactPair,
  values: readonly [string, string],
  result: string,
): string => `${rulePremise(facts, values)} ${result} ${typeForms[type].noun}.`;

export const ruleQuestion = (type: QuestionType, facts: FactPair, values: readonly [string, string]): string =>
  `Which ${typeForms[type].noun} follows from a ${factsPhrase(facts, values)}?`;

export const classQuestion = (type: QuestionType, subject: string): string =>
  `What is the ${typeForms[type].noun} of ${subject}?`;

/** A class sentence up to the class: "The stiffness class of Veltrin is". */
export const classPremise = (type: QuestionType, subject: string): string =>
  `The ${typeForms[type].noun} of ${subject} is`;

export const classSentence = (type: QuestionType, subject: string, value: string): string =>
  `${classPremise(type, subject)} ${value}.`;

export const choiceQuestion = (type: QuestionType, subjects: readonly [string, string], value: string): string =>
  `Which of ${joined(subjects)} is of the ${value} ${typeForms[type].noun}?`;

/** A link sentence up to the facts: "The stiffness class follows from the". */
export const linkPremise = (type: QuestionType): string => `The ${typeForms[type].noun} follows from the`;

/** Which two facts decide a class, in the order of use. */
export const linkSentence = (type: QuestionType, [first, second]: FactPair): string =>
  `${linkPremise(type)} ${factForms[first].noun} and the ${factForms[second].noun}.`;

/** The beginning of a list of classes, facts or whatever `plural` names. */
export const listPremise = (plural: string): string => `The ${plural} are`;

export const listSentence = (plural: string, values: readonly string[]): string =>
  `${listPremise(plural)} ${values.slice(0, -1).join(", ")} and ${values.at(-1)}.`;
