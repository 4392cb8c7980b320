/** @file Who may ask: the name the client called this server by, and the key it shows. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { ApiError } from "./errors.js";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "::1"];

/** Whether nothing but this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Throws 403 where a server for this machine alone is called by another name: that is a web page whose name was
 * pointed here (DNS rebinding).
 */
export function checkHost(request: IncomingMessage, bound: string): void {
  if (!isLoopback(bound)) return;
  const asked = request.headers.host ?? "";
  const name = (URL.canParse(`http://${asked}`) ? new URL(`http://${asked}`).hostname : "").replace(/^\[|\]$/g, "");
  if (LOOPBACK_NAMES.includes(name) || name === bound) return;
  throw new ApiError(403, `host: expected ${LOOPBACK_NAMES.join(", ")} or ${bound}, found ${JSON.stringify(asked)}`);
}

/** Throws 401 where a key is set and the request does not bear it. */
export function checkKey(request: IncomingMessage, key: string | undefined): void {
  if (key === undefined) return;
  const shown = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (shown !== undefined && timingSafeEqual(digest(shown), digest(key))) return;
  const message =
    shown === undefined
      ? "no API key was sent: expected the header authorization: Bearer KEY"
      : "the API key is not the one this server was started with";
  throw new ApiError(401, message, { code: "invalid_api_key", headers: { "www-authenticate": "Bearer" } });
}

/** Of one length, so that the comparison takes the same time for every key. */
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
