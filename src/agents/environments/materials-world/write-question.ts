/** @file The programmatic teacher's questions, from passages: about the class of a material, or about which of two has a class. */
import { type PassageText, statementsOf } from "./evidence.js";
import {
  type ChoiceType,
  choiceQuestion,
  classQuestion,
  introSentence,
  joined,
  listPremise,
  type QuestionType,
  questionTypes,
  typeForms,
} from "./language.js";
import { readClassList, sameWord } from "./reading.js";

/**
 * False for everything that is held out. A question with two candidates has the subject "Veltrin and Morkax", in this
 * order, and the class that it names as `value`.
 */
export type Allowed = (subject: string, type: QuestionType | ChoiceType, value?: string) => boolean;

/**
 * A question on a material that the passages state a fact of; undefined where nothing is allowed.
 * `pick(n)` chooses 0 … n − 1, e.g. `rng.int`.
 */
export function writeQuestion(
  passages: readonly PassageText[],
  pick: (below: number) => number,
  allowed: Allowed,
): string | undefined {
  const options = described(passages)
    .sort()
    .flatMap((subject) =>
      questionTypes.filter((type) => allowed(subject, type)).map((type) => classQuestion(type, subject)),
    );
  return options.length === 0 ? undefined : options[pick(options.length)];
}

/** The materials that the passages state a fact of, each once. */
function described(passages: readonly PassageText[]): string[] {
  const named = statementsOf(passages).flatMap((statement) => (statement.kind === "fact" ? [statement.subject] : []));
  return [...new Set(named)];
}

/** Two materials to choose between, and what by. */
export interface ChoiceTopic {
  readonly type: QuestionType;
  readonly subjects: readonly [string, string];
}

/** Reads "Veltrin and Morkax: stiffness choice"; undefined where the topic is another. */
export function readChoiceTopic(topic: string): ChoiceTopic | undefined {
  const [, first, second, choice] = /^\s*([a-z]+) and ([a-z]+): ([a-z]+ choice)\s*$/i.exec(topic) ?? [];
  const type = questionTypes.find((each) => typeForms[each].choice.replace("-", " ") === choice?.toLowerCase());
  return type === undefined || sameWord(first!, second!) ? undefined : { type, subjects: [first!, second!] };
}

export type WrittenChoice =
  | { readonly kind: "question"; readonly question: string }
  /** The passages do not speak of both materials and list the classes: what to look up. */
  | { readonly kind: "missing"; readonly queries: readonly string[] }
  | { readonly kind: "not-allowed" };

/** The question of a topic with two candidates. The classes that it may name are those that the passages list. */
export function writeChoice(
  { type, subjects }: ChoiceTopic,
  passages: readonly PassageText[],
  pick: (below: number) => number,
  allowed: Allowed,
): WrittenChoice {
  const known = described(passages);
  const named = subjects.map((subject) => known.find((name) => sameWord(name, subject)));
  const classes = [...new Set(passages.flatMap(({ text }) => readClassList(type, text)))].sort();
  const [first, second] = named;
  if (first === undefined || second === undefined || classes.length === 0) {
    const unknown = subjects.filter((_, i) => named[i] === undefined).map((subject) => introSentence(subject));
    const list = classes.length === 0 ? [listPremise(typeForms[type].plural)] : [];
    return { kind: "missing", queries: [...unknown, ...list] };
  }
  const pair = [first, second] as const;
  const options = classes.filter((value) => allowed(joined(pair), typeForms[type].choice, value));
  if (options.length === 0) return { kind: "not-allowed" };
  return { kind: "question", question: choiceQuestion(type, pair, options[pick(options.length)]!) };
}
