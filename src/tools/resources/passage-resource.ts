/** @file The resource of a passage: its text and where in the corpus it stands. */
import {
  type McpServer,
  type ResourceMetadata,
  ResourceNotFoundError,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import type { PassageStore } from "../../agents/index.js";
import type { ToolContext } from "../tool-context.js";
import { readJson, textOf } from "./read-resource.js";

const METADATA: ResourceMetadata = {
  title: "A passage of the corpus",
  description:
    "Text of one passage of the active corpus, with its document and offsets. Ids stand in the results of retrieve-context, and in the " +
    "provenance of pairs.",
  mimeType: "application/json",
  annotations: { audience: ["user", "assistant"], priority: 0.6 },
};

export function registerPassageResource(server: McpServer, context: ToolContext): void {
  const complete = { passage: (begun: string) => passageIds(context, begun) };
  // There are thousands: they are found by searching, not by listing.
  const template = new ResourceTemplate("preflexor://passages/{passage}", { list: undefined, complete });
  server.registerResource("passage", template, METADATA, (uri, variables) =>
    readJson(uri, async () => {
      const id = textOf(uri, variables, "passage");
      const passage = await passageOf(await openStore(context, uri), id);
      if (passage !== undefined) return passage;
      throw new ResourceNotFoundError(
        uri.href,
        `there is no passage ${JSON.stringify(id.slice(0, 80))} in the active corpus: call retrieve-context, whose results have ids`,
      );
    }),
  );
}

/** Where nothing was ingested, that is what there is to say. */
async function openStore(context: ToolContext, uri: URL): Promise<PassageStore> {
  if ((await context.activeCorpus()) === undefined)
    throw new ResourceNotFoundError(uri.href, "the corpus is empty: call ingest-corpus first");
  return context.store();
}

const passageOf = async (store: PassageStore, id: string) => (await store.list()).find((passage) => passage.id === id);

async function passageIds(context: ToolContext, begun: string): Promise<string[]> {
  if ((await context.activeCorpus()) === undefined) return [];
  const passages = await (await context.store()).list();
  return passages.map(({ id }) => id).filter((id) => id.startsWith(begun));
}
