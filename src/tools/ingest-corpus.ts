/** @file ingest-corpus: documents into passages, and passages into the store; makes the corpus the active one. */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { type ActiveCorpus, BUILT_IN_WORLD } from "./active-corpus.js";
import { toolArguments, words, yesOrNo } from "./arguments.js";
import { unlessConfirmed } from "./client-elicitation.js";
import { withClient } from "./client-sampling.js";
import { ingestCorpus, removeCorpus } from "./ingest.js";
import { OWN_TEXT, ownTextNeedsAModel } from "./own-text.js";
import { progressOf } from "./progress.js";
import { absolutePath } from "./roots.js";
import { turnOf } from "./tasks/task-call.js";
import type { ToolContext } from "./tool-context.js";
import { guarded, toolResult } from "./tool-result.js";

const input = toolArguments({
  path: words('the absolute path of a folder or file, a glob, or "materials-world"').describe(
    "A folder, a file or a glob such as /home/me/docs/**/*.md (.md, .txt, .html, .pdf, .jsonl), as an absolute path; or " +
      '"materials-world", the built-in corpus',
  ),
  remove: z
    .boolean()
    .default(false)
    .describe(
      "Take out what was ingested from `path`, or the one document that passages name as their source; files stay",
    ),
  confirm: yesOrNo()
    .default(false)
    .describe("Only with `remove`: true where the user was asked and agreed; without it the user is asked first"),
});

export const ingestCorpusOutput = z.object({
  passages: z.number().int().describe("Passages that the active corpus now has"),
  added: z.number().int().describe("How many of them are new"),
  removed: z
    .number()
    .int()
    .describe("Passages that were taken out: of edited or deleted files, or because of `remove`"),
  documents: z.number().int().describe("Documents that were read, or taken out"),
  unchanged: z.number().int().describe("How many of the documents that were read are as they were"),
  store: z.object({ name: z.string(), version: z.string() }).describe("Where the passages are kept"),
  teacher: z.string().describe("Who will write questions and chosen replies"),
  notices: z.array(z.string()).describe("What the user should know"),
});

const config = {
  title: "Ingest a corpus",
  description:
    "Reads documents, cuts them into passages and indexes them for retrieval. Call it first. `path` is a folder, a file or a glob; " +
    'or "materials-world": the built-in corpus of invented materials, whose questions can be checked and whose teacher is a ' +
    "program. Other corpora get an extractive teacher that builds questions and answers from retrieved sentences and needs no " +
    "key. Folders add up to one corpus; the last call decides whether that or the built-in one is active. Call it again " +
    "after files changed: only new and edited ones are indexed, and passages of edited and deleted ones are taken out. " +
    "With `remove` everything from that path is taken out of the index, after the user agreed; files are never touched. " +
    "Then look something up with retrieve-context, or make training pairs with generate-preference-pair.",
  inputSchema: input,
  outputSchema: ingestCorpusOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
};

export function registerIngestCorpus(server: McpServer, context: ToolContext): void {
  server.registerTool("ingest-corpus", config, ({ path, remove, confirm }, request) =>
    withClient({ server, context, request }, (client, signal) => {
      const work = async () => {
        const corpus = await corpusOf(path, remove, context);
        const done = remove
          ? await removeCorpus(context, corpus, path, signal)
          : await ingestCorpus(context, corpus, {
              signal,
              onProgress: progressOf(request),
              problemOf: context.paths.problemOf,
              limits: context.corpusLimits,
            });
        const isEmpty = (await context.activeCorpus()) === undefined;
        const needsModel = !remove && ownTextNeedsAModel(context, corpus);
        return toolResult(ingestCorpusOutput, {
          ...done,
          teacher: isEmpty ? "none" : (await context.teacher(client))._llmType(),
          notices: [...context.notices(), ...(needsModel ? [OWN_TEXT] : [])],
        });
      };
      const next = "Call ingest-corpus with the absolute path of a folder of documents, or with materials-world";
      return guarded(next, signal, async () => {
        const question = `Take everything that was ingested from ${path} out of the index (the files stay)?`;
        const consent = { confirm, question, undone: "nothing was removed", tool: "ingest-corpus", signal };
        const refusal = remove ? await unlessConfirmed(client, consent) : undefined;
        return refusal ?? context.exclusive(signal, work, turnOf(request, "ingest-corpus"));
      });
    }),
  );
}

/** Taking out what was ingested reads nothing, so that may lie anywhere, also where it is gone. */
async function corpusOf(path: string, remove: boolean, { paths }: ToolContext): Promise<ActiveCorpus> {
  if (path === BUILT_IN_WORLD) return { kind: "world", path };
  return { kind: "folder", path: remove ? absolutePath(path) : await paths.read(path) };
}
