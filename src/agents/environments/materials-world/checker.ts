/** @file Marks a reply: the answer by the candidates it names, the thinking by the statements it makes. */
import type { EnvironmentQuestion, Verdict } from "../environment.js";
import {
  type ClassQuestion,
  type QuestionType,
  readQuestion,
  readStatements,
  type Statement,
  sameWord,
  typeForms,
} from "./language.js";
import { splitReply } from "./reply.js";
import { classOf, lookUp, type Material, type World } from "./world.js";

/** Blind to format: only words count. An answer that speaks of other materials and not of the subject is not right. */
export function createChecker(world: World): (question: EnvironmentQuestion, reply: string) => Verdict {
  const byName = new Map(world.materials.map((material) => [material.name.toLowerCase(), material]));
  return (question, reply) => {
    const asked = readQuestion(question.text);
    const material = byName.get(question.subject.toLowerCase());
    if (asked === undefined || material === undefined) {
      throw new Error(`question ${question.id}: expected a question of this world, found "${question.text}"`);
    }
    const { thinking, answer } = splitReply(reply);
    const named = answer === undefined ? [] : namedCandidates(answer, question.candidates);
    const right = named.length === 1 && named[0] === classOf(world.tables, asked.type, material.facts);
    return {
      right: right && isAbout(answer!, material, byName),
      markable: named.length === 1,
      thinkingRight: thinking === undefined ? undefined : isRightThinking(thinking, asked, material, world),
    };
  };
}

/** Different candidates in the text. One that is denied ("not firm") makes the list useless, so all are returned. */
function namedCandidates(answer: string, candidates: readonly string[]): readonly string[] {
  const has = (before: string, candidate: string): boolean =>
    new RegExp(`${before}\\b${candidate}\\b`, "i").test(answer);
  if (candidates.some((candidate) => has("\\b(?:not|never|isn't)\\s+(?:the\\s+|an?\\s+)?", candidate)))
    return candidates;
  return candidates.filter((candidate) => has("", candidate));
}

function isAbout(answer: string, subject: Material, byName: ReadonlyMap<string, Material>): boolean {
  const named =
    answer
      .toLowerCase()
      .match(/[a-z]+/g)
      ?.flatMap((word) => byName.get(word) ?? []) ?? [];
  return named.length === 0 || named.includes(subject);
}

/** Every statement true and about the subject, and all three steps present: both facts and the rule that joins them. */
function isRightThinking(thinking: string, { type }: ClassQuestion, material: Material, { tables }: World): boolean {
  const statements = readStatements(thinking);
  const [first, second] = typeForms[type].facts;
  const states = (step: (statement: Statement) => boolean): boolean => statements.some(step);
  return (
    statements.every((statement) => isTrueOf(statement, material, tables)) &&
    states((s) => s.kind === "fact" && s.fact === first) &&
    states((s) => s.kind === "fact" && s.fact === second) &&
    states((s) => s.kind === "rule" && s.type === type)
  );
}

/** A rule is about a material whose two facts it joins. */
function isTrueOf(statement: Statement, material: Material, tables: World["tables"]): boolean {
  const facts = material.facts;
  switch (statement.kind) {
    case "fact":
      return sameWord(statement.subject, material.name) && statement.value === facts[statement.fact];
    case "class":
      return sameWord(statement.subject, material.name) && statement.value === classOf(tables, statement.type, facts);
    case "rule":
      return (
        isOwnRule(statement.type, statement.values, material) &&
        statement.value === lookUp(tables, statement.type, ...statement.values)
      );
  }
}

function isOwnRule(type: QuestionType, values: readonly [string, string], { facts }: Material): boolean {
  const [first, second] = typeForms[type].facts;
  return values[0] === facts[first] && values[1] === facts[second];
}
