/** @file What the incipient base model reads: notes, rules and one-hop questions. No two-fact question, no thinking. */
import { createRng } from "../../rng.js";
import type { BaseRow } from "../environment.js";
import { noteSentences, overviewSentences, ruleGroups } from "./documents.js";
import {
  classQuestion,
  classSentence,
  factForms,
  factKinds,
  factQuestion,
  factSentence,
  linkSentence,
  listSentence,
  questionTypes,
  ruleQuestion,
  ruleSentence,
  typeForms,
} from "./language.js";
import { classValues, decidingFacts, factValues, lookUp, type World } from "./world.js";

/** Orders in which a note or a group of rules is read. The first two are in one line, the others a sentence a line. */
const variants = 4;

type ChatRow = Extract<BaseRow, { kind: "chat" }>;

/** Rows without a subject are rules and general ones: `probe` says which ("rule/…", "case", "general"), or "fact/…", "handbook". */
export function baseRows(world: World): BaseRow[] {
  return [
    ...noteRows(world),
    ...factRows(world),
    ...handbookRows(world),
    ...ruleTextRows(world),
    ...ruleRows(world),
    ...caseRows(world),
    ...generalRows(),
  ];
}

export function recallProbes(world: World): { question: string; answer: string; subject: string }[] {
  return [...factRows(world), ...ruleRows(world)].map(({ user, assistant, subject, probe }) => ({
    question: user,
    answer: assistant,
    subject: subject ?? probe,
  }));
}

const separator = (variant: number): string => (variant < 2 ? " " : "\n");
const orders = Array.from({ length: variants }, (_, variant) => variant);

function noteRows(world: World): BaseRow[] {
  const rng = createRng(world.seed, "materials-world", "base-rows");
  return world.materials.flatMap((material) =>
    orders.map((variant) => ({
      kind: "text" as const,
      text: noteSentences(material, rng.fork(material.name, variant)).join(separator(variant)),
      subject: material.name,
    })),
  );
}

function factRows(world: World): ChatRow[] {
  return world.materials.flatMap(({ name, facts }) =>
    factKinds.map((fact) => ({
      kind: "chat" as const,
      user: factQuestion(fact, name),
      assistant: factSentence(fact, name, facts[fact]),
      subject: name,
      probe: `fact/${fact}`,
    })),
  );
}

/** Classes stated outright, of materials without facts: the base learns to name a class, and can only guess where none is stated. */
function handbookRows({ handbook }: World): BaseRow[] {
  return handbook.flatMap(({ name, type, value }) => {
    const text = classSentence(type, name, value);
    const row = {
      kind: "chat" as const,
      user: classQuestion(type, name),
      assistant: text,
      subject: name,
      probe: "handbook",
    };
    return [{ kind: "text" as const, text, subject: name }, row];
  });
}

/** A class read off the rule that stands before it, of a sample that nothing else is said of: how an answer follows. */
function caseRows(world: World): BaseRow[] {
  return eachRule(world).flatMap(({ type, facts, values, result }) => {
    const rule = ruleSentence(type, facts, values, result);
    const conclusion = classSentence(type, "the sample", result);
    const texts = [" ", "\n"].map((between) => ({ kind: "text" as const, text: rule + between + conclusion }));
    const user = `${rule} ${classQuestion(type, "the sample")}`;
    return [...texts, { kind: "chat" as const, user, assistant: conclusion, probe: "case" }];
  });
}

function ruleTextRows(world: World): BaseRow[] {
  const rng = createRng(world.seed, "materials-world", "base-rows", "rules");
  const groups = ruleGroups(world).flatMap(({ type, value, rules }) =>
    orders.map((variant) =>
      [linkSentence(type, decidingFacts[type]), ...rng.fork(type, value, variant).shuffle(rules)].join(
        separator(variant),
      ),
    ),
  );
  const single = ruleGroups(world).flatMap(({ rules }) => rules);
  return [...groups, ...single].map((text) => ({ kind: "text" as const, text }));
}

function eachRule({ tables }: World) {
  return questionTypes.flatMap((type) => {
    const facts = decidingFacts[type];
    return factValues[facts[0]].flatMap((first) =>
      factValues[facts[1]].map((second) => {
        return { type, facts, values: [first, second] as const, result: lookUp(tables, type, first, second)! };
      }),
    );
  });
}

function ruleRows(world: World): ChatRow[] {
  return eachRule(world).map(({ type, facts, values, result }) => ({
    kind: "chat" as const,
    user: ruleQuestion(type, facts, values),
    assistant: ruleSentence(type, facts, values, result),
    probe: `rule/${type}`,
  }));
}

/** Simple questions about no material, answered directly: they keep the direct form of answering alive. */
function generalRows(): BaseRow[] {
  const chat = (user: string, assistant: string): ChatRow => ({ kind: "chat", user, assistant, probe: "general" });
  return [
    ...questionTypes.flatMap((type) => [
      { kind: "text" as const, text: overviewSentences(type).join(" ") },
      chat(`What are the ${typeForms[type].plural}?`, listSentence(typeForms[type].plural, classValues[type])),
      chat(`Which facts decide the ${typeForms[type].noun}?`, linkSentence(type, decidingFacts[type])),
    ]),
    ...factKinds.map((kind) =>
      chat(`Which ${factForms[kind].plural} are there?`, listSentence(factForms[kind].plural, factValues[kind])),
    ),
    chat("Hello!", "Hello! Ask about a material."),
    chat("What do you know?", "The facts of many materials and the rules of their classes."),
  ];
}
