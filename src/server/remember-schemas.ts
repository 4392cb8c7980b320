/** @file JSON schemas of tools, made once for each zod schema: a server is made for each request, and asks for them again. */
import type { McpServer } from "@modelcontextprotocol/server";

type Convert = (options: unknown) => Record<string, unknown>;

/** What zod hangs on a schema for others (Standard JSON Schema). */
interface Standard {
  jsonSchema?: { input: Convert; output: Convert };
}

const done = new WeakSet<object>();

/** Tools that are registered from now on keep their converted schemas; whoever reads one must not change it. */
export function rememberSchemas(server: McpServer): void {
  const register = server.registerTool.bind(server) as (name: string, config: object, ...rest: unknown[]) => unknown;
  server.registerTool = ((
    name: string,
    config: { inputSchema?: unknown; outputSchema?: unknown },
    ...rest: unknown[]
  ) => {
    remember(config.inputSchema);
    remember(config.outputSchema);
    return register(name, config, ...rest);
  }) as typeof server.registerTool;
}

function remember(schema: unknown): void {
  const standard = (schema as { readonly "~standard"?: Standard } | undefined)?.["~standard"];
  if (standard?.jsonSchema === undefined || done.has(standard)) return;
  done.add(standard);
  const { input, output } = standard.jsonSchema;
  standard.jsonSchema = { input: once(input), output: once(output) };
}

/** Once for each draft that is asked for. */
function once(convert: Convert): Convert {
  const made = new Map<string, Record<string, unknown>>();
  return (options) => {
    const key = JSON.stringify(options);
    const schema = made.get(key) ?? portable(convert(options));
    made.set(key, schema);
    return schema;
  };
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

const ANNOTATIONS = ["title", "description", "default", "examples"];

/**
 * An equivalent schema that more clients take: `type: [T, "null"]` as two branches, since some allow one type in a place
 * (annotations stay outside), and free-form values as `true`, since an empty schema looks like a forgotten one.
 */
function portable<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(portable) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(
    ([name, value]) => [name, name === "additionalProperties" && isEmpty(value) ? true : portable(value)] as const,
  );
  const { type } = schema as { readonly type?: unknown };
  if (!Array.isArray(type) || type.length !== 2 || type[1] !== "null" || "enum" in schema || "const" in schema)
    return Object.fromEntries(entries) as T;
  const outside = entries.filter(([name]) => ANNOTATIONS.includes(name));
  const inside = entries.filter(([name]) => !ANNOTATIONS.includes(name));
  return {
    ...Object.fromEntries(outside),
    anyOf: [{ ...Object.fromEntries(inside), type: type[0] }, { type: "null" }],
  } as T;
}
