/** @file How much of everything the HTTP server takes; each bound with its reason. */

export interface HttpLimits {
  /** Of a request's body. */
  readonly maxBodyBytes: number;
  /** Requests of MCP under way at once, of all clients; one more is answered 503. */
  readonly maxCalls: number;
  /** Requests under way at once in one 2025 session; one more is answered 429. */
  readonly maxCallsPerSession: number;
  /** 2025 sessions that are kept. At the bound the one that rested longest makes room; where none rests, 503. */
  readonly maxSessions: number;
  /** `subscriptions/listen` streams of 2026 that may be open at once. */
  readonly maxSubscriptions: number;
  /** A session without any open request or stream for so long is closed. */
  readonly sessionIdleMs: number;
  /** Time for the headers of a request; its body has three times as long. */
  readonly headersTimeoutMs: number;
  /** A client that takes nothing of an answer for so long has gone, whatever its socket says. */
  readonly stallMs: number;
  /** Between comments that keep a quiet stream open. */
  readonly keepAliveMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  // The SDK's own bound; a corpus comes by path, so that no call needs more.
  maxBodyBytes: 4 * 2 ** 20,
  // Calls hold little but their promise: this is against a client that loops.
  maxCalls: 256,
  maxCallsPerSession: 32,
  maxSessions: 256,
  maxSubscriptions: 256,
  // Time enough to come back and resume after a laptop's lid was closed for a while.
  sessionIdleMs: 30 * 60_000,
  headersTimeoutMs: 10_000,
  stallMs: 60_000,
  keepAliveMs: 15_000,
};
