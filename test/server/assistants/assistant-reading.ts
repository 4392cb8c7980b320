/** @file What an assistant reads out of texts that it is shown: tools that fit a wish, tools to call next, values of arguments. */
import type { Answer, Args, Desk } from "./assistant.js";

export interface ToolListing {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: {
    readonly properties?: Readonly<Record<string, PropertySchema>>;
    readonly required?: readonly string[];
  };
}

export interface PropertySchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
}

/** What an answer tells to do next. */
export interface Advice {
  /** Tools that it says to call, in the order of the text. */
  readonly tools: readonly string[];
  /** Whether the work that it tells of is still under way. */
  readonly goesOn: boolean;
  /** Whether the work that it tells of came to nothing, though the call itself is fine. */
  readonly wentWrong: boolean;
  /** The texts themselves. */
  readonly texts: readonly string[];
  /** Named texts in it, such as ids and paths: what later calls may want under the same name. */
  readonly facts: Args;
}

const GOES_ON = ["working", "queued"];
const WENT_WRONG = ["failed", "interrupted"];

export function readAdvice({ text, structured, isError }: Answer, tools: readonly ToolListing[]): Advice {
  const texts = structured === undefined ? [text] : stringsIn(structured);
  const names = new Set(tools.map(({ name }) => name));
  const called = texts.flatMap((each) =>
    Array.from(each.matchAll(/\bcall ([a-z]+(?:-[a-z]+)*)/gi), ([, name = ""]) => name),
  );
  const status = String(structured?.["status"] ?? "");
  return {
    tools: [...new Set(called)].filter((name) => names.has(name)),
    goesOn: !isError && GOES_ON.includes(status),
    wentWrong: !isError && WENT_WRONG.includes(status),
    texts,
    facts: Object.fromEntries(Object.entries(structured ?? {}).filter(([, value]) => typeof value === "string")),
  };
}

/** Values that texts give to arguments by name: `run: "a1"`, `confirm: true`, `wait_seconds: 30`. */
export function namedValues({ inputSchema }: ToolListing, texts: readonly string[]): Args {
  const found: Record<string, unknown> = {};
  for (const key of Object.keys(inputSchema.properties ?? {})) {
    const value = texts
      .map((text) => new RegExp(`(?<![\\w."'])${key}: ("[^"]*"|[^\\s,;)]+)`).exec(text)?.[1])
      .find((match) => match !== undefined);
    if (value !== undefined && isPlainValue(value)) found[key] = parsed(value);
  }
  return found;
}

/** The tool whose name, title and description have most in common with a wish; what the last answer named counts double. */
export function toolForWish({ tools }: Pick<Desk, "tools">, wish: string, named: readonly string[] = []): string {
  const wanted = stems(wish);
  const rareness = (stem: string): number => 1 / tools.filter((tool) => stems(allOf(tool)).has(stem)).length;
  const likeness = ({ name, title = "", description = "" }: ToolListing): number =>
    [...wanted].reduce((sum, stem) => {
      const weight = stems(name).has(stem) ? 4 : stems(title).has(stem) ? 3 : stems(description).has(stem) ? 1 : 0;
      return weight === 0 ? sum : sum + weight * rareness(stem);
    }, 0);
  const fitness = (tool: ToolListing): number => likeness(tool) * (named.includes(tool.name) ? 2 : 1);
  const best = tools.toSorted((a, b) => fitness(b) - fitness(a))[0];
  if (best === undefined || likeness(best) === 0) throw new Error(`no tool's description has anything of "${wish}"`);
  return best.name;
}

const allOf = ({ name, title = "", description = "" }: ToolListing): string => `${name} ${title} ${description}`;

/** Words without what inflects them; short ones say nothing. */
function stems(text: string): Set<string> {
  const words = text.toLowerCase().match(/[a-z]{4,}/g) ?? [];
  return new Set(words.map((word) => word.replace(/(?:ing|ed|es|s|e)$/, "")));
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(stringsIn);
}

/** Not a word of the sentence around it. */
const isPlainValue = (text: string): boolean => /^(".*"|true|false|-?\d[\d.]*)$/.test(text);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/\.$/, ""));
  } catch {
    return text;
  }
}
