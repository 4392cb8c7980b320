/** @file By which names a browser may call this server: a page whose name was pointed here (DNS rebinding) is refused. */
import { isIP } from "node:net";
import { localhostAllowedHostnames, validateHostHeader, validateOriginHeader } from "@modelcontextprotocol/server";
import { isLoopback } from "../openai/guard.js";
import { REFUSED, refusal } from "./answers.js";

export interface AllowedNames {
  /** The address that is listened on. */
  readonly host: string;
  /** Other names of this server, without port. */
  readonly allowedHosts?: readonly string[];
  /** Where clients reach it, e.g. through a proxy. */
  readonly publicUrl?: URL;
}

/** Undefined where the request may go on, else 403. */
export type CheckNames = (request: Request) => Response | undefined;

/** Checks Host, and Origin where one is sent, which only browsers do. */
export function checkNames({ host, allowedHosts = [], publicUrl }: AllowedNames): CheckNames {
  const bound = isIP(host) === 6 ? `[${host}]` : host;
  const names = [...localhostAllowedHostnames(), bound, ...allowedHosts, ...(publicUrl ? [publicUrl.hostname] : [])];
  const isLocal = isLoopback(host);
  return (request) => {
    const asked = request.headers.get("host");
    const literal = isLocal ? undefined : addressIn(asked);
    const allowed = literal === undefined ? names : [...names, literal];
    const named = validateHostHeader(asked, allowed);
    if (!named.ok) return forbidden("host", asked, allowed);
    const origin = request.headers.get("origin");
    return validateOriginHeader(origin, allowed).ok ? undefined : forbidden("origin", origin, allowed);
  };
}

/** An address instead of a name: nobody can point one somewhere else, so it needs no list. */
function addressIn(host: string | null): string | undefined {
  if (host === null || !URL.canParse(`http://${host}`)) return undefined;
  const { hostname } = new URL(`http://${host}`);
  return isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? undefined : hostname;
}

function forbidden(header: string, found: string | null, allowed: readonly string[]): Response {
  const known = [...new Set(allowed)].join(", ");
  const message = `${header}: expected one of ${known}, found ${JSON.stringify(found)}; another name of this server: --allowed-host`;
  return refusal(403, REFUSED, message);
}
