/** @file server.json, as the MCP registry takes it: the rules of schema 2025-12-11, and nothing that the package does not have. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { COMMANDS } from "../../src/server/commands.js";
import { createProgram } from "../../src/server/program.js";
import { DEFAULT_PORT } from "../../src/server/serve-options.js";
import { SETTINGS_HELP } from "../../src/server/settings-help.js";

const read = (path: string) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
const server = read("server.json");
const manifest = read("package.json");

// Written out from static.modelcontextprotocol.io/schemas/2025-12-11; strict, so that a misspelt field does not pass.
const inputFields = {
  description: z.string().optional(),
  isRequired: z.boolean().optional(),
  isSecret: z.boolean().optional(),
  format: z.enum(["string", "number", "boolean", "filepath"]).optional(),
  value: z.string().optional(),
  default: z.string().optional(),
  placeholder: z.string().optional(),
  choices: z.array(z.string()).optional(),
};
const withVariables = { ...inputFields, variables: z.record(z.string(), z.strictObject(inputFields)).optional() };
const keyValue = z.strictObject({ ...withVariables, name: z.string() });
const argument = z.union([
  z
    .strictObject({
      ...withVariables,
      type: z.literal("positional"),
      valueHint: z.string().optional(),
      isRepeated: z.boolean().optional(),
    })
    .refine(({ value, valueHint }) => value !== undefined || valueHint !== undefined, "value or valueHint"),
  z.strictObject({
    ...withVariables,
    type: z.literal("named"),
    name: z.string(),
    isRepeated: z.boolean().optional(),
  }),
]);
const transport = z.union([
  z.strictObject({ type: z.literal("stdio") }),
  z.strictObject({
    type: z.enum(["streamable-http", "sse"]),
    url: z.string(),
    headers: z.array(keyValue).optional(),
  }),
]);
const schema = z.strictObject({
  $schema: z.literal("https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100).optional(),
  description: z.string().min(1).max(100),
  version: z.string().max(255),
  packages: z.array(
    z.strictObject({
      registryType: z.enum(["npm", "pypi", "oci", "nuget", "mcpb"]),
      identifier: z.string(),
      version: z.string().regex(/^\d+\.\d+\.\d+$/),
      runtimeHint: z.string().optional(),
      runtimeArguments: z.array(argument).optional(),
      packageArguments: z.array(argument).optional(),
      transport,
      environmentVariables: z.array(keyValue).optional(),
    }),
  ),
});

it("keeps the schema's rules", () => {
  expect(schema.safeParse(server).error?.issues ?? []).toEqual([]);
});

it("names the package and its version, and the package names the server", () => {
  expect(server.name).toBe(manifest.mcpName);
  expect(server.version).toBe(manifest.version);
  for (const { identifier, version } of server.packages)
    expect([identifier, version]).toEqual([manifest.name, manifest.version]);
});

type Named = { name: string; isSecret?: boolean };
const [stdio, http] = server.packages as { environmentVariables: Named[] }[];

it("declares the settings that a server reads, the secret ones as secrets", () => {
  const declared = (variables: Named[]) => variables.filter(({ name }) => name.startsWith("PREFLEXOR_"));
  const known = new Map(SETTINGS_HELP.map((setting) => [setting.name, setting]));
  for (const one of [stdio, http]) {
    for (const { name, isSecret = false } of declared(one?.environmentVariables ?? [])) {
      expect(known.has(name), name).toBe(true);
      expect(isSecret, name).toBe(known.get(name)?.secret === true);
    }
  }
  // The key of preflexor api, and over stdio the token, are none of a server's business.
  const names = (of: typeof stdio) => declared(of?.environmentVariables ?? []).map(({ name }) => name);
  const all = [...known.keys()].filter((name) => name !== "PREFLEXOR_API_KEY");
  expect(names(http).sort()).toEqual(all.sort());
  expect(names(stdio).sort()).toEqual(all.filter((name) => name !== "PREFLEXOR_TOKEN").sort());
});

it("starts the HTTP server with words that the command line takes, at its own port", () => {
  const { packageArguments, transport: over } = server.packages[1];
  const [command, ...flags] = packageArguments.map((one: { value?: string; name?: string }) => one.value ?? one.name);
  const program = createProgram(
    async () => 0,
    COMMANDS,
    () => {},
  );
  const serve = program.commands.find((one) => one.name() === command);
  expect(flags.filter((flag: string) => !serve?.options.some(({ long }) => long === flag))).toEqual([]);
  expect(packageArguments.at(-1).default).toBe(String(DEFAULT_PORT));
  expect(over.url).toBe("http://127.0.0.1:{--port}/mcp");
});
