/** @file What goes wrong between here and a hub, and what to do about it. */

export interface RequestErrorOptions extends ErrorOptions {
  /** What the answer said in words; never the token. */
  readonly detail?: string;
  /** How long the answer asks to wait. */
  readonly pauseMs?: number;
  /** The answer, or the silence, came from storage that the hub had named, not from the hub. */
  readonly storage?: boolean;
}

/** A request that got no usable answer. */
export class HubRequestError extends Error {
  override readonly name = "HubRequestError";
  readonly detail: string | undefined;
  readonly pauseMs: number | undefined;
  readonly storage: boolean;

  constructor(
    message: string,
    /** HTTP status; undefined where no answer came at all. */
    readonly status?: number,
    /** The hub's own word for it, e.g. "GatedRepo". */
    readonly code?: string,
    options: RequestErrorOptions = {},
  ) {
    super(message, options);
    this.detail = options.detail;
    this.pauseMs = options.pauseMs;
    this.storage = options.storage ?? false;
  }
}

/** The system's word for a failed connection, such as ENOTFOUND, or the message. */
export function connectionReason(error: unknown): string {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) chain.push(at);
  const codes = chain.map((link) => (link as NodeJS.ErrnoException).code).filter((code) => typeof code === "string");
  return codes.at(-1) ?? (chain.at(-1) as Error | undefined)?.message ?? String(error);
}

const DISK_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space",
  EDQUOT: "your disk quota is used up: free some space",
  EROFS: "the file system is read-only",
  EACCES: "you may not write there",
  EPERM: "you may not write there",
};

/** The advice for an error of the file system; undefined where it is something else. */
export function diskError(error: unknown, cacheDir: string): Error | undefined {
  const advice = DISK_ADVICE[(error as NodeJS.ErrnoException).code ?? ""];
  if (advice === undefined) return undefined;
  return new Error(
    `cannot write to the model cache ${cacheDir}: ${advice}, or set HF_HUB_CACHE to a folder elsewhere. What has been downloaded is kept, and the next run goes on from there`,
    { cause: error },
  );
}

export interface StatusContext {
  readonly name: string;
  readonly revision: string;
  readonly endpoint: string;
  readonly tokenGiven: boolean;
  /** Names of models or revisions that may have been meant. */
  readonly near: readonly string[];
}

/** An answer other than "here it is", in words that say what to do. */
export function explainStatus(error: HubRequestError, context: StatusContext): Error {
  const { name, revision, endpoint, tokenGiven } = context;
  const near = context.near.length > 0 ? `. Found near it: ${context.near.join(", ")}` : "";
  const token = tokenGiven
    ? "the token that was sent (HF_TOKEN) gives no access to it"
    : "no token was sent: set HF_TOKEN to one that may read it";
  const say = (text: string): Error => new Error(text, { cause: error });
  if (error.status === undefined) {
    return say(
      `${error.message}. Check the network and proxy, or set HF_ENDPOINT to a mirror that you can reach. A model directory on disk works without a network: give its path`,
    );
  }
  if (error.code === "RevisionNotFound") {
    return say(`${name} has no revision ${JSON.stringify(revision)}${near}`);
  }
  if (error.code === "GatedRepo" || error.status === 403) {
    return say(
      `${name} is gated: accept its terms at ${endpoint}/${name} with your account, then set HF_TOKEN; ${token}`,
    );
  }
  if (error.status === 401 || error.status === 404) {
    return say(
      `${endpoint} has no model ${name} that you may read: check the spelling (owner/name)${near}. If it is private: ${token}`,
    );
  }
  if (error.status === 429)
    return say(`${error.message}: too many requests; wait some minutes, or set HF_TOKEN for a higher limit`);
  return say(`${error.message}: the hub has a problem; try again later, what has been downloaded is kept`);
}
