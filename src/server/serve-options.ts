/** @file What `preflexor serve` can be told. */

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ServeOptions {
  readonly http?: boolean;
  readonly host?: string;
  /** 0: any that is free. */
  readonly port?: number;
  readonly tokenFile?: string;
  readonly oauthIssuer?: URL;
  readonly oauthScope?: readonly string[];
  readonly publicUrl?: URL;
  readonly allowedHost?: readonly string[];
  readonly maxSessions?: number;
  readonly maxCalls?: number;
  readonly logLevel: LogLevel;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Not one of the usual ports of web servers in development. */
export const DEFAULT_PORT = 8765;
