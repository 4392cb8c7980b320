/** @file The retrieval critic: holds thinking against passages. It sees no answer key and never writes the answer. */
import { type Evidence, gatherEvidence, type PassageText, type Step } from "./evidence.js";
import { type JudgedSentence, judge, missingSteps, repeated } from "./judge.js";
import { readQuestion } from "./reading.js";

export interface Revision {
  readonly thinking: string;
  readonly changed: boolean;
  /**
   * What the critic put at the end. "rule" and "conclusion" hold a class, so they occur only with `assisted`; else it
   * is their beginning that is put there.
   */
  readonly wrote: "nothing" | "fact" | "rule-premise" | "rule" | "conclusion-premise" | "conclusion";
  /** The model shall go on with the thinking; false where all steps stand and only the answer is left. */
  readonly open: boolean;
}

export interface RevisionOptions {
  /**
   * Writes whole sentences that name the class: an upper bound, to be labelled as assisted. Without it such a sentence
   * is begun ("A chitin block in dry surroundings gives the") and the model has to know how it ends.
   */
  readonly assisted?: boolean;
}

/**
 * Keeps the thinking up to its first fault or gap, puts the supported sentence there, and drops the rest. Where the
 * passages do not say which facts decide, nothing is changed.
 */
export function reviseThinking(
  question: string,
  thinking: string,
  passages: readonly PassageText[],
  { assisted = false }: RevisionOptions = {},
): Revision {
  const asked = readQuestion(question);
  const evidence = asked && gatherEvidence(asked, passages);
  if (asked === undefined || evidence?.link.facts === undefined) {
    return { thinking, changed: false, wrote: "nothing", open: false };
  }
  const judged = judge(asked, thinking, evidence);
  const firstFault = judged.findIndex(({ fault }) => fault !== undefined);
  const kept = firstFault < 0 ? judged : judged.slice(0, firstFault);
  const open = missingSteps(evidence, kept).length > 0;
  const put = writeStep(nextStep(evidence, kept, judged[firstFault]), assisted);
  const revised = [...kept.map(({ text }) => text), ...(put.text === undefined ? [] : [put.text])].join("\n");
  return { thinking: revised, changed: revised !== thinking.trim(), wrote: put.wrote, open };
}

/** Feedback in words: each sentence that does not stand, with the reason, and each step that is missing. */
export function critique(question: string, thinking: string, passages: readonly PassageText[]): string {
  const asked = readQuestion(question);
  if (asked === undefined) return "The question is not one that these passages can be held against.";
  const evidence = gatherEvidence(asked, passages);
  if (evidence.link.facts === undefined) {
    return `The passages do not settle ${evidence.link.need}: the thinking cannot be held against them.`;
  }
  const judged = judge(asked, thinking, evidence);
  const faults = judged.flatMap(({ text, fault }, i) =>
    fault === undefined ? [] : [`Sentence ${i + 1} ("${text}") ${fault}.`],
  );
  const gaps = missingSteps(evidence, judged).map(({ need }) => `Missing: ${need}.`);
  return [...faults, ...gaps].join("\n") || "Every needed step stands and is supported by the passages.";
}

/**
 * The share of the needed steps that the passages support and no other sentence of the thinking contradicts: three of a
 * question about one material, four of each of two candidates. A step counts only where those that it builds on stand
 * before it. 0 where the passages do not say which facts decide.
 */
export function scoreThinking(question: string, thinking: string, passages: readonly PassageText[]): number {
  const asked = readQuestion(question);
  if (asked === undefined) return 0;
  const evidence = gatherEvidence(asked, passages);
  const { steps } = evidence;
  const judged = judge(asked, thinking, evidence);
  const missing = missingSteps(evidence, judged);
  const spoilt = new Set(
    judged.flatMap(({ step, fault }) => (fault === undefined || fault === repeated ? [] : [step])),
  );
  const standing = steps.filter((step) => !missing.includes(step) && !spoilt.has(step));
  return steps.length === 0 ? 0 : standing.length / steps.length;
}

/** The fact that a faulty sentence tried to state, where its candidate's turn has come; else the first missing step. */
function nextStep(
  evidence: Evidence,
  kept: readonly JudgedSentence[],
  faulty: JudgedSentence | undefined,
): Step | undefined {
  const missing = missingSteps(evidence, kept);
  const [first] = missing;
  const tried = faulty?.step;
  const inTurn = tried?.role === "fact" && missing.includes(tried) && tried.subject === first?.subject;
  return inTurn ? tried : first;
}

function writeStep(
  step: Step | undefined,
  assisted: boolean,
): { readonly text?: string; readonly wrote: Revision["wrote"] } {
  if (step?.said === undefined) return { wrote: "nothing" };
  if (step.role === "fact") return { text: step.said.sentence, wrote: "fact" };
  if (assisted) return { text: step.said.sentence, wrote: step.role };
  return { text: step.said.premise, wrote: `${step.role}-premise` };
}
