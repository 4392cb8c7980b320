/** @file The HTTP side under friends and strangers: routes, keys, hosts, hostile bodies, slow clients, many at once, the end. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import OpenAI, { AuthenticationError, RateLimitError } from "openai";
import { describe, expect, it } from "vitest";
import { says, scripted, serve, until } from "./scripted-model.js";

const ask = { model: "small", messages: [{ role: "user" as const, content: "Why?" }] };
const fine = () => scripted(() => says("x"));
const JSON_TYPE = { "content-type": "application/json" };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly error: { message: string; type: string; param: string | null; code: string | null };
}

async function post(
  origin: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = JSON_TYPE,
): Promise<Answer> {
  const response = await fetch(`${origin}/v1/chat/completions`, { method: "POST", headers, body });
  return { status: response.status, headers: response.headers, ...((await response.json()) as Pick<Answer, "error">) };
}

/** Sends bytes as they are, and resolves to all that came back. */
function raw(origin: string, text: string): Promise<{ answer: string; ms: number }> {
  const start = Date.now();
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(new URL(origin).port), "127.0.0.1", () => socket.write(text));
    socket.on("data", (data) => {
      answer += data;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve({ answer, ms: Date.now() - start }));
  });
}

/** Lets go when told to. */
function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const script = () => ({
    ...says("x"),
    before: (signal: AbortSignal) =>
      Promise.race([opened, new Promise<never>((_, no) => signal.addEventListener("abort", () => no(signal.reason)))]),
  });
  return { open: () => open(), fake: scripted(script) };
}

describe("routes", () => {
  it("answers health without a key, and nothing else", async () => {
    const { origin } = await serve(fine(), { apiKey: "k" });
    expect(await (await fetch(`${origin}/health`)).json()).toEqual({ status: "ok" });
    expect((await fetch(`${origin}/v1/models`)).status).toBe(401);
  });

  it("has a 404 that lists the routes, and a 405 that names the method", async () => {
    const { origin } = await serve(fine());
    const missing = await fetch(`${origin}/v1/responses`, { method: "POST" });
    expect(missing.status).toBe(404);
    expect(((await missing.json()) as Answer).error.message).toMatch(
      /no such route: POST \/v1\/responses; known are POST \/v1\/chat\/completions/,
    );
    const wrong = await fetch(`${origin}/v1/chat/completions`);
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await fetch(`${origin}/v1/models?limit=2`)).status).toBe(200);
    expect((await fetch(`${origin}/health`, { method: "HEAD" })).status).toBe(200);
  });
});

describe("who may ask", () => {
  it("is whoever bears the key, where one is set", async () => {
    const { origin, client } = await serve(fine(), { apiKey: "right" });
    await client.chat.completions.create(ask);
    const wrong = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "wrong", maxRetries: 0 });
    const failed = wrong.chat.completions.create(ask);
    await expect(failed).rejects.toThrow(AuthenticationError);
    await expect(failed).rejects.toMatchObject({ code: "invalid_api_key" });
    const none = await post(origin, JSON.stringify(ask));
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(none.error.message).toMatch(/no API key was sent/);
  });

  it("is no web page under a name that was pointed at this machine", async () => {
    const { origin } = await serve(fine());
    const status = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const request = httpRequest(`${origin}/v1/models`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        request.on("error", reject);
        request.end();
      });
    expect(await status("evil.example")).toBe(403);
    expect(await status("localhost.evil.example:80")).toBe(403);
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:8080", "LOCALHOST"]) expect(await status(host)).toBe(200);
  });

  it("is no page of another site: no CORS, and a body that needs no leave to be sent is refused", async () => {
    const { origin } = await serve(fine());
    const plain = await post(origin, JSON.stringify(ask), {
      "content-type": "text/plain",
      origin: "https://a.example",
    });
    expect(plain.status).toBe(415);
    expect(plain.headers.get("access-control-allow-origin")).toBeNull();
    expect((await fetch(`${origin}/v1/chat/completions`, { method: "OPTIONS" })).status).toBe(405);
  });
});

describe("a hostile body", () => {
  it.each([
    ["half an object", "{", 400, /the body is not JSON/],
    ["nothing", "", 400, /the body is not JSON/],
    ["a list", "[]", 400, /expected a JSON object, found a list/],
    ["null", "null", 400, /expected a JSON object, found null/],
    ["an abyss", `{"a": ${"[".repeat(100_000)}`, 400, /nested more than 64 levels/],
    ["a well-formed abyss", `{"messages": ${"[".repeat(70)}${"]".repeat(70)}}`, 400, /nested more than 64 levels/],
    [
      "names of every object's own",
      '{"__proto__": {"model": "small"}, "constructor": 1}',
      400,
      /__proto__|model: expected string/,
    ],
  ])("of %s is refused", async (_, body, status, message) => {
    const { origin } = await serve(fine());
    const answer = await post(origin, body);
    expect(answer.status).toBe(status);
    expect(answer.error).toMatchObject({ message: expect.stringMatching(message), type: "invalid_request_error" });
  });

  it("may hold brackets and quotes in its texts", async () => {
    const { client } = await serve(fine());
    const content = `"${"[{".repeat(100)}\\`;
    const reply = await client.chat.completions.create({ ...ask, messages: [{ role: "user", content }] });
    expect(reply.choices[0]?.message.content).toBe("x");
  });

  it("is refused where it is no UTF-8, or compressed", async () => {
    const { origin } = await serve(fine());
    expect((await post(origin, Uint8Array.of(0x22, 0xff, 0x22))).error.message).toMatch(/not UTF-8/);
    expect((await post(origin, "{}", { ...JSON_TYPE, "content-encoding": "gzip" })).status).toBe(415);
  });

  it("is refused with 413 where it is too large, announced or not, and the client gets to read that", async () => {
    const { origin, client } = await serve(fine(), { maxBodyBytes: 100_000 });
    const content = "x".repeat(8_000_000);
    const failed = client.chat.completions.create({ ...ask, messages: [{ role: "user", content }] });
    await expect(failed).rejects.toMatchObject({
      status: 413,
      message: expect.stringMatching(/larger than 100000 bytes/),
    });
    const chunk = `${(50_000).toString(16)}\r\n${"x".repeat(50_000)}\r\n`;
    const { answer } = await raw(
      origin,
      `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
  });
});

describe("a slow client", () => {
  it("has its connection closed where headers or body do not come", async () => {
    const { origin } = await serve(fine(), { headersTimeoutMs: 200 });
    const headers = await raw(origin, "POST /v1/completions HTTP/1.1\r\nhost: loc");
    const body = await raw(
      origin,
      "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    );
    expect(headers.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(headers.ms).toBeLessThan(1500);
    expect(body.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(body.ms).toBeLessThan(2500);
  });
});

describe("many at once", () => {
  it("runs 32 clients side by side, each with its own answer", async () => {
    const { open, fake } = gate();
    const { client } = await serve(fake);
    const calls = Array.from({ length: 32 }, async (_, i) => {
      if (i % 2 === 0) return (await client.chat.completions.create({ ...ask, seed: i })).choices[0]?.message.content;
      let text = "";
      const stream = await client.chat.completions.create({ ...ask, seed: i, stream: true });
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
      return text;
    });
    await until(() => fake.most() === 32);
    open();
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 32 }, () => "x"));
    expect(new Set(fake.asked.map(({ sampling }) => sampling?.seed)).size).toBe(32);
    expect(fake.left).toEqual([]);
  });

  it("sends away with 429 what the queue has no room for, and takes it again later", async () => {
    const { open, fake } = gate();
    const { client } = await serve(fake, { maxQueue: 3 });
    const running = client.chat.completions.create({ ...ask, n: 2 });
    await until(() => fake.asked.length === 2);
    const failed = client.chat.completions.create({ ...ask, n: 2 });
    await expect(failed).rejects.toThrow(RateLimitError);
    await expect(failed).rejects.toMatchObject({ code: "queue_full" });
    const refusal = (await failed.catch((error: unknown) => error)) as RateLimitError;
    expect(refusal.headers?.get("retry-after")).toBe("1");
    open();
    await running;
    await client.chat.completions.create({ ...ask, n: 2 });
  });
});

describe("the end of the server", () => {
  it("lets what runs finish, takes nothing new, and closes connections that are kept", async () => {
    const { open, fake } = gate();
    const { client, close } = await serve(fake);
    const running = client.chat.completions.create(ask);
    await until(() => fake.asked.length === 1);
    const closed = close(5000);
    await expect(client.chat.completions.create(ask)).rejects.toThrow(OpenAI.APIError);
    open();
    expect((await running).choices[0]?.message.content).toBe("x");
    const start = Date.now();
    await closed;
    expect(Date.now() - start).toBeLessThan(1000);
    expect(fake.asked).toHaveLength(1);
  });

  it("cancels what runs on, and says so", async () => {
    const { fake } = gate();
    const { client, close } = await serve(fake);
    const failed = expect(client.chat.completions.create(ask)).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(/the server was stopped/),
    });
    await until(() => fake.asked.length === 1);
    await close(50);
    await failed;
    expect(fake.left).toHaveLength(1);
  });
});
