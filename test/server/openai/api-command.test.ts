/** @file `preflexor api`: its options, and the real binary with the package's own model through the real engine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { apiCommand } from "../../../src/server/api-command.js";
import type { ApiOptions } from "../../../src/server/api-run.js";
import { readConfig } from "../../../src/server/config.js";
import { embeddingGolden, farthest, tinyBert } from "../../support/embedding-golden.js";

const MAIN = fileURLToPath(new URL("../../../dist/server/main.js", import.meta.url));
const NANO = fileURLToPath(new URL("../../../models/nano", import.meta.url));

async function parsed(...args: string[]): Promise<ApiOptions | undefined> {
  let seen: ApiOptions | undefined;
  const command = apiCommand(async (options) => {
    seen = options;
  });
  await command.exitOverride().parseAsync(args, { from: "user" });
  return seen;
}

describe("the options", () => {
  it("bind to this machine alone unless told otherwise", async () => {
    expect(await parsed()).toEqual({
      adapter: {},
      host: "127.0.0.1",
      port: 8080,
      maxQueue: 256,
      json: false,
      verbose: false,
    });
    const args = ["--adapter", "a=out/a", "--adapter", "me/b=c=d", "--weights", "int8", "--port", "0", "--json"];
    expect(await parsed(...args)).toMatchObject({
      adapter: { a: "out/a", "me/b": "c=d" },
      weights: "int8",
      port: 0,
      json: true,
    });
  });

  it.each([
    [["--adapter", "out/a"], /expected name=directory/],
    [["--adapter", "off=a"], /has a meaning of its own/],
    [["--adapter", "a=b", "--adapter", "a=c"], /two adapters of the name a/],
    [["--port", "65536"], /from 0 to 65535/],
    [["--max-queue", "0"], /from 1 to/],
    [["--weights", "int2"], /Allowed choices are float32, float16, int8, int4/],
  ])("%j are refused", async (args, message) => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await expect(parsed(...args)).rejects.toThrow(message);
    written.mockRestore();
  });
});

it("takes the key from the environment, and an empty one is none", () => {
  expect(readConfig({ PREFLEXOR_API_KEY: "k" }).apiKey).toBe("k");
  expect(readConfig({ PREFLEXOR_API_KEY: "" })).not.toHaveProperty("apiKey");
});

const ENV = { PATH: process.env["PATH"], HOME: "/nonexistent" };

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, "api", "--model", NANO, ...args], {
    env: ENV,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) return line;
  throw new Error("nothing was written");
}

describe("the real server", { timeout: 120_000 }, () => {
  let child: ChildProcess;
  let client: OpenAI;
  let told: { url: string; models: string[] };
  let stderr = "";
  beforeAll(async () => {
    child = start("--port", "0", "--json", "--threads", "1", "--embedding-model", tinyBert("mean"));
    child.stderr?.on("data", (data) => {
      stderr += data;
    });
    told = JSON.parse(await firstLine(child));
    client = new OpenAI({ baseURL: told.url, apiKey: "unused", maxRetries: 0 });
  }, 60_000);
  afterAll(() => {
    child.kill("SIGKILL");
  });

  const ask = {
    model: "nano",
    messages: [{ role: "user" as const, content: "Which material is tough? Use <|thinking|>." }],
    max_tokens: 24,
  };

  it("says where it is: a line of JSON on stdout, words on stderr", () => {
    expect(told).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1$/), models: ["nano", "mean"] });
    expect(stderr).toContain(`${told.url} serves nano, mean`);
  });

  it("draws the same for the same seed, streamed or not, alone or in company", async () => {
    const asked = { ...ask, seed: 5, temperature: 1, logprobs: true };
    const whole = await client.chat.completions.create(asked);
    let content = "";
    const tokens: string[] = [];
    const others = Array.from({ length: 3 }, (_, i) => client.chat.completions.create({ ...ask, seed: i }));
    for await (const { choices } of await client.chat.completions.create({ ...asked, stream: true })) {
      content += choices[0]?.delta.content ?? "";
      tokens.push(...(choices[0]?.logprobs?.content?.map(({ token }) => token) ?? []));
    }
    await Promise.all(others);
    expect(content).toBe(whole.choices[0]?.message.content);
    expect(tokens).toEqual(whole.choices[0]?.logprobs?.content?.map(({ token }) => token));
    expect(tokens.length).toBe(whole.usage?.completion_tokens);
    expect(whole.system_fingerprint).toMatch(/^preflexor_\d+\.\d+\.\d+_float32_[0-9a-f]{12}$/);
  });

  it("shows what goes on in an open thinking section as such in chat, and as text in completions", async () => {
    const question = ask.messages[0]?.content;
    const prompt = `<|user|>${question}<|end|><|assistant|><|thinking|>\nlayers`;
    const greedy = { max_tokens: 20, temperature: 0 };
    const raw = await client.completions.create({ model: "nano", prompt, ...greedy });
    const opened = { role: "assistant" as const, content: "<|thinking|>\nlayers" };
    const chat = await client.chat.completions.create({ ...ask, messages: [...ask.messages, opened], ...greedy });
    const message = chat.choices[0]?.message as { content: string; reasoning_content?: string } | undefined;
    expect(message?.reasoning_content).toBeTruthy();
    expect(raw.choices[0]?.text.trim()).toBe(`${message?.reasoning_content}${message?.content}`.trim());
  });

  it("refuses what does not fit the context, tools that the template has no place for, and a role it does not know", async () => {
    const long = { role: "user" as const, content: "tough ".repeat(2000) };
    await expect(client.chat.completions.create({ ...ask, messages: [long] })).rejects.toMatchObject({
      status: 400,
      code: "context_length_exceeded",
    });
    await expect(client.chat.completions.create({ ...ask, max_tokens: 100_000 })).rejects.toMatchObject({
      status: 400,
      param: "max_tokens",
      code: "context_length_exceeded",
    });
    const tools = [{ type: "function" as const, function: { name: "f", parameters: {} } }];
    await expect(client.chat.completions.create({ ...ask, tools })).rejects.toMatchObject({
      status: 400,
      param: "tools",
    });
    const system = { role: "system" as const, content: "x" };
    await expect(client.chat.completions.create({ ...ask, messages: [system, ...ask.messages] })).rejects.toThrow(
      /400 .*roles user and assistant/s,
    );
  });

  it("embeds as the Python library does", async () => {
    const golden = embeddingGolden("mean/golden.json").slice(0, 3);
    const cut = { truncate: true };
    const input = golden.map(({ text }) => text);
    const { data } = await client.embeddings.create({ model: "mean", input, ...cut });
    const vectors = data.map(({ embedding }) => embedding);
    expect(
      farthest(
        vectors,
        golden.map(({ vector }) => vector),
      ),
    ).toBeLessThan(1e-4);
  });

  it("refuses a port that is taken, with what to do", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const second = start("--port", String(port));
    let said = "";
    second.stderr?.on("data", (data) => {
      said += data;
    });
    const [code] = await once(second, "exit");
    other.close();
    expect(code).toBe(1);
    expect(said).toMatch(/the port is taken: give another --port, or 0 for any/);
  });

  it("ends in order at SIGTERM, though clients keep their connections", async () => {
    await client.models.list();
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    await expect(client.models.list()).rejects.toThrow(OpenAI.APIConnectionError);
  });
});
