/** @file Who may ask: nobody is asked on loopback without a token, else a bearer token, or an access token of an OAuth issuer. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type AuthInfo, requireBearerAuth } from "@modelcontextprotocol/server";
import { REFUSED, refusal } from "./answers.js";
import type { OAuthAccess } from "./oauth.js";

export interface Access {
  /** The token that clients send as `authorization: Bearer …`. */
  readonly token?: string;
  /** Access tokens of an OAuth issuer are taken, too. */
  readonly oauth?: OAuthAccess;
}

/** Who asks, or the refusal. Anonymous where nobody is asked. */
export type CheckAccess = (request: Request) => Promise<AuthInfo | Response | undefined>;

const COOKIE = "preflexor_page";
const YEAR = 365 * 24 * 60 * 60;
/** What `GET /?token=…` takes the token out of. */
const TOKEN_PARAMETER = "token";

/** For MCP: the header alone counts, so that no web page can use a cookie of this server. */
export function checkAccess({ token, oauth }: Access): CheckAccess {
  if (token === undefined && oauth === undefined) return async () => undefined;
  const check = oauth === undefined ? undefined : requireBearerAuth(oauth.bearer);
  return async (request) => {
    const shown = bearerOf(request);
    if (token !== undefined && shown !== undefined && isSame(shown, token)) return OWNER;
    return check === undefined ? unauthorized(shown) : check(request);
  };
}

/** For the page: the header, or the cookie that `?token=` was exchanged for. */
export function checkPageAccess(access: Access): CheckAccess {
  const check = checkAccess(access);
  const { token } = access;
  return async (request) => {
    if (token === undefined) return check(request);
    const url = new URL(request.url);
    const shown = url.searchParams.get(TOKEN_PARAMETER);
    if (shown !== null && isSame(shown, token)) return toCookie(url, token);
    if (isSame(cookieOf(request) ?? "", cookieValue(token))) return OWNER;
    return check(request);
  };
}

/** Whoever bears the configured token. */
const OWNER: AuthInfo = { token: "", clientId: "owner", scopes: [], expiresAt: Number.MAX_SAFE_INTEGER };

/** Two clients of one name are the same to a session: it is not shared across them. */
export const principalOf = (auth: AuthInfo | undefined): string =>
  auth === undefined ? "" : JSON.stringify([auth.clientId, auth.extra?.["subject"] ?? ""]);

function bearerOf(request: Request): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

function unauthorized(shown: string | undefined): Response {
  const message =
    shown === undefined
      ? "no token was sent: expected the header authorization: Bearer TOKEN"
      : "the token is not the one this server was started with";
  const challenge = shown === undefined ? "Bearer" : 'Bearer error="invalid_token"';
  return refusal(401, REFUSED, message, { headers: { "www-authenticate": challenge } });
}

/** Sends the browser to the same page with the cookie and without the token, which then stands in no history. */
function toCookie(url: URL, token: string): Response {
  url.searchParams.delete(TOKEN_PARAMETER);
  const cookie = `${COOKIE}=${cookieValue(token)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${YEAR}`;
  const location = `${url.pathname.replace(/^\/+/, "/")}${url.search}`;
  return new Response(null, {
    status: 303,
    headers: { location, "set-cookie": cookie, "referrer-policy": "no-referrer" },
  });
}

function cookieOf(request: Request): string | undefined {
  const all = (request.headers.get("cookie") ?? "").split(";").map((part) => part.trim());
  return all.find((part) => part.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}

/** Tells nothing of the token, and holds as long as it. */
const cookieValue = (token: string): string => createHmac("sha256", token).update(COOKIE).digest("base64url");

/** Compared as digests of one length, so that the time says nothing about what was shown. */
const isSame = (shown: string, token: string): boolean => timingSafeEqual(digest(shown), digest(token));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
