/** @file The sampling fields of a request: what each may be, and what the model's generation_config.json says of them. */
import { nearest } from "../text/index.js";
import type { TextSampling } from "./types.js";

interface Rule {
  readonly expected: string;
  readonly good: (value: unknown) => boolean;
}

const number = (expected: string, good: (value: number) => boolean): Rule => ({
  expected,
  good: (value) => typeof value === "number" && Number.isFinite(value) && good(value),
});
const wholeNumber = (least: number): Rule =>
  number(`a whole number, ${least} or more`, (value) => Number.isSafeInteger(value) && value >= least);

/** More stop strings than a caller means; each is searched for in every piece of text. */
const MOST_STOPS = 64;

const RULES: Readonly<Record<keyof TextSampling, Rule>> = {
  maxNewTokens: wholeNumber(1),
  temperature: number("a number, 0 (greedy) or more", (value) => value >= 0),
  topK: wholeNumber(0),
  topP: number("a number above 0 and at most 1 (1 keeps all tokens)", (value) => value > 0 && value <= 1),
  minP: number("a number from 0 (keeps all tokens) to below 1", (value) => value >= 0 && value < 1),
  repetitionPenalty: number("a number above 0 (1: no penalty)", (value) => value > 0),
  seed: wholeNumber(0),
  stop: {
    expected: `a list of at most ${MOST_STOPS} texts, none of them empty`,
    good: (value) =>
      Array.isArray(value) &&
      value.length <= MOST_STOPS &&
      value.every((text) => typeof text === "string" && text !== ""),
  },
};

const NAMES = Object.keys(RULES) as readonly (keyof TextSampling)[];

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** What a value is, short enough for a message. */
export function shown(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  const json = JSON.stringify(value) ?? typeof value;
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}

/** Keys that are not among `names`, each with the name that was probably meant. */
export function unknownFields(value: object, names: readonly string[], prefix = ""): FieldProblem[] {
  const own = Object.entries(value).filter(([name, field]) => field !== undefined && !names.includes(name));
  return own.map(([name]) => {
    const guess = nearest(name, names);
    const advice = guess === undefined ? `known are ${names.join(", ")}` : `did you mean ${prefix}${guess}?`;
    return { field: `${prefix}${name}`, message: `there is no such field; ${advice}` };
  });
}

/** Everything that is wrong with the sampling fields of a request. */
export function samplingProblems(sampling: unknown): FieldProblem[] {
  if (sampling === undefined) return [];
  if (typeof sampling !== "object" || sampling === null || Array.isArray(sampling)) {
    return [{ field: "sampling", message: `expected an object, found ${shown(sampling)}` }];
  }
  const fields = sampling as Readonly<Record<string, unknown>>;
  const bad = NAMES.filter((name) => fields[name] !== undefined && !RULES[name].good(fields[name]));
  return [
    ...unknownFields(sampling, NAMES, "sampling."),
    ...bad.map((name) => ({
      field: `sampling.${name}`,
      message: `expected ${RULES[name].expected}, found ${shown(fields[name])}`,
    })),
  ];
}

const CONFIG_KEYS = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  repetition_penalty: "repetitionPenalty",
  max_new_tokens: "maxNewTokens",
} as const satisfies Record<string, keyof TextSampling>;

/** Sampling as generation_config.json has it; `where` names the file. Throws for values that cannot be. */
export function samplingOfConfig(json: Readonly<Record<string, unknown>>, where: string): TextSampling {
  const stated = Object.entries(CONFIG_KEYS).flatMap(([key, name]) =>
    json[key] === undefined || json[key] === null ? [] : [{ key, name, value: json[key] }],
  );
  const bad = stated.filter(({ name, value }) => !RULES[name].good(value));
  if (bad.length > 0) {
    const lines = bad.map(({ key, name, value }) => `${key}: expected ${RULES[name].expected}, found ${shown(value)}`);
    throw new Error(`${where} cannot be used: ${lines.join("; ")}. Correct the file or remove these keys.`);
  }
  const sampling: TextSampling = Object.fromEntries(stated.map(({ name, value }) => [name, value]));
  return json["do_sample"] === false ? { ...sampling, temperature: 0 } : sampling;
}
