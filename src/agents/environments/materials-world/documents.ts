/** @file The documents of a materials world: one note a material, and the notes that hold the rules. */
import { createRng, type Rng } from "../../rng.js";
import type { EnvironmentDocument } from "../environment.js";
import {
  factKinds,
  factSentence,
  introSentence,
  linkSentence,
  listSentence,
  type QuestionType,
  questionTypes,
  ruleSentence,
  typeForms,
} from "./language.js";
import { classValues, decidingFacts, factValues, lookUp, type Material, type World } from "./world.js";

export function documents(world: World): EnvironmentDocument[] {
  const rng = createRng(world.seed, "materials-world", "documents");
  return [
    ...world.materials.map((material) => ({
      source: `materials/${material.name.toLowerCase()}.md`,
      text: noteSentences(material, rng.fork(material.name)).join(" "),
    })),
    ...questionTypes.map((type) => ({ source: `rules/${type}.md`, text: overviewSentences(type).join(" ") })),
    ...ruleGroups(world).map(({ type, value, rules }) => ({
      source: `rules/${type}-${value}.md`,
      text: [linkSentence(type, decidingFacts[type]), ...rules].join(" "),
    })),
  ];
}

/** The introduction, then the four facts in any order. */
export function noteSentences({ name, facts }: Material, rng: Rng): string[] {
  return [introSentence(name), ...rng.shuffle(factKinds.map((kind) => factSentence(kind, name, facts[kind])))];
}

export const overviewSentences = (type: QuestionType): string[] => [
  linkSentence(type, decidingFacts[type]),
  listSentence(typeForms[type].plural, classValues[type]),
];

export interface RuleGroup {
  readonly type: QuestionType;
  /** The value of the first fact, which all rules of the group share. */
  readonly value: string;
  readonly rules: readonly string[];
}

export function ruleGroups({ tables }: World): RuleGroup[] {
  return questionTypes.flatMap((type) => {
    const facts = decidingFacts[type];
    const [first, second] = facts;
    return factValues[first].map((value) => ({
      type,
      value,
      rules: factValues[second].map((other) =>
        ruleSentence(type, facts, [value, other], lookUp(tables, type, value, other)!),
      ),
    }));
  });
}
