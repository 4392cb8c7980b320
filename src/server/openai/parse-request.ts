/** @file A body against its schema: what holds comes out typed, all that does not in one message. */
import type { z } from "zod";
import { nearest } from "../../trainer/text/nearest.js";
import { ApiError, badRequest } from "./errors.js";

/** What of a value is worth showing. */
const SHOWN = 60;

/** A message is for reading, and a hostile body may have a problem in every field. */
const MAX_PROBLEMS = 16;

/** Throws 400. A field that is null counts as left out, as OpenAI's clients mean it. */
export function parseRequest<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest(`the body: expected a JSON object, found ${show(body)}`);
  }
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const { issues } = result.error;
  const problems = issues
    .slice(0, MAX_PROBLEMS)
    .flatMap((issue) => problemsOf(issue, given, Object.keys(schema.shape)))
    .slice(0, MAX_PROBLEMS);
  const more = issues.length > MAX_PROBLEMS ? [`and ${issues.length - MAX_PROBLEMS} more`] : [];
  throw badRequest([...problems.map(({ message }) => message), ...more].join("; "), problems[0]?.param);
}

/** 404: a model that is not served here. */
export function noSuchModel(model: string, known: readonly string[]): ApiError {
  const message = `the model ${show(model)} is not served here; served are ${known.join(", ")}`;
  return new ApiError(404, message, { param: "model", code: "model_not_found" });
}

interface Problem {
  readonly param: string;
  readonly message: string;
}

function problemsOf(issue: z.core.$ZodIssue, body: object, fields: readonly string[]): Problem[] {
  const where = pathText(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, MAX_PROBLEMS).map((key) => {
      const param = pathText([...issue.path, key]);
      const guess = issue.path.length === 0 ? nearest(key, fields) : undefined;
      const advice = guess === undefined ? "; leave it out" : `: did you mean ${guess}?`;
      return { param, message: `${cut(param)}: no such field here${advice}` };
    });
  }
  // Zod says "Too small: expected …, received …"; ours say what stands there.
  const text = issue.message.replace(/^[^:]*: (?=expected)/, "").replace(/, received .*$/, "");
  const found = text.startsWith("expected") ? `, found ${show(valueAt(body, issue.path))}` : "";
  return [{ param: where, message: `${where}${text.startsWith("is ") ? " " : ": "}${text}${found}` }];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return cut(JSON.stringify(value) ?? String(value));
}

const cut = (text: string): string => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
