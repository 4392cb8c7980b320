/** @file This server as an OAuth resource server: an issuer on this machine, its keys, and tokens of every wrong kind. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { openOAuth } from "../../../src/server/http/oauth.js";
import { afterwards, INITIALIZE, post, type Running, running, session } from "./running.js";

const RESOURCE = new URL("https://trainer.example/mcp");
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const ALGORITHM = "ES256";

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: KeyPair;
let others: KeyPair;

beforeAll(async () => {
  keys = await generateKeyPair(ALGORITHM);
  others = await generateKeyPair(ALGORITHM);
});

/** An issuer: its metadata, and the public key. */
async function issuer(named?: string): Promise<URL> {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: "k", alg: ALGORITHM, use: "sig" };
  const server = createServer((request, response) => {
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const metadata = { issuer: named ?? origin, jwks_uri: `${origin}/jwks`, response_types_supported: ["code"] };
    const answers: Record<string, object> = {
      "/.well-known/oauth-authorization-server": {
        ...metadata,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
      },
      "/jwks": { keys: [jwk] },
    };
    const answer = answers[request.url ?? ""];
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterwards(() => server.close());
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const minted = (claims: JWTPayload, key = keys.privateKey): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: ALGORITHM, kid: "k" }).sign(key);

const soon = (): number => Math.floor(Date.now() / 1000) + 300;

async function guarded(): Promise<{ server: Running; good: JWTPayload }> {
  const url = await issuer();
  const oauth = await openOAuth({ issuer: url, resource: RESOURCE, scopes: ["mcp"] });
  const server = await running({ access: { oauth }, publicUrl: new URL("https://trainer.example/") });
  const good = {
    iss: url.origin,
    aud: RESOURCE.href,
    scope: "mcp other",
    exp: soon(),
    sub: "user-1",
    client_id: "app",
  };
  return { server, good };
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

describe("an access token", () => {
  it("of the issuer, for this server and with its scope, passes in both eras", async () => {
    const { server, good } = await guarded();
    const headers = bearer(await minted(good));
    expect((await post(server.mcp, LIST, headers)).status).toBe(200);
    const own = await session(server.mcp, headers);
    expect((await post(server.mcp, LIST, own)).status).toBe(200);
  });

  it.each<[string, (good: JWTPayload) => JWTPayload]>([
    ["has expired", (good) => ({ ...good, exp: soon() - 1000 })],
    ["never expires", ({ exp: _, ...good }) => good],
    ["is for another server", (good) => ({ ...good, aud: "https://other.example/mcp" })],
    ["is for nobody", ({ aud: _, ...good }) => good],
    ["is of another issuer", (good) => ({ ...good, iss: "https://evil.example" })],
    ["is not valid yet", (good) => ({ ...good, nbf: soon() })],
  ])("that %s is refused with a challenge that leads to the metadata", async (_, change) => {
    const { server, good } = await guarded();
    const response = await post(server.mcp, LIST, bearer(await minted(change(good))));
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toContain(
      'resource_metadata="https://trainer.example/.well-known/oauth-protected-resource/mcp"',
    );
  });

  it("that another key signed, or none, is refused", async () => {
    const { server, good } = await guarded();
    const none = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(good))}.`.replaceAll("=", "");
    for (const token of [await minted(good, others.privateKey), none, "not.a.token", "opaque"]) {
      expect((await post(server.mcp, LIST, bearer(token))).status).toBe(401);
    }
    expect((await post(server.mcp, LIST)).status).toBe(401);
  });

  it("without the scope is refused with 403 and the scope it needs", async () => {
    const { server, good } = await guarded();
    const response = await post(server.mcp, LIST, bearer(await minted({ ...good, scope: "mcpx" })));
    expect(response.status).toBe(403);
    expect(response.headers.get("www-authenticate")).toMatch(/insufficient_scope.*scope="mcp"/);
  });

  it("of another user does not open a session", async () => {
    const { server, good } = await guarded();
    const own = await session(server.mcp, bearer(await minted(good)));
    const stolen = { ...own, ...bearer(await minted({ ...good, sub: "user-2" })) };
    expect((await post(server.mcp, LIST, stolen)).status).toBe(404);
    // A new token of the same user does: they live shorter than sessions.
    expect(
      (await post(server.mcp, LIST, { ...own, ...bearer(await minted({ ...good, exp: soon() + 9 })) })).status,
    ).toBe(200);
  });
});

describe("the metadata", () => {
  it("name the resource, its issuer and its scopes, and are open to all", async () => {
    const { server, good } = await guarded();
    const response = await fetch(`${server.url}/.well-known/oauth-protected-resource/mcp`);
    expect(await response.json()).toMatchObject({
      resource: RESOURCE.href,
      authorization_servers: [good.iss],
      scopes_supported: ["mcp"],
    });
    expect((await post(server.mcp, INITIALIZE)).status).toBe(401);
  });

  it("of an issuer that is not there, or is another, are refused at the start", async () => {
    const options = { resource: RESOURCE, scopes: ["mcp"] };
    await expect(openOAuth({ ...options, issuer: new URL("http://127.0.0.1:9") })).rejects.toThrow(
      /--oauth-issuer http:\/\/127\.0\.0\.1:9\/: no metadata/,
    );
    const other = await issuer("https://evil.example");
    await expect(openOAuth({ ...options, issuer: other })).rejects.toThrow(
      /it is the metadata of https:\/\/evil\.example/,
    );
  });
});
