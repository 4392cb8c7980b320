/** @file This server as an OAuth 2.1 resource server: whose access tokens it takes, and the metadata that leads clients there (RFC 9728). */
import {
  type AuthInfo,
  type AuthMetadataOptions,
  buildOAuthProtectedResourceMetadata,
  getOAuthProtectedResourceMetadataUrl,
  OAuthError,
  OAuthErrorCode,
  type OAuthMetadata,
  type VerifyBearerTokenOptions,
} from "@modelcontextprotocol/server";
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";

export interface OAuthOptions {
  /** The issuer's URL, as its tokens name it. */
  readonly issuer: URL;
  /** Where clients reach the MCP endpoint: the audience of tokens for this server. */
  readonly resource: URL;
  /** Scopes that a token must have. */
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal;
}

export interface OAuthAccess {
  readonly bearer: VerifyBearerTokenOptions;
  readonly metadata: AuthMetadataOptions;
}

const DISCOVERY_TIMEOUT_MS = 10_000;
/** Public keys only: a secret shared with the issuer would let this server make tokens. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** Clocks differ by so much. */
const CLOCK_TOLERANCE_S = 30;

/** Reads the issuer's metadata; throws where it cannot be had or is not the issuer's own. */
export async function openOAuth({ issuer, resource, scopes, signal }: OAuthOptions): Promise<OAuthAccess> {
  const oauthMetadata = await issuerMetadata(issuer, signal);
  const metadata: AuthMetadataOptions = {
    oauthMetadata,
    resourceServerUrl: resource,
    scopesSupported: [...scopes],
    resourceName: "PRefLexOR",
  };
  // Refuses an issuer that is not https and not on this machine.
  buildOAuthProtectedResourceMetadata(metadata);
  const keys = createRemoteJWKSet(new URL(jwksUri(oauthMetadata)), { timeoutDuration: DISCOVERY_TIMEOUT_MS });
  const verify = async (token: string): Promise<JWTPayload> => {
    const checks = { issuer: oauthMetadata.issuer, algorithms: ALGORITHMS, clockTolerance: CLOCK_TOLERANCE_S };
    return (await jwtVerify(token, keys, { ...checks, requiredClaims: ["exp", "aud"] })).payload;
  };
  return {
    metadata,
    bearer: {
      verifier: { verifyAccessToken: (token) => verified(token, verify, resource) },
      requiredScopes: [...scopes],
      expectedResource: resource,
      resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
    },
  };
}

async function verified(
  token: string,
  verify: (token: string) => Promise<JWTPayload>,
  resource: URL,
): Promise<AuthInfo> {
  const claims = await verify(token).catch((error: unknown) => {
    // Keys that cannot be fetched say nothing about the token: that is this side's failure.
    const isOurs = error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError);
    throw isOurs ? error : new OAuthError(OAuthErrorCode.InvalidToken, (error as Error).message);
  });
  const audiences = [claims.aud ?? []].flat();
  const own = audiences.find((audience) => sameUrl(audience, resource));
  return {
    token: "",
    clientId: String(claims["client_id"] ?? claims["azp"] ?? claims.sub ?? "unnamed"),
    scopes: scopesOf(claims),
    expiresAt: claims.exp as number,
    ...(own !== undefined && { resource }),
    extra: { subject: claims.sub },
  };
}

function scopesOf(claims: JWTPayload): string[] {
  const { scope, scp } = claims as { readonly scope?: unknown; readonly scp?: unknown };
  if (typeof scope === "string") return scope.split(" ").filter(Boolean);
  return Array.isArray(scp)
    ? scp.map(String)
    : String(scp ?? "")
        .split(" ")
        .filter(Boolean);
}

const sameUrl = (text: string, url: URL): boolean => text.replace(/\/$/, "") === url.href.replace(/\/$/, "");

/** Where RFC 8414 and OpenID Connect put it. */
function metadataUrls(issuer: URL): string[] {
  const path = issuer.pathname.replace(/\/$/, "");
  return [
    `${issuer.origin}/.well-known/oauth-authorization-server${path}`,
    `${issuer.origin}${path}/.well-known/openid-configuration`,
  ];
}

async function issuerMetadata(issuer: URL, signal: AbortSignal | undefined): Promise<OAuthMetadata> {
  const problems: string[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      const timeout = AbortSignal.timeout(DISCOVERY_TIMEOUT_MS);
      const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const metadata = (await response.json()) as OAuthMetadata;
      // RFC 8414, 3.3: else another issuer could speak for this one.
      if (sameUrl(String(metadata.issuer), issuer)) return metadata;
      throw new Error(`it is the metadata of ${metadata.issuer}`);
    } catch (error) {
      const { message, cause } = error as Error;
      problems.push(`${url}: ${cause instanceof Error ? cause.message : message}`);
    }
  }
  throw new Error(`--oauth-issuer ${issuer.href}: no metadata of this issuer was found\n  ${problems.join("\n  ")}`);
}

function jwksUri(metadata: OAuthMetadata): string {
  const uri = (metadata as { readonly jwks_uri?: unknown }).jwks_uri;
  if (typeof uri === "string" && URL.canParse(uri)) return uri;
  throw new Error(`${metadata.issuer}: its metadata name no jwks_uri, so its tokens cannot be checked`);
}
