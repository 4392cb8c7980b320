/** @file The error of a request that cannot be answered, with every problem it has. */
import type { RequestProblem } from "./types.js";

/** The caller's mistake, not the model's; a server answers it with 400. */
export class TextRequestError extends Error {
  override readonly name = "TextRequestError";
  readonly problems: readonly RequestProblem[];

  constructor(problems: readonly RequestProblem[], requests = 1) {
    const lines = problems.map(
      ({ field, message, request }) => `${requests > 1 ? `request ${request}: ` : ""}${field}: ${message}`,
    );
    super(lines.length === 1 ? (lines[0] as string) : `${lines.length} problems:\n  ${lines.join("\n  ")}`);
    this.problems = problems;
  }
}
