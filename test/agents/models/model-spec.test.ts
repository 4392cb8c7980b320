/** @file Specs of teachers as a user writes them, and what each of them sends where. */
import { MODEL_PROVIDER_CONFIG } from "langchain/chat_models/universal";
import { describe, expect, test } from "vitest";
import { disclosureOf, isLoopback, refuseOffline } from "../../../src/agents/models/disclosure.js";
import { PROVIDERS } from "../../../src/agents/models/model-providers.js";
import { MODEL_SPEC_FORMS, parseModelSpec, specText } from "../../../src/agents/models/model-spec.js";

test("the providers and their packages are those that LangChain opens by name", () => {
  const theirs = Object.entries(MODEL_PROVIDER_CONFIG).map(([name, config]) => [name, config.package]);
  expect(Object.entries(PROVIDERS).map(([name, provider]) => [name, provider.package])).toEqual(theirs);
});

describe("a spec", () => {
  test.each([
    ["builtin", { kind: "builtin" }],
    ["self", { kind: "self" }],
    ["preflexor:/models/a:b", { kind: "checkpoint", model: "/models/a:b" }],
    [
      "preflexor:HuggingFaceTB/SmolLM2-135M-Instruct",
      { kind: "checkpoint", model: "HuggingFaceTB/SmolLM2-135M-Instruct" },
    ],
    ["openai:gpt-4.1-mini", { kind: "provider", provider: "openai", model: "gpt-4.1-mini" }],
    ["ollama:qwen3:0.6b", { kind: "provider", provider: "ollama", model: "qwen3:0.6b" }],
    [
      "openai:org/m@v2@http://127.0.0.1:8080/v1",
      { kind: "provider", provider: "openai", model: "org/m@v2", baseUrl: "http://127.0.0.1:8080/v1" },
    ],
  ])("%s is read, and written again as it was", (text, spec) => {
    expect(parseModelSpec(text)).toEqual(spec);
    expect(specText(parseModelSpec(text))).toBe(text);
  });

  test.each([
    ["extractve", 'found "extractve": did you mean extractive?'],
    ["opnai:gpt-4.1", 'found "opnai:gpt-4.1": did you mean openai?'],
    ["preflexer:/models/m", "did you mean preflexor?"],
    ["zebra:m", "; providers: openai, anthropic,"],
    ["openai", "(a model is missing: openai:<model>)"],
    ["openai: ", '(nothing follows "openai:")'],
    ["anthropic:m@http://127.0.0.1:1/v1", "a base URL goes with openai or ollama, found anthropic"],
    ["toString", 'found "toString"'],
    ["", 'found ""'],
  ])("%j is refused with what was probably meant", (text, message) => {
    expect(() => parseModelSpec(text)).toThrow(message);
  });

  test("that is refused is told every form that there is", () => {
    for (const [form] of MODEL_SPEC_FORMS) expect(() => parseModelSpec("gpt")).toThrow(form);
  });
});

describe("disclosure", () => {
  const of = (text: string, baseUrl?: string) =>
    disclosureOf(parseModelSpec(text), baseUrl === undefined ? {} : { baseUrl });

  test.each([
    ["openai:gpt-4.1-mini", undefined, "api.openai.com"],
    ["openai:m", "https://models.example:8443/v1", "models.example:8443"],
    ["openai:m", "http://127.0.0.1:8080/v1", undefined],
    ["openai:m@http://localhost:1/v1", "https://models.example/v1", undefined],
    ["openai:m@https://models.example/v1", "http://127.0.0.1:1/v1", "models.example"],
    ["ollama:m", "https://models.example/v1", undefined],
    ["ollama:m@http://10.0.0.7:11434", undefined, "10.0.0.7:11434"],
    ["anthropic:m", "http://127.0.0.1:8080/v1", "api.anthropic.com"],
    ["preflexor:owner/name", undefined, undefined],
    ["self", undefined, undefined],
    ["builtin", undefined, undefined],
  ])("%s with the base URL %s goes to %s", (text, baseUrl, to) => {
    expect(of(text, baseUrl)).toMatchObject({ leaves: to !== undefined, to: to ?? "this machine" });
  });

  test("names the client, the role and what it is given in one sentence", () => {
    const { sentence } = disclosureOf({ kind: "client" }, { role: "critic", client: "desk 1.0" });
    expect(sentence).toBe(
      "For the critic client, questions, the thinking and answers of the model that learns, and passages of the corpus go to " +
        "the connected MCP client (desk 1.0) and the model that it uses.",
    );
  });

  test("offline refuses what leaves, and names both the receiver and what works instead", () => {
    expect(() => refuseOffline(of("openai:gpt-4.1-mini"))).toThrow(
      /^offline: .*api\.openai\.com.*PREFLEXOR_OFFLINE.*extractive/,
    );
    expect(() => refuseOffline(of("openai:m", "http://[::1]:8080/v1"))).not.toThrow();
  });

  test.each([
    ["http://127.0.0.1:8080", true],
    ["http://127.9.8.7", true],
    ["http://localhost", true],
    ["http://me.localhost:1", true],
    ["http://[::1]/v1", true],
    ["http://127.0.0.1.example.com", false],
    ["http://localhost.example.com", false],
    ["http://127.0.0.1@example.com", false],
    ["http://10.0.0.1", false],
    ["http://[::2]", false],
  ])("%s names this machine: %s", (url, expected) => {
    expect(isLoopback(url)).toBe(expected);
  });
});
