/** @file The LangChain door: the MCP tools as LangChain tools, through the protocol, and the retriever. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ToolMessage } from "@langchain/core/messages";
import { afterEach, expect, it } from "vitest";
import { createServer } from "../../src/server/create-server.js";
import { type LangChainTools, langChainTools, PassageRetriever } from "../../src/tools/langchain.js";
import { NACRE, smallStore } from "../agents/scripted-student.js";
import { smallContext } from "./small-context.js";
import { TOOL_NAMES } from "./tool-names.js";

let opened: LangChainTools | undefined;
afterEach(() => opened?.close());

it("are the same tools, with the same names and schemas, and answer with text and data", async () => {
  const context = await smallContext();
  await writeFile(join(context.home, "nacre.md"), NACRE);
  const progress: number[] = [];
  opened = await langChainTools({ server: createServer(context), onProgress: (_name, done) => progress.push(done) });
  const named = new Map(opened.tools.map((tool) => [tool.name, tool]));
  expect([...named.keys()]).toEqual(TOOL_NAMES);
  await named.get("ingest-corpus")?.invoke({ path: join(context.home, "nacre.md") });
  expect(progress.length).toBeGreaterThan(0);
  const call = { type: "tool_call", id: "1", name: "retrieve-context", args: { query: "aragonite", k: 1 } } as const;
  const message = (await named.get("retrieve-context")?.invoke(call)) as ToolMessage;
  expect(message.artifact).toMatchObject({ passages: [{ source: "nacre.md" }] });
  expect(JSON.parse(String(message.content))).toEqual(message.artifact);
});

it("throw what the tool says when it fails", async () => {
  opened = await langChainTools({ server: createServer(await smallContext()) });
  const train = opened.tools.find(({ name }) => name === "train-iteration");
  await expect(train?.invoke({})).rejects.toThrow("no pairs yet: call generate-preference-pair first");
});

it("retrieves in a chain, as any retriever of LangChain does", async () => {
  const retriever = new PassageRetriever({ store: await smallStore(), k: 1 });
  const sources = retriever.pipe((documents) => documents.map(({ metadata }) => metadata.source));
  expect(await sources.invoke("How much aragonite does nacre contain?")).toEqual(["nacre.md"]);
});
