/** @file Argument schemas of the tools: strict objects whose refusal names the nearest valid argument. */
import { z } from "zod";
import { nearest } from "./nearest.js";

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
