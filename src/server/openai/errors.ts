/** @file Errors as OpenAI's clients read them: a status, and {error: {message, type, param, code}}. */

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

export interface ApiErrorOptions {
  /** The field of the request that is wrong. */
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
};

/** What a request is answered with where it cannot be served; its message is written for the one who sent it. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;

  constructor(
    readonly status: number,
    message: string,
    { param, code, headers = {}, cause }: ApiErrorOptions = {},
  ) {
    super(message, { cause });
    this.headers = headers;
    const type = TYPES[status] ?? "invalid_request_error";
    this.body = { error: { message, type, param: param ?? null, code: code ?? null } };
  }
}

export const badRequest = (message: string, param?: string, code?: string): ApiError =>
  new ApiError(400, message, { ...(param !== undefined && { param }), ...(code !== undefined && { code }) });

/** Anything that went wrong on this side: the client learns that it did, the log learns why. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(500, "the server failed at this request; its log says why", { cause: error });
}
