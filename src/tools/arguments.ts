/** @file Argument schemas of the tools: strict objects whose refusals say what was expected and what was found. */
import { z } from "zod";
import { nearest } from "../trainer/text/nearest.js";

/** A strict object; an unknown argument is refused with the name that was probably meant and the valid ones. */
export function toolArguments<T extends z.ZodRawShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return undefined;
      const unknown = issue.keys.map((key) => {
        const guess = nearest(key, names);
        return `unknown argument "${key}"${guess === undefined ? "" : `: did you mean "${guess}"?`}`;
      });
      return `${unknown.join("; ")} (valid arguments: ${names.join(", ")})`;
    },
  });
}

const found = (value: unknown): string =>
  value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value)).slice(0, 80);

/** Text that is not only white space; `expected` completes "expected …". */
export function words(expected: string): z.ZodString {
  const error = ({ input }: { readonly input?: unknown }): string => `expected ${expected}, found ${found(input)}`;
  return z.string({ error }).trim().min(1, { error });
}

export function wholeNumber(least: number, most: number): z.ZodNumber {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `expected a whole number from ${least} to ${most}, found ${found(input)}`;
  // One message for one value, whichever of the checks it fails.
  return z.number({ error }).int({ error, abort: true }).min(least, { error }).max(most, { error });
}

/** One of a few names. */
export function oneOf<const T extends readonly [string, ...string[]]>(names: T): z.ZodEnum<{ [K in T[number]]: K }> {
  const error = ({ input }: { readonly input?: unknown }): string =>
    `expected ${names.map((name) => `"${name}"`).join(" or ")}, found ${found(input)}`;
  return z.enum(names, { error });
}

export function yesOrNo(): z.ZodBoolean {
  return z.boolean({ error: ({ input }) => `expected true or false, found ${found(input)}` });
}
