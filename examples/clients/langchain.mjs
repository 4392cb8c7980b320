// LangChain (JavaScript): npm install @langchain/mcp-adapters. The server's tools, for any agent.
import { MultiServerMCPClient } from "@langchain/mcp-adapters";

const client = new MultiServerMCPClient({
  mcpServers: {
    preflexor: { transport: "stdio", command: "npx", args: ["-y", "preflexor"] },
    // Over HTTP: { transport: "http", url: "http://127.0.0.1:8765/mcp" }
  },
});
const tools = await client.getTools();
console.log(tools.map(({ name }) => name));
await client.close();
