/** @file Each sentence of a thinking section against the evidence: the step that it takes, and what is wrong with it. */
import type { Evidence, Step } from "./evidence.js";
import { typeForms } from "./language.js";
import { type RuleStatement, readStatements, type Statement, sameWord, type WorldQuestion } from "./reading.js";

export interface JudgedSentence {
  readonly text: string;
  /** The step that the sentence takes or tries to take. */
  readonly step: Step | undefined;
  /** Undefined where the sentence stands. */
  readonly fault: string | undefined;
}

export const repeated = "repeats what was said";

/** The steps that no sentence takes without fault, in the order of use. */
export const missingSteps = ({ steps }: Evidence, judged: readonly JudgedSentence[]): Step[] =>
  steps.filter((step) => !judged.some((sentence) => sentence.step === step && sentence.fault === undefined));

export function judge(asked: WorldQuestion, thinking: string, evidence: Evidence): JudgedSentence[] {
  const judged: JudgedSentence[] = [];
  for (const text of sentencesOf(thinking)) {
    const statement = readStatements(text)[0];
    const missing = missingSteps(evidence, judged);
    const step = statement && stepOf(asked, statement, evidence.steps, missing);
    const fault = faultOf(asked, statement, step) ?? orderFault(step!, missing);
    judged.push({ text, step, fault });
  }
  return judged;
}

const sentencesOf = (text: string): string[] =>
  text
    .split(/\n+|(?<=[.!?])\s+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== "");

/** Its own step; of a sentence that belongs to none, the next one of its kind whose turn it is. */
function stepOf(
  { type }: WorldQuestion,
  statement: Statement,
  steps: readonly Step[],
  missing: readonly Step[],
): Step | undefined {
  if (statement.kind !== "fact" && statement.type !== type) return undefined;
  const alike = steps.filter((step) => isOfKind(step, statement));
  const own = alike.find((step) => isOwnStep(step, statement));
  return own ?? alike.find((step) => missing.includes(step)) ?? alike[0];
}

function isOfKind(step: Step, statement: Statement): boolean {
  if (statement.kind === "fact") return step.role === "fact" && step.fact === statement.fact;
  return step.role === (statement.kind === "rule" ? "rule" : "conclusion");
}

const isOwnStep = (step: Step, statement: Statement): boolean =>
  statement.kind === "rule" ? joinsFactsOf(step, statement) : sameWord(step.subject, statement.subject);

const joinsFactsOf = (step: Step, { facts, values }: RuleStatement): boolean =>
  step.role === "rule" && String(step.facts) === String(facts) && String(step.values) === String(values);

/** Relevance first: most errors of a trained model are true sentences about something else. */
function faultOf(
  { type, subjects }: WorldQuestion,
  statement: Statement | undefined,
  step: Step | undefined,
): string | undefined {
  if (statement === undefined) return "says nothing that the passages could support";
  if (statement.kind === "class" && subjects.length === 1) return "is a conclusion, which belongs into the answer";
  if (statement.kind !== "rule" && !subjects.some((subject) => sameWord(subject, statement.subject))) {
    return `is about ${statement.subject}, not about ${subjects.join(" or ")}`;
  }
  if (step === undefined) return `has no part in the ${typeForms[type].noun}`;
  if (statement.kind === "rule" && step.said !== undefined && !joinsFactsOf(step, statement)) {
    return `joins other facts than those of ${step.subject}`;
  }
  return step.said?.value === statement.value ? undefined : "is not supported by the passages";
}

function orderFault(step: Step, missing: readonly Step[]): string | undefined {
  if (!missing.includes(step)) return repeated;
  const before = missing.filter(({ subject, role }) => subject === step.subject && role !== step.role);
  if (step.role === "rule" && before.some(({ role }) => role === "fact")) return "comes before the facts that it joins";
  if (step.role === "conclusion" && before.length > 0) return "comes before the rule that it follows from";
  return undefined;
}
