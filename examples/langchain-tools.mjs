// The MCP tools as LangChain tools: read a folder, look something up in it. Run it from a clone after `npm ci && npm run build`:
//   node examples/langchain-tools.mjs "why does nacre resist cracks?"
// Hand `tools` to createAgent({ model, tools }) of "langchain" and a model calls them itself.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { langChainTools } from "preflexor/langchain";

const query = process.argv[2] ?? "why does nacre resist cracks?";
const home = await mkdtemp(join(tmpdir(), "preflexor-example-"));
const { tools, close } = await langChainTools({ env: { PREFLEXOR_HOME: home } });
try {
  const named = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
  console.log("tools:", Object.keys(named).join(", "));
  const path = fileURLToPath(new URL("corpus", import.meta.url));
  console.log(await named["ingest-corpus"].invoke({ path }));
  console.log(await named["retrieve-context"].invoke({ query, k: 2 }));
} finally {
  await close();
  await rm(home, { recursive: true, force: true });
}
