/** @file The client's own model as teacher, over stdio, in both protocol eras: the real binary and a client that answers by script. */
import { spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CallToolResult, Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describe, expect, it } from "vitest";
import { NACRE } from "../agents/scripted-student.js";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const question = "Why is nacre tougher than aragonite?";

interface Connected {
  readonly client: Client;
  readonly home: string;
  readonly asked: { readonly systemPrompt?: string | undefined; readonly text: string }[];
  readonly stderr: () => string;
}

type Mode = "legacy" | "auto";
type Answer = (system: string, text: string) => string;

/** The client offers sampling, without tools. */
async function connect(mode: Mode, answer: Answer, env: Record<string, string> = {}): Promise<Connected> {
  const home = await mkdtemp(join(tmpdir(), "preflexor-home-"));
  await writeFile(join(home, "nacre.md"), NACRE);
  const options = { capabilities: { sampling: {} }, versionNegotiation: { mode } };
  const client = new Client({ name: "desk", version: "1.0" }, options);
  const asked: Connected["asked"] = [];
  client.setRequestHandler("sampling/createMessage", async ({ params: { messages, systemPrompt = "" } }) => {
    const text = JSON.stringify(messages);
    asked.push({ systemPrompt, text });
    return { model: "big-model", role: "assistant", content: { type: "text", text: answer(systemPrompt, text) } };
  });
  const settings = { PREFLEXOR_HOME: home, PREFLEXOR_TEACHER: "client", ...env };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [MAIN],
    env: settings,
    stderr: "pipe",
  });
  let stderr = "";
  transport.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  await client.connect(transport);
  const ingested = (await client.callTool({
    name: "ingest-corpus",
    arguments: { path: join(home, "nacre.md") },
  })) as CallToolResult;
  expect(ingested.structuredContent).toMatchObject({ teacher: "mcp-sampling" });
  return { client, home, asked, stderr: () => stderr };
}

const call = (tool: string, args: unknown): string => JSON.stringify({ tool, arguments: args });

const teach: Answer = (system, text) => {
  if (system.startsWith("Job: write-question")) return call("submit-question", { question });
  if (!text.includes("Result of retrieve-context")) return call("retrieve-context", { query: "nacre tablets" });
  return call("submit-answer", { thinking: "Tablets slide.", answer: "Because its tablets slide." });
};

const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");

describe.each(["legacy", "auto"] as const)("a client of the %s era", (mode) => {
  it("teaches a pair through its model, and what goes there is said", async () => {
    const { client, asked, stderr } = await connect(mode, teach);
    try {
      const made = (await client.callTool({
        name: "generate-preference-pair",
        arguments: { topic: "nacre" },
      })) as CallToolResult;
      expect(textOf(made)).toContain("Tablets slide.");
      expect(made.structuredContent).toMatchObject({
        pairs: 1,
        pair: {
          chosen: "<|thinking|>\nTablets slide.\n<|/thinking|>\nBecause its tablets slide.",
          provenance: { teacher: "mcp-sampling:desk 1.0", question },
        },
      });
      expect(asked.map(({ systemPrompt }) => systemPrompt?.split("\n")[0])).toEqual([
        "Job: write-question",
        "Job: write-answer",
        "Job: write-answer",
      ]);
      expect(asked[2]?.text).toContain("slide over each other");
      expect(stderr()).toContain("go to the connected MCP client (desk 1.0)");
    } finally {
      await client.close();
    }
  });
});

it("the client's model is refused offline, by the name of the setting", async () => {
  const env = { PATH: process.env["PATH"], PREFLEXOR_TEACHER: "client", PREFLEXOR_OFFLINE: "1" };
  const { stderr, status } = spawnSync(process.execPath, [MAIN], { env, input: "", encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/PREFLEXOR_TEACHER: For the teacher client, .* PREFLEXOR_OFFLINE forbids it/);
});
