/** @file Which model a context takes as teacher and critic, when it is opened, and how it is closed. */
import { expect, test } from "vitest";
import { createMaterialsWorld } from "../../src/agents/environments/index.js";
import { chatModelName } from "../../src/agents/structured-agent.js";
import { checkTeaching, type TeachingConfig, teachingModels } from "../../src/server/teaching-models.js";
import { scriptedStudent } from "../agents/scripted-student.js";

const WORLD = { kind: "world", path: "materials-world" } as const;
const TEXTS = { kind: "folder", path: "/articles" } as const;

function modelsOf(settings: Partial<TeachingConfig> = {}) {
  const notices: string[] = [];
  const config: TeachingConfig = { offline: false, hub: { cacheDir: "/no/cache", localFilesOnly: true }, ...settings };
  const models = teachingModels(config, {
    world: async () => createMaterialsWorld({ seed: 3, materials: 24 }),
    student: async () => scriptedStudent(() => ""),
    signal: new AbortController().signal,
    onNotice: (sentence) => notices.push(sentence),
  });
  return { models, notices };
}

const client = { name: "desk 1.0", takesTools: false, sample: async () => ({ model: "m", content: [] }) };

test.each([
  [{}, "world-teacher", "world-critic", "extractive-teacher", "lexical-critic"],
  [
    { teacher: "self" },
    "self-play(world questions)",
    "world-critic",
    "self-play(extractive questions)",
    "lexical-critic",
  ],
  [{ critic: "self" }, "world-teacher", "self-critic", "extractive-teacher", "self-critic"],
  [{ critic: "extractive" }, "world-teacher", "lexical-critic", "extractive-teacher", "lexical-critic"],
  [{ teacher: "client" }, ...Array.from({ length: 4 }, () => "mcp-sampling:desk 1.0")],
  [
    { teacher: "client", critic: "builtin" },
    "mcp-sampling:desk 1.0",
    "world-critic",
    "mcp-sampling:desk 1.0",
    "lexical-critic",
  ],
])("%j: teacher and critic of the world, and of other texts", async (settings, ...names) => {
  const { models } = modelsOf(settings);
  const opened = [
    await models.open("teacher", WORLD, client),
    await models.open("critic", WORLD, client),
    await models.open("teacher", TEXTS, client),
    await models.open("critic", TEXTS, client),
  ];
  expect(opened.map(chatModelName)).toEqual(names);
});

test("a model is opened once for a role and a corpus, and again for the client of each call", async () => {
  const { models } = modelsOf();
  expect(await models.open("teacher", TEXTS)).toBe(await models.open("teacher", TEXTS));
  expect(await models.open("teacher", TEXTS)).not.toBe(await models.open("teacher", WORLD));
  const sampled = modelsOf({ teacher: "client" });
  const other = { ...client, name: "other 2.0" };
  expect(chatModelName(await sampled.models.open("teacher", TEXTS, client))).toContain("desk");
  expect(chatModelName(await sampled.models.open("teacher", TEXTS, other))).toContain("other");
  expect(sampled.notices).toHaveLength(2);
});

test("what cannot be opened is blamed on the setting that asked for it", async () => {
  const { models } = modelsOf({ teacher: "perplexity:sonar" });
  for (const role of ["teacher", "critic"] as const) {
    await expect(models.open(role, TEXTS)).rejects.toThrow(/^PREFLEXOR_TEACHER: .*npm install @langchain\/perplexity/);
  }
  const critic = modelsOf({ critic: "client" });
  await expect(critic.models.open("critic", TEXTS)).rejects.toThrow(
    /^PREFLEXOR_CRITIC: client: there is no MCP client here/,
  );
});

test("before a demo, a provider that is missing and a client that cannot be there are refused, and no engine is started", async () => {
  const hub = { cacheDir: "/no/cache" };
  const check = (settings: Partial<TeachingConfig>) => checkTeaching({ offline: false, hub, ...settings });
  await expect(check({ teacher: "client" })).rejects.toThrow("PREFLEXOR_TEACHER: client: there is no MCP client here");
  await expect(check({ critic: "perplexity:sonar" })).rejects.toThrow(
    "PREFLEXOR_CRITIC: perplexity:sonar cannot be opened",
  );
  await expect(check({ teacher: "self", critic: "preflexor:/no/such/model" })).resolves.toBeUndefined();
});
