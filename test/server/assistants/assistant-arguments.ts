/** @file How an assistant fills in a call: from what it was told, what it learned, and the schema's own words. */
import type { Args } from "./assistant.js";
import { namedValues, type PropertySchema, type ToolListing } from "./assistant-reading.js";

export interface Known {
  /** What the user knows, by everyday words. */
  readonly facts: Args;
  /** What results have told, by their names there. */
  readonly learned: Args;
  /** What the last text said about this very call. */
  readonly hints: Args;
  readonly wish: string;
}

/** How far into a description a word still says what the argument is. */
const FIRST_WORDS = 8;

export function argumentsFor({ inputSchema }: ToolListing, { facts, learned, hints, wish }: Known): Args {
  const { properties = {}, required = [] } = inputSchema;
  const filled: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(properties)) {
    const value = hints[key] ?? factFor(key, schema, facts);
    if (value !== undefined) filled[key] = value;
    else if (required.includes(key)) filled[key] = learnedFor(key, schema, learned) ?? guess(schema, wish);
  }
  return filled;
}

/** A fact fits where its word is the argument's name, or says in the first words of the description what the argument is. */
function factFor(key: string, { description = "" }: PropertySchema, facts: Args): unknown {
  if (facts[key] !== undefined) return facts[key];
  const first = (description.toLowerCase().match(/[a-z]+/g) ?? []).slice(0, FIRST_WORDS);
  return Object.entries(facts).find(([word, value]) => typeof value === "string" && first.includes(word))?.[1];
}

/** An id keeps its name from call to call. */
function learnedFor(key: string, { type }: PropertySchema, learned: Args): unknown {
  return typeof learned[key] === type ? learned[key] : undefined;
}

function guess({ type, enum: choices, minimum = 1 }: PropertySchema, wish: string): unknown {
  if (choices !== undefined) return choices.find((choice) => wish.includes(String(choice))) ?? choices[0];
  if (type === "integer" || type === "number") return minimum;
  return type === "boolean" ? false : wish;
}

/** The arguments as an error says that they should be; undefined where it says nothing about them. */
export function correctedBy(tool: ToolListing, args: Args, text: string): Args | undefined {
  const fixed: Record<string, unknown> = { ...args, ...namedValues(tool, [text]) };
  const renamed = /unknown argument "(\w+)": did you mean "(\w+)"/.exec(text);
  if (renamed?.[1] !== undefined && renamed[2] !== undefined && renamed[1] in fixed) {
    fixed[renamed[2]] = fixed[renamed[1]];
    delete fixed[renamed[1]];
  }
  if (/\bleave (?:it|them) out\b/.test(text)) {
    const named = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(text);
    for (const [key, value] of Object.entries(fixed)) {
      const inner = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [key];
      if (inner.some(named) && !isTheRest(text, key)) delete fixed[key];
    }
  }
  // Another value in place of the one that was given.
  const meant = /did you mean "?([/\w][^"?\n]*)"?\?/.exec(text)?.[1];
  const wrong = Object.entries(args).find(([, value]) => typeof value === "string" && text.includes(value));
  if (meant !== undefined && wrong !== undefined && renamed === null) fixed[wrong[0]] = meant;
  for (const [, key = "", least] of text.matchAll(/\b(\w+)\)? must be (\d+) or more/g)) {
    const { settings } = fixed;
    if (key in fixed) fixed[key] = Number(least);
    else if (typeof settings === "object") fixed["settings"] = { ...settings, [key]: Number(least) };
  }
  return JSON.stringify(fixed) === JSON.stringify(args) ? undefined : fixed;
}

/** "resume takes no other settings": it is the one that stays. */
const isTheRest = (text: string, key: string): boolean => new RegExp(`\\b${key} takes\\b`).test(text);
