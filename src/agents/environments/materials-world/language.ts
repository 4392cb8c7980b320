/** @file The sentences of the materials world, written and read. Knows the forms, not a single fact. */

export const factKinds = ["block", "interface", "architecture", "surroundings"] as const;
export type FactKind = (typeof factKinds)[number];

export const questionTypes = ["mechanism-class", "stiffness-class", "failure-class"] as const;
export type QuestionType = (typeof questionTypes)[number];

interface FactForm {
  readonly noun: string;
  readonly plural: string;
  readonly verb: "is" | "are";
}

export const factForms: Record<FactKind, FactForm> = {
  block: { noun: "building block", plural: "building blocks", verb: "is" },
  interface: { noun: "interface", plural: "interfaces", verb: "is" },
  architecture: { noun: "architecture", plural: "architectures", verb: "is" },
  surroundings: { noun: "surroundings", plural: "surroundings", verb: "are" },
};

interface TypeForm {
  readonly noun: string;
  readonly plural: string;
  /** The two facts that decide the class, in the order of use. */
  readonly facts: readonly [FactKind, FactKind];
  readonly premise: (first: string, second: string) => string;
}

// The facts form a path (surroundings, block, interface, architecture): no class follows from the other two classes.
export const typeForms: Record<QuestionType, TypeForm> = {
  "mechanism-class": {
    noun: "mechanism class",
    plural: "mechanism classes",
    facts: ["block", "interface"],
    premise: (block, face) => `${block} block with a ${face} interface`,
  },
  "stiffness-class": {
    noun: "stiffness class",
    plural: "stiffness classes",
    facts: ["block", "surroundings"],
    premise: (block, surroundings) => `${block} block in ${surroundings} surroundings`,
  },
  "failure-class": {
    noun: "failure class",
    plural: "failure classes",
    facts: ["architecture", "interface"],
    premise: (architecture, face) => `${architecture} architecture with a ${face} interface`,
  },
};

export const introSentence = (subject: string): string => `This note describes ${subject}.`;

export const factSentence = (fact: FactKind, subject: string, value: string): string =>
  `The ${factForms[fact].noun} of ${subject} ${factForms[fact].verb} ${value}.`;

export const factQuestion = (fact: FactKind, subject: string): string =>
  `What ${factForms[fact].verb} the ${factForms[fact].noun} of ${subject}?`;

/** A rule sentence up to the class: "A chitin block in dry surroundings gives the". */
export const rulePremise = (type: QuestionType, first: string, second: string): string =>
  `A ${typeForms[type].premise(first, second)} gives the`;

export const ruleSentence = (type: QuestionType, first: string, second: string, result: string): string =>
  `${rulePremise(type, first, second)} ${result} ${typeForms[type].noun}.`;

export const ruleQuestion = (type: QuestionType, first: string, second: string): string =>
  `Which ${typeForms[type].noun} follows from a ${typeForms[type].premise(first, second)}?`;

export const classQuestion = (type: QuestionType, subject: string): string =>
  `What is the ${typeForms[type].noun} of ${subject}?`;

export const classSentence = (type: QuestionType, subject: string, value: string): string =>
  `The ${typeForms[type].noun} of ${subject} is ${value}.`;

/** A rule applied to a sample that nothing else is said of: the class that the rule names, stated again. */
export const caseSentences = (
  type: QuestionType,
  first: string,
  second: string,
  result: string,
): readonly [string, string] => [ruleSentence(type, first, second, result), classSentence(type, "the sample", result)];

export const linkSentence = (type: QuestionType): string => {
  const [first, second] = typeForms[type].facts;
  return `The ${typeForms[type].noun} follows from the ${factForms[first].noun} and the ${factForms[second].noun}.`;
};

export const listSentence = (plural: string, values: readonly string[]): string =>
  `The ${plural} are ${values.slice(0, -1).join(", ")} and ${values.at(-1)}.`;

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

const word = "([A-Za-z]+)";
// A value that another word follows ("is chitin collagen") is not what it seems; a conjunction may follow.
const end = "\\b(?:(\\.)|(?![ \\t]+(?!(?:and|but|so|then|hence|while|which)\\b)[a-z]))";
const pattern = (form: string): RegExp => new RegExp(`\\b${form.slice(0, -1).replaceAll(" ", "\\s+")}${end}`, "gi");

const readers: readonly { readonly form: RegExp; readonly read: (words: readonly string[], at: Read) => Statement }[] =
  [
    ...factKinds.map((fact) => ({
      form: pattern(factSentence(fact, word, word)),
      read: ([subject, value]: readonly string[], at: Read): Statement => ({
        ...at,
        kind: "fact",
        fact,
        subject: subject!,
        value: value!.toLowerCase(),
      }),
    })),
    ...questionTypes.flatMap((type) => [
      {
        form: pattern(ruleSentence(type, word, word, word)),
        read: ([first, second, value]: readonly string[], at: Read): Statement => ({
          ...at,
          kind: "rule",
          type,
          values: [first!.toLowerCase(), second!.toLowerCase()],
          value: value!.toLowerCase(),
        }),
      },
      {
        form: pattern(classSentence(type, word, word)),
        read: ([subject, value]: readonly string[], at: Read): Statement => ({
          ...at,
          kind: "class",
          type,
          subject: subject!,
          value: value!.toLowerCase(),
        }),
      },
    ]),
  ];

/** Every statement of a known form, wherever it stands in the text, in the order of the text. */
export function readStatements(text: string): Statement[] {
  return readers
    .flatMap(({ form, read }) =>
      [...text.matchAll(form)].map((match) => {
        const sentence = match[0].replaceAll(/\s+/g, " ");
        return read(match.slice(1, -1), { sentence, at: match.index, complete: match.at(-1) === "." });
      }),
    )
    .sort((a, b) => a.at - b.at);
}

export interface ClassQuestion {
  readonly type: QuestionType;
  readonly subject: string;
}

const questionForms = questionTypes.map((type) => ({
  type,
  form: new RegExp(classQuestion(type, word).replace("?", "").replaceAll(" ", "\\s+"), "i"),
}));

/** Reads a two-fact question, with or without a suffix such as " Use <|thinking|>."; undefined where it is none. */
export function readQuestion(text: string): ClassQuestion | undefined {
  for (const { type, form } of questionForms) {
    const subject = form.exec(text)?.[1];
    if (subject !== undefined) return { type, subject };
  }
  return undefined;
}

export const sameWord = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
