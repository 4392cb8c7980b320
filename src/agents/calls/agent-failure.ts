/** @file Why an agent run failed: one of a few reasons, and text. */

export const FAILURE_REASONS = [
  "timeout",
  "refusal",
  "schema",
  "loop",
  "budget",
  "empty-retrieval",
  "rate-limit",
  "other",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export interface AgentFailureOptions {
  readonly cause?: unknown;
  /** True where no further agent run can succeed, e.g. because the budget of all of them is spent. Default false. */
  readonly endsAll?: boolean;
}

export class AgentFailure extends Error {
  override readonly name = "AgentFailure";
  readonly reason: FailureReason;
  readonly endsAll: boolean;

  constructor(reason: FailureReason, message: string, { cause, endsAll = false }: AgentFailureOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.endsAll = endsAll;
  }
}

/** Any error of an agent run as a failure with a reason. Keeps the text of what went wrong, not of what wrapped it. */
export function toAgentFailure(error: unknown): AgentFailure {
  const causes = causesOf(error);
  const failure = causes.find((cause) => cause instanceof AgentFailure);
  if (failure !== undefined) return failure;
  const thrown = causes.find((cause) => !isWrapper(cause)) ?? error;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return new AgentFailure(failureReason(error), message, cause === undefined ? {} : { cause });
}

/** The reason that an error's class, HTTP status or code tells. */
export function failureReason(error: unknown): FailureReason {
  const causes = causesOf(error);
  const known = causes.map((cause) => (cause instanceof AgentFailure ? cause.reason : reasonOf(cause)));
  return known.find((reason) => reason !== undefined) ?? "other";
}

function reasonOf(error: unknown): FailureReason | undefined {
  const status = statusOf(error);
  if (status === 429) return "rate-limit";
  if (status === 408 || status === 504) return "timeout";
  const names = [error instanceof Error ? [error.name, error.constructor.name] : [], codeOf(error) ?? []].flat();
  return REASONS_BY_NAME.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1] ?? reasonOfText(error);
}

/** Names and codes of LangChain, of providers' clients and of Node. */
const REASONS_BY_NAME: readonly (readonly [RegExp, FailureReason])[] = [
  [/^(?:TimeoutError|APIConnectionTimeoutError|ETIMEDOUT|UND_ERR_\w+_TIMEOUT)$/, "timeout"],
  [/^(?:StructuredOutputParsingError|MultipleStructuredOutputsError|OutputParserException)$/, "schema"],
  [/^(?:ModelCallLimitMiddlewareError|ToolCallLimitExceededError|GraphRecursionError)$/, "loop"],
  [/^(?:content_filter|content_policy_violation)$/, "refusal"],
  [/^(?:RateLimitError|rate_limit_exceeded|insufficient_quota)$/, "rate-limit"],
];

const reasonOfText = (error: unknown): FailureReason | undefined =>
  error instanceof Error && error.message.startsWith("the corpus is empty") ? "empty-retrieval" : undefined;

/** An error, its cause, the cause of that, … */
export function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let next = error; next !== undefined && !causes.includes(next); ) {
    causes.push(next);
    next = next instanceof Error ? next.cause : undefined;
  }
  return causes;
}

/** LangChain puts an error of its own, with the same text, around what a middleware throws. */
const isWrapper = (error: unknown): boolean =>
  error instanceof Error && "~brand" in error && error["~brand"] === "MiddlewareError" && error.cause !== undefined;

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});

/** HTTP status of a provider's error, wherever its client puts it. */
export function statusOf(error: unknown): number | undefined {
  const { status, statusCode, response } = fieldsOf(error);
  return [status, statusCode, fieldsOf(response)["status"]].find((value) => typeof value === "number") as
    | number
    | undefined;
}

/** Code of an error of Node or of a provider. */
export function codeOf(error: unknown): string | undefined {
  const { code, error: body } = fieldsOf(error);
  return [code, fieldsOf(body)["code"]].find((value) => typeof value === "string") as string | undefined;
}
