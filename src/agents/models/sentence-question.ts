/** @file A sentence turned into the question that it answers, by patterns that stay grammatical; or nothing. */
import { contentWords } from "../support.js";

/** Names what a question is about where it does not do so itself; `title` is the document's. */
export function aboutTitle(question: string, title: string): string {
  const named = new Set(contentWords(question));
  const words = contentWords(title);
  if (words.length === 0 || words.some((word) => named.has(word))) return question;
  return `Regarding ${lowerFirst(title)}: ${question.charAt(0).toLowerCase()}${question.slice(1)}`;
}

export interface SentenceQuestion {
  readonly question: string;
  /** Cause and effect make a hard question; what is merely stated makes a last resort. */
  readonly quality: "causal" | "stated";
}

/** What points at something outside the sentence. */
const POINTER =
  /\b(?:this|these|those|such|it|they|its|their|them|he|she|here|above|below|former|latter|both|figure|table|section|chapter|paper|study|studies|article|text|authors?|researchers|we|our|us|you|your|one reason|example)\b/i;
/** The same, at the start of a clause, where even a later referent does not help. */
const OPENER =
  /^(?:however|therefore|thus|hence|moreover|furthermore|also|instead|otherwise|similarly|likewise|consequently|then|so|but|and|yet|another|other|in contrast|for example|for instance|as a result|in addition|in this|by contrast|each|some|many|most|all|several|there)\b/i;

const BE = "is|are|was|were|can|cannot|could|must|may|should|has|have|had";
/** Verb as it stands after a singular subject, and its base form; the plural form is the base. */
const EFFECT_VERBS: Readonly<Record<string, string>> = {
  "leads to": "lead to",
  "results in": "result in",
  "gives rise to": "give rise to",
  causes: "cause",
  allows: "allow",
  lets: "let",
  enables: "enable",
  prevents: "prevent",
  provides: "provide",
  protects: "protect",
  increases: "increase",
  raises: "raise",
  reduces: "reduce",
  lowers: "lower",
  improves: "improve",
  strengthens: "strengthen",
  stiffens: "stiffen",
  toughens: "toughen",
  limits: "limit",
  controls: "control",
  determines: "determine",
  absorbs: "absorb",
  dissipates: "dissipate",
  resists: "resist",
  arrests: "arrest",
  stops: "stop",
  deflects: "deflect",
  spreads: "spread",
  carries: "carry",
  transfers: "transfer",
};
const EFFECTS = Object.entries(EFFECT_VERBS).flat().join("|");

/** Turns one sentence into a self-contained question, or gives undefined where no pattern is safe. */
export function sentenceQuestion(sentence: string): SentenceQuestion | undefined {
  const text = sentence.replace(/\s+/g, " ").replace(/\.$/, "").trim();
  if (OPENER.test(text) || /[:;?!()[\]"“”]/.test(text) || !/^\p{Lu}/u.test(text) || !/\.\s*$/.test(sentence)) {
    return undefined;
  }
  const question = PATTERNS.map((pattern) => pattern(text)).find((made) => made !== undefined && isSelfContained(made));
  if (question !== undefined) return { question, quality: "causal" };
  const stated = statedQuestion(text);
  return stated !== undefined && isSelfContained(stated) ? { question: stated, quality: "stated" } : undefined;
}

function isSelfContained(question: string): boolean {
  const words = question.split(" ").length;
  return (
    words >= 5 &&
    words <= 30 &&
    !POINTER.test(question.replace(/^Why is it that /, "")) &&
    contentWords(question).length >= 3
  );
}

type Pattern = (text: string) => string | undefined;

const PATTERNS: readonly Pattern[] = [
  // "X is Y because Z" -> "Why is X Y?"; any other clause -> "Why is it that X …?"
  (text) => {
    const clause = /^(.+?),? because (?!of )./.exec(text)?.[1];
    return clause === undefined ? undefined : whyQuestion(clause);
  },
  // "Because X, Y" -> "What follows from the fact that X?"
  (text) => {
    const cause = /^(?:Because|Since) (?!of )([^,]+), ./.exec(text)?.[1];
    return cause === undefined ? undefined : `What follows from the fact that ${cause}?`;
  },
  // "X, so (that) Y" / "X, which explains why Y" -> "What follows from the fact that X?"
  (text) => {
    const cause = /^([^,]+)(?:, so (?:that )?| so that )./.exec(text)?.[1];
    return cause === undefined || / because /.test(cause)
      ? undefined
      : `What follows from the fact that ${lowerFirst(cause)}?`;
  },
  // "When X, Y" -> "What happens when X?"
  (text) => {
    const [, word, condition] = /^(When|If) ([^,]+), ./.exec(text) ?? [];
    return word === undefined ? undefined : `What happens ${word.toLowerCase()} ${condition}?`;
  },
  // "X leads to Y" -> "How does X lead to Y?"
  (text) => {
    const [, subject, verb, rest] = new RegExp(`^(.+?) (${EFFECTS}) ([^,]+)`).exec(text) ?? [];
    if (subject === undefined || verb === undefined || rest === undefined || !isNounPhrase(subject)) return undefined;
    const base = EFFECT_VERBS[verb];
    if (/\b(?:while|whereas|but|although|and (?:the|it|this|a|an|\w+s (?:when|the|a|an|in|to|into)))\b/.test(rest))
      return undefined;
    // A base form is a verb only after a plural; elsewhere it is a noun or follows an auxiliary.
    if (base === undefined && !/(?:[^s]s|fibres|people)$/.test(subject)) return undefined;
    return base === undefined
      ? `How do ${lowerFirst(subject)} ${verb} ${rest}?`
      : `How does ${lowerFirst(subject)} ${base} ${rest}?`;
  },
];

function whyQuestion(clause: string): string | undefined {
  if (
    clause.includes(",") ||
    /\b(?:shows? that|explains? why|because|so)\b| (?:not|only|partly|mainly|largely|mostly|just|simply)$/.test(clause)
  ) {
    return undefined;
  }
  const [, subject, verb, rest] = new RegExp(`^(.+?) (${BE}) (.+)$`).exec(clause) ?? [];
  const auxiliary =
    verb === "has" || verb === "have" || verb === "had" ? /^(?:been|become|evolved|\w+ed)\b/.test(rest ?? "") : true;
  if (subject !== undefined && verb !== undefined && isNounPhrase(subject) && auxiliary) {
    return verb === "cannot"
      ? `Why can ${lowerFirst(subject)} not ${rest}?`
      : `Why ${verb} ${lowerFirst(subject)} ${rest}?`;
  }
  return `Why is it that ${lowerFirst(clause)}?`;
}

/** "X is …" or "X consists of …" -> "What is known about X …?", made specific by what the sentence goes on about. */
function statedQuestion(text: string): string | undefined {
  const [, subject, rest] =
    new RegExp(`^(.+?) (?:${BE}|consists of|contains|shows|depends on|grows|forms|${EFFECTS}) (.+)$`).exec(text) ?? [];
  if (subject === undefined || rest === undefined || !isNounPhrase(subject)) return undefined;
  const about = /\b(?:of|in|between|with|from|by|under|against) ((?:the |a |an )?[\p{L}-]+(?: [\p{L}-]+)?)$/u.exec(
    rest,
  )?.[1];
  return about === undefined
    ? `What is known about ${lowerFirst(subject)}?`
    : `What is known about ${lowerFirst(subject)} in connection with ${about}?`;
}

/** Short, with no verb, clause or list that a pattern would break. */
function isNounPhrase(text: string): boolean {
  const words = text.split(" ");
  return (
    words.length <= 7 &&
    !/[,]/.test(text) &&
    !new RegExp(
      `\\b(?:${BE}|${EFFECTS}|that|which|who|whose|where|when|while|if|as|not|do|does|did|be|would|will|might|then|therefore|thus|also|often|usually|already|now|never|always|still|even|only)\\b`,
      "i",
    ).test(text)
  );
}

/** Names keep their capital: a first word is lowered only where it is a determiner or also stands lowered in English prose. */
function lowerFirst(text: string): string {
  const [first = ""] = text.split(" ");
  if (DETERMINER.test(first)) return text.charAt(0).toLowerCase() + text.slice(1);
  const isAcronymOrSymbol = /[\p{Lu}\d]/u.test(first.slice(1)) || first.length === 1;
  const isName = /^(?:[\p{Lu}][\p{Ll}]+ [\p{Lu}][\p{Ll}]+)/u.test(text) || NAMES.test(first);
  return isAcronymOrSymbol || isName ? text : text.charAt(0).toLowerCase() + text.slice(1);
}

const DETERMINER = /^(?:A|An|The|Every|Each|No|One|Two|Three|Most|Many|Some|Its|In|On|At|With)$/;
const NAMES =
  /^(?:Young|Hooke|Griffith|Bouligand|Hall|Havers|Haversian|Voronoi|Poisson|Euler|Weibull|Murray|Wolff|Kevlar|January|European|African|American|Asian|Australian|Japanese|Chinese|Norwegian|Venus)(?:'s)?$/;
