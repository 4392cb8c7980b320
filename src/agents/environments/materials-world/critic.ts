/** @file The retrieval critic: holds thinking against passages. It sees no answer key and never writes the answer. */
import { type Evidence, gatherEvidence, type PassageText, stepsOf } from "./evidence.js";
import {
  type ClassQuestion,
  readQuestion,
  readStatements,
  rulePremise,
  type Statement,
  sameWord,
  typeForms,
} from "./language.js";

/** Steps are 0 and 1 (the facts, in the order of use) and 2 (the rule). */
type StepIndex = 0 | 1 | 2;

interface JudgedSentence {
  readonly text: string;
  /** The step that the sentence takes or tries to take. */
  readonly step: StepIndex | undefined;
  /** Undefined where the sentence stands. */
  readonly fault: string | undefined;
}

export interface Revision {
  readonly thinking: string;
  readonly changed: boolean;
  /** What the critic put at the end. "rule" holds the class, so it occurs only with `assisted`. */
  readonly wrote: "nothing" | "fact" | "rule-premise" | "rule";
  /** The model shall go on with the thinking; false where all steps stand and only the answer is left. */
  readonly open: boolean;
}

export interface RevisionOptions {
  /**
   * Writes whole rule sentences, which name the class: an upper bound, to be labelled as assisted. Without it the rule
   * is begun ("A chitin block in dry surroundings gives the") and the model has to know how it ends.
   */
  readonly assisted?: boolean;
}

/** Keeps the thinking up to its first fault or gap, puts the supported sentence there, and drops the rest. */
export function reviseThinking(
  question: string,
  thinking: string,
  passages: readonly PassageText[],
  { assisted = false }: RevisionOptions = {},
): Revision {
  const asked = readQuestion(question);
  if (asked === undefined) return { thinking, changed: false, wrote: "nothing", open: false };
  const evidence = gatherEvidence(asked, passages);
  const judged = judge(asked, thinking, evidence);
  const firstFault = judged.findIndex(({ fault }) => fault !== undefined);
  const kept = firstFault < 0 ? judged : judged.slice(0, firstFault);
  const open = missingSteps(kept).length > 0;
  const put = writeStep(asked.type, evidence, nextStep(kept, judged[firstFault]), assisted);
  const revised = [...kept.map(({ text }) => text), ...(put.text === undefined ? [] : [put.text])].join("\n");
  return { thinking: revised, changed: revised !== thinking.trim(), wrote: put.wrote, open };
}

/** Feedback in words: each sentence that does not stand, with the reason, and each step that is missing. */
export function critique(question: string, thinking: string, passages: readonly PassageText[]): string {
  const asked = readQuestion(question);
  if (asked === undefined) return "The question is not one that these passages can be held against.";
  const evidence = gatherEvidence(asked, passages);
  const judged = judge(asked, thinking, evidence);
  const faults = judged.flatMap(({ text, fault }, i) =>
    fault === undefined ? [] : [`Sentence ${i + 1} ("${text}") ${fault}.`],
  );
  const gaps = missingSteps(judged).map((step) => `Missing: ${stepsOf(evidence)[step]!.need}.`);
  return [...faults, ...gaps].join("\n") || "Every needed step stands and is supported by the passages.";
}

/**
 * The share of the three needed steps that the passages support and no other sentence of the thinking contradicts.
 * A rule counts only where both facts that it joins stand before it.
 */
export function scoreThinking(question: string, thinking: string, passages: readonly PassageText[]): number {
  const asked = readQuestion(question);
  if (asked === undefined) return 0;
  const judged = judge(asked, thinking, gatherEvidence(asked, passages));
  const spoilt = new Set(
    judged.flatMap(({ step, fault }) => (fault === undefined || fault === repeated ? [] : [step])),
  );
  const missing = missingSteps(judged);
  return allSteps.filter((step) => !missing.includes(step) && !spoilt.has(step)).length / allSteps.length;
}

const allSteps: readonly StepIndex[] = [0, 1, 2];
const repeated = "repeats what was said";

const missingSteps = (judged: readonly JudgedSentence[]): StepIndex[] =>
  allSteps.filter((step) => !judged.some((sentence) => sentence.step === step && sentence.fault === undefined));

function judge(asked: ClassQuestion, thinking: string, evidence: Evidence): JudgedSentence[] {
  const judged: JudgedSentence[] = [];
  for (const text of sentencesOf(thinking)) {
    const statement = readStatements(text)[0];
    const step = statement === undefined ? undefined : stepOf(asked, statement);
    const fault = faultOf(asked, statement, step, evidence) ?? orderFault(step!, missingSteps(judged));
    judged.push({ text, step, fault });
  }
  return judged;
}

const sentencesOf = (text: string): string[] =>
  text
    .split(/\n+|(?<=[.!?])\s+/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== "");

function stepOf({ type }: ClassQuestion, statement: Statement): StepIndex | undefined {
  if (statement.kind === "rule") return statement.type === type ? 2 : undefined;
  if (statement.kind === "class") return undefined;
  const at = typeForms[type].facts.indexOf(statement.fact);
  return at < 0 ? undefined : (at as StepIndex);
}

/** Relevance first: most errors of a trained model are true sentences about something else. */
function faultOf(
  asked: ClassQuestion,
  statement: Statement | undefined,
  step: StepIndex | undefined,
  evidence: Evidence,
): string | undefined {
  if (statement === undefined) return "says nothing that the passages could support";
  if (statement.kind === "class") return "is a conclusion, which belongs into the answer";
  if (statement.kind === "fact" && !sameWord(statement.subject, asked.subject)) {
    return `is about ${statement.subject}, not about ${asked.subject}`;
  }
  if (step === undefined) return `has no part in the ${typeForms[asked.type].noun}`;
  const supported = stepsOf(evidence)[step]!.statement;
  if (
    supported?.kind === "rule" &&
    statement.kind === "rule" &&
    String(supported.values) !== String(statement.values)
  ) {
    return `joins other facts than those of ${asked.subject}`;
  }
  return supported?.value === statement.value ? undefined : "is not supported by the passages";
}

function orderFault(step: StepIndex, missing: readonly StepIndex[]): string | undefined {
  if (!missing.includes(step)) return repeated;
  return step === 2 && missing.length > 1 ? "comes before the facts that it joins" : undefined;
}

/** The step that a faulty sentence tried to take, where its turn has come; else the first one that is missing. */
function nextStep(kept: readonly JudgedSentence[], faulty: JudgedSentence | undefined): StepIndex | undefined {
  const missing = missingSteps(kept);
  const tried = faulty?.step;
  return tried !== undefined && tried < 2 && missing.includes(tried) ? tried : missing[0];
}

function writeStep(
  type: ClassQuestion["type"],
  evidence: Evidence,
  step: StepIndex | undefined,
  assisted: boolean,
): { readonly text?: string; readonly wrote: Revision["wrote"] } {
  const statement = step === undefined ? undefined : stepsOf(evidence)[step]!.statement;
  if (statement === undefined) return { wrote: "nothing" };
  if (statement.kind === "fact") return { text: statement.sentence, wrote: "fact" };
  if (assisted) return { text: statement.sentence, wrote: "rule" };
  return { text: rulePremise(type, ...statement.values), wrote: "rule-premise" };
}
