/** @file Opening teachers from what a user wrote: what works, and what is refused before a run begins. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createExtractiveTeacher } from "../../../src/agents/models/extractive-teacher.js";
import type { ModelRole } from "../../../src/agents/models/model-spec.js";
import { type OpenChatModelOptions, openChatModel } from "../../../src/agents/models/open-chat-model.js";
import { chatModelName } from "../../../src/agents/structured-agent.js";

const servers: Server[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listening(): Promise<string> {
  const server = createServer((_, response) => response.writeHead(404).end());
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

const open = (spec: string, options: Partial<OpenChatModelOptions> = {}) =>
  openChatModel(spec, { role: "teacher", builtin: async () => createExtractiveTeacher(), ...options });
const nameOf = async (spec: string, options?: Partial<OpenChatModelOptions>) =>
  chatModelName((await open(spec, options)).model);

const self = { reply: async () => "", fits: async () => true };
const client = { name: "desk 1.0", takesTools: false, sample: async () => ({ model: "m", content: [] }) };

test.each([
  ["builtin", "teacher", "extractive-teacher"],
  ["extractive", "teacher", "extractive-teacher"],
  ["extractive", "critic", "lexical-critic"],
  ["self", "teacher", "self-play"],
  ["self", "critic", "self-critic"],
  ["client", "teacher", "mcp-sampling:desk 1.0"],
] as const)("%s as %s is %s", async (spec, role, name) => {
  expect(await nameOf(spec, { role, self, client })).toBe(name);
});

test.each([
  ["self", "teacher", "self: there is no model that learns here; expected another teacher"],
  ["client", "critic", "client: there is no MCP client here"],
  ["extractive", "judge", "extractive: it compares no answers"],
  ["extractive", "agent", "extractive: it calls no tools; expected another agent, such as builtin"],
  ["self", "agent", "self: the model that learns plans no run; expected another agent, such as builtin"],
  ["nonsense", "teacher", "expected one of builtin, extractive, self, client, preflexor:"],
  ["preflexor:/no/such/model", "teacher", "/no/such/model"],
] as const)("%s as %s is refused", async (spec, role: ModelRole, message) => {
  await expect(open(spec, { role, ...(role === "agent" && { self }) })).rejects.toThrow(message);
});

describe("a provider", () => {
  test("whose package is missing is told with the command that installs it", async () => {
    await expect(open("perplexity:sonar")).rejects.toThrow(
      "perplexity:sonar cannot be opened: its package @langchain/perplexity is not installed: run npm install @langchain/perplexity",
    );
  });

  test("whose key is missing is told with the variable", async () => {
    vi.stubEnv("OPENAI_API_KEY", "");
    await expect(open("openai:gpt-4.1-mini")).rejects.toThrow(
      /cannot be opened: .*set the key of openai, such as OPENAI_API_KEY/,
    );
  });

  test("is named in provenance by provider and model", async () => {
    vi.stubEnv("OPENAI_API_KEY", "sk-test");
    expect(await nameOf("openai:gpt-4.1-mini")).toBe("openai:gpt-4.1-mini");
  });

  test("goes where it was said, whatever another variable of the environment says", async () => {
    vi.stubEnv("OPENAI_API_KEY", "sk-test");
    vi.stubEnv("OPENAI_BASE_URL", "https://elsewhere.example/v1");
    const { model, disclosure } = await open("openai:gpt-4.1-mini");
    expect(disclosure.to).toBe("api.openai.com");
    expect(model).toMatchObject({ clientConfig: { baseURL: "https://api.openai.com/v1" } });
  });

  test("on this machine needs no key, and any answer shows that it is there", async () => {
    vi.stubEnv("OPENAI_API_KEY", "");
    const baseUrl = await listening();
    const notices: string[] = [];
    const onNotice = (sentence: string) => notices.push(sentence);
    const { disclosure, spec } = await open("openai:small", { baseUrl, offline: true, onNotice });
    expect(disclosure.leaves).toBe(false);
    expect(spec).toBe("openai:small");
    expect(await nameOf(`openai:small@${baseUrl}`, { offline: true, onNotice })).toBe("openai:small");
    expect(notices).toEqual([]);
  });

  test("at a URL where nothing answers is refused with the URL and what to start", async () => {
    const baseUrl = await listening();
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    await expect(open("openai:small", { baseUrl })).rejects.toThrow(
      new RegExp(
        `^nothing answers at ${baseUrl} \\(ECONNREFUSED\\), where openai:small was looked for: start the server there, such as preflexor api`,
      ),
    );
  });
});

describe("offline", () => {
  test.each(["openai:gpt-4.1-mini", "anthropic:m", "client", "openai:m@https://models.example/v1"])(
    "%s is refused before anything is asked",
    async (spec) => {
      const sample = vi.fn(client.sample);
      await expect(open(spec, { offline: true, client: { ...client, sample } })).rejects.toThrow(
        /^offline: .*PREFLEXOR_OFFLINE/,
      );
      expect(sample).not.toHaveBeenCalled();
    },
  );

  test("a checkpoint that is not in the cache is not asked for", async () => {
    const hub = { cacheDir: "/no/cache", endpoint: await listening() };
    const asked = vi.fn();
    servers[0]?.on("request", asked);
    await expect(open("preflexor:owner/name", { offline: true, hub })).rejects.toThrow(
      /not in the cache.*PREFLEXOR_OFFLINE/,
    );
    expect(asked).not.toHaveBeenCalled();
  });
});

test("what leaves this machine is told once when it is opened", async () => {
  const notices: string[] = [];
  await open("client", { client, onNotice: (sentence) => notices.push(sentence) });
  expect(notices).toEqual([
    "For the teacher client, passages of the corpus, and the questions and answers made from them go to " +
      "the connected MCP client (desk 1.0) and the model that it uses.",
  ]);
});
