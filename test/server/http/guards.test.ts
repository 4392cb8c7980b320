/** @file Who may ask what: names and origins, tokens and cookies, bodies of every wrong kind, and addresses open to others. */
import { request as nodeRequest } from "node:http";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import type { Route } from "../../../src/server/http/index.js";
import { HEADERS, INITIALIZE, post, running, session, toolCall } from "./running.js";

const TOKEN = "correct-horse-battery-staple";
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** A request with headers that fetch would not let through. */
function raw(
  url: URL | string,
  headers: Record<string, string>,
  method = "GET",
  body = "",
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = nodeRequest(url, { method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += String(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

const page: Route = (request) =>
  new URL(request.url).pathname === "/data/x" ? Response.json({ page: true }) : undefined;

describe("names", () => {
  it.each(["/mcp", "/data/x", "/health", "/"])(
    "a page that was pointed here by another name gets nothing: %s",
    async (path) => {
      const { url } = await running({ routes: [page] });
      for (const host of [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "[::2]",
        "evil@localhost:x",
      ]) {
        const { status, text } = await raw(`${url}${path}`, { ...HEADERS, host }, "POST", JSON.stringify(LIST));
        expect([status, text], host).toEqual([403, expect.stringContaining("host: expected one of")]);
      }
    },
  );

  it("a page of another origin gets nothing, also from a file or a sandbox", async () => {
    const { mcp, url } = await running({ routes: [page] });
    for (const origin of ["https://evil.example", "http://localhost.evil.example", "null", "file://", "http://"]) {
      const { status, text } = await raw(mcp, { ...HEADERS, origin }, "POST", JSON.stringify(LIST));
      expect([status, text], origin).toEqual([403, expect.stringContaining("origin: expected one of")]);
      expect((await raw(`${url}/data/x`, { origin })).status, origin).toBe(403);
    }
  });

  it("this machine's own names and origins pass", async () => {
    const { mcp, url } = await running();
    const { port } = new URL(url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, "LOCALHOST"]) {
      const headers = { ...HEADERS, host, origin: `http://${host.toLowerCase()}` };
      expect((await raw(mcp, headers, "POST", JSON.stringify(LIST))).status, host).toBe(200);
    }
  });

  it("answers no preflight, so that no page of another origin may send JSON", async () => {
    const { mcp } = await running();
    const response = await fetch(mcp, { method: "OPTIONS", headers: { "access-control-request-method": "POST" } });
    expect(response.status).toBe(405);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("off loopback, an address passes and a name must be listed", async () => {
    const server = await running({ host: "0.0.0.0", access: { token: TOKEN }, allowedHosts: ["trainer.lan"] });
    const mcp = new URL(server.mcp.href.replace("0.0.0.0", "127.0.0.1"));
    const status = async (host: string, origin?: string): Promise<number> =>
      (await raw(mcp, { ...HEADERS, ...bearer(TOKEN), host, ...(origin && { origin }) }, "POST", JSON.stringify(LIST)))
        .status;
    expect(await status("192.168.7.7:8765")).toBe(200);
    expect(await status("192.168.7.7:8765", "http://192.168.7.7:8765")).toBe(200);
    expect(await status("192.168.7.7:8765", "http://192.168.7.8:8765")).toBe(403);
    expect(await status("trainer.lan", "https://trainer.lan")).toBe(200);
    expect(await status("evil.example")).toBe(403);
  });
});

describe("an address that others can reach", () => {
  it.each(["0.0.0.0", "::", "192.168.7.7", "trainer.lan"])("is refused without a token: %s", async (host) => {
    await expect(running({ host })).rejects.toThrow(
      /can be reached from other machines.*PREFLEXOR_TOKEN.*--oauth-issuer.*127\.0\.0\.1/s,
    );
  });
});

describe("a token", () => {
  it("is asked for at MCP and the page, and nothing but it passes", async () => {
    const server = await running({ access: { token: TOKEN }, routes: [page] });
    for (const headers of [
      {},
      bearer(`${TOKEN}x`),
      bearer(TOKEN.slice(0, -1)),
      bearer(""),
      { authorization: TOKEN },
      { authorization: `Basic ${TOKEN}` },
    ]) {
      const response = await post(server.mcp, LIST, headers);
      expect(response.status, JSON.stringify(headers)).toBe(401);
      expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
      expect(await response.text()).not.toContain(TOKEN);
      expect((await fetch(`${server.url}/data/x`, { headers })).status).toBe(401);
    }
    expect((await post(server.mcp, LIST, bearer(TOKEN))).status).toBe(200);
    expect(await (await fetch(`${server.url}/data/x`, { headers: bearer(TOKEN) })).json()).toEqual({ page: true });
  });

  it("is exchanged for a cookie that opens the page, never MCP, and does not hold it", async () => {
    const server = await running({ access: { token: TOKEN }, routes: [page] });
    const wrong = await fetch(`${server.url}/data/x?token=wrong`, { redirect: "manual" });
    expect(wrong.status).toBe(401);
    const first = await fetch(`${server.url}/data/x?after=2&token=${TOKEN}`, { redirect: "manual" });
    expect([first.status, first.headers.get("location")]).toEqual([303, "/data/x?after=2"]);
    const cookie = first.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Path=\//);
    expect(cookie).not.toContain(TOKEN);
    const own = { cookie: `theme=dark; ${cookie.split(";")[0]}` };
    expect((await fetch(`${server.url}/data/x`, { headers: own })).status).toBe(200);
    expect((await post(server.mcp, LIST, own)).status).toBe(401);
    expect((await fetch(`${server.url}/data/x`, { headers: { cookie: "preflexor_page=guess" } })).status).toBe(401);
    // Two slashes would lead the browser to another site.
    const sly = await raw(`${server.url}//evil.example/?token=${TOKEN}`, {});
    expect(sly.status).toBe(303);
    const response = await fetch(`${server.url}//evil.example/?token=${TOKEN}`, { redirect: "manual" });
    expect(response.headers.get("location")).toBe("/evil.example/");
  });

  it("is not asked for at /health, which then says nothing but that it runs", async () => {
    const server = await running({ access: { token: TOKEN } });
    expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: "ok" });
    const known = await fetch(`${server.url}/health`, { headers: bearer(TOKEN) });
    expect(await known.json()).toEqual({ status: "ok", sessions: 0, calls: 0 });
  });
});

describe("a body", () => {
  it.each([
    ["no JSON", "{", 400, -32700],
    ["nothing", "", 400, -32700],
    ["no request", '"hello"', 400, -32600],
    ["a number", "3", 400, -32600],
    ["an empty batch", "[]", 400, -32600],
    ["no version", '{"id":1,"method":"tools/list"}', 400, -32600],
    ["another version", '{"jsonrpc":"1.0","id":1,"method":"tools/list"}', 400, -32600],
    ["too deep", "[".repeat(100) + "]".repeat(100), 400, -32700],
  ])("that is %s is refused", async (_, body, status, code) => {
    const { mcp } = await running();
    const response = await post(mcp, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      jsonrpc: "2.0",
      id: expect.toSatisfy((id) => id === null || id === 1),
      error: { code },
    });
  });

  it("that is too large is refused with 413, before and while it is read", async () => {
    const { mcp } = await running({ limits: { maxBodyBytes: 1000 } });
    const large = JSON.stringify({ ...LIST, params: { filler: "x".repeat(2000) } });
    const declared = await post(mcp, large);
    expect([declared.status, await declared.json()]).toMatchObject([
      413,
      { error: { message: /larger than 1000 bytes/ } },
    ]);
    const chunked = await fetch(mcp, {
      method: "POST",
      headers: HEADERS,
      body: new Blob([large]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(413);
    expect((await post(mcp, LIST)).status).toBe(200);
  });

  it("of another type, or compressed, is refused with 415", async () => {
    const { mcp } = await running();
    for (const headers of [{ "content-type": "text/plain" }, { "content-encoding": "gzip" }] as Record<
      string,
      string
    >[]) {
      expect((await post(mcp, LIST, headers)).status).toBe(415);
    }
  });

  it("names an unknown method or tool: JSON-RPC's own errors", async () => {
    const { mcp } = await running();
    const own = await session(mcp);
    expect(await (await post(mcp, { jsonrpc: "2.0", id: 9, method: "tools/lits" }, own)).text()).toContain(
      '"code":-32601',
    );
    expect(await (await post(mcp, toolCall(9, "ingest-corps"), own)).text()).toContain('"code":-32602');
  });

  it("of a protocol that is not served is told which are", async () => {
    const { mcp } = await running();
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2031-01-01",
      "io.modelcontextprotocol/clientInfo": { name: "x", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const response = await post(
      mcp,
      { ...LIST, params: { _meta: meta } },
      { "mcp-protocol-version": "2031-01-01", "mcp-method": "tools/list" },
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      id: 1,
      error: { data: { supported: expect.arrayContaining(["2026-07-28"]) } },
    });
  });
});

describe("a client that is", () => {
  it("slow with its headers is cut off", async () => {
    const { url } = await running({ limits: { headersTimeoutMs: 200 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write("POST /mcp HTTP/1.1\r\nhost: localhost\r\n");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += String(chunk);
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 408/);
  });

  it("rich in headers gets 431", async () => {
    const { url } = await running();
    const { status } = await raw(url, { "x-filler": "x".repeat(20_000) });
    expect(status).toBe(431);
  });

  it("using a strange method gets 405", async () => {
    const { mcp } = await running();
    for (const method of ["TRACE", "PUT", "PATCH", "PURGE"])
      expect((await raw(mcp, {}, method)).status, method).toBe(405);
  });
});

describe("a route", () => {
  it("is asked for its own paths alone, and its answers are not for other sites", async () => {
    const { url, mcp } = await running({ routes: [page] });
    const response = await fetch(`${url}/data/x`);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      "x-frame-options": "DENY",
    });
    expect((await fetch(`${url}/data/y`)).status).toBe(404);
    expect((await fetch(`${url}/data/x`, { method: "POST" })).status).toBe(404);
    expect((await fetch(`${url}/data/x`, { method: "HEAD" })).status).toBe(200);
    expect((await post(mcp, INITIALIZE)).status).toBe(200);
  });

  it("may stream without end: the stream is cancelled when its reader goes away", async () => {
    let cancelled = 0;
    const endless: Route = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1000)),
          cancel: () => {
            cancelled += 1;
          },
        }),
      );
    const { url } = await running({ routes: [endless] });
    const response = await fetch(`${url}/data/events`);
    await response.body?.getReader().cancel();
    await expect.poll(() => cancelled).toBe(1);
  });

  it("that throws is answered 500 without its words, which the log gets", async () => {
    const { url, errors } = await running({
      routes: [
        () => {
          throw new Error("a secret path");
        },
      ],
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining("secret")]);
    expect(errors).toMatchObject([{ message: "a secret path" }]);
  });
});
