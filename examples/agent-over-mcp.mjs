// A LangChain agent that loads the MCP server over stdio through @langchain/mcp-adapters, and answers a question with
// retrieve-context and recursive-reason. Run it from a clone after `npm ci && npm run build`:
//   node examples/agent-over-mcp.mjs                                        offline; no model decides: a script makes the calls
//   node examples/agent-over-mcp.mjs openai:gpt-4.1-mini                    any chat model that calls tools, with its key set
//   node examples/agent-over-mcp.mjs openai:qwen3@http://127.0.0.1:8080/v1  any OpenAI-compatible server
//   node examples/agent-over-mcp.mjs builtin "What is the failure class of Flakbesk?"
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { AIMessage, createAgent, fakeModel } from "langchain";
import { openChatModel } from "preflexor";

const [spec = "builtin", question = "What is the mechanism class of Femlane?"] = process.argv.slice(2);

/** Looks the question up, asks the model that learns, and says what came back. It understands nothing. */
const script = () =>
  fakeModel()
    .respondWithTools([{ id: "1", name: "retrieve-context", args: { query: question, k: 2 } }])
    .respondWithTools([{ id: "2", name: "recursive-reason", args: { question, rounds: 2 } }])
    .respond((messages) => {
      const results = messages.filter((message) => message.getType() === "tool").map(({ text }) => JSON.parse(text));
      const [{ passages }, { answer, reason }] = results.map(({ structuredContent }) => structuredContent);
      return new AIMessage(`${answer || "No answer."} (${reason}.) Compare: ${passages[0].text}`);
    });

const home = process.env.PREFLEXOR_HOME ?? (await mkdtemp(join(tmpdir(), "preflexor-example-")));
const client = new MultiServerMCPClient({
  mcpServers: {
    preflexor: {
      transport: "stdio",
      command: process.execPath,
      args: [fileURLToPath(new URL("../dist/server/main.js", import.meta.url))],
      env: { PREFLEXOR_HOME: home },
    },
  },
});
const { model, close } = await openChatModel(spec, {
  role: "agent",
  builtin: async () => script(),
  onNotice: (sentence) => console.log(sentence),
});
try {
  const tools = await client.getTools();
  await tools.find(({ name }) => name === "ingest-corpus").invoke({ path: "materials-world" });
  const agent = createAgent({
    model,
    tools: tools.filter(({ name }) => name === "retrieve-context" || name === "recursive-reason"),
    systemPrompt:
      "Answer the question. Look up what the corpus holds with retrieve-context, and ask the small model with recursive-reason. " +
      "Where they disagree, trust the passages, and say so.",
  });
  console.log(spec === "builtin" ? "planned by: a script, no language model" : `planned by: ${spec}`);
  const { messages } = await agent.invoke({ messages: [{ role: "user", content: question }] });
  for (const message of messages) {
    for (const { name, args } of message.tool_calls ?? []) console.log(`call: ${name} ${JSON.stringify(args)}`);
    if (message.getType() === "tool") console.log(`  ${message.text.slice(0, 160)} …`);
  }
  console.log(`answer: ${messages.at(-1).text}`);
} finally {
  await Promise.allSettled([client.close(), close()]);
  if (process.env.PREFLEXOR_HOME === undefined) await rm(home, { recursive: true, force: true });
}
