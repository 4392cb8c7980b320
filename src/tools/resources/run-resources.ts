/** @file The resources of runs: the list, each run, and what is in it. */
import {
  type ListResourcesResult,
  type McpServer,
  type ReadResourceResult,
  type ResourceMetadata,
  ResourceTemplate,
  UriTemplate,
} from "@modelcontextprotocol/server";
import { runNames } from "../../agents/index.js";
import type { ToolContext } from "../tool-context.js";
import {
  graphView,
  listRunItems,
  pairsPage,
  RUNS_URI,
  type RunItem,
  type RunPart,
  reasoningViews,
  runDetail,
  runMetrics,
  runPlace,
  runUri,
} from "../views/index.js";
import { adapterView } from "./adapter-view.js";
import { HTML_TYPE, JSON_TYPE, numberOf, readJson, readOne, textOf, type Variables } from "./read-resource.js";
import { QueryTemplate } from "./run-template.js";

/** Runs that are listed by themselves, and those of which the parts are too; templates reach all of them. */
const MOST_LISTED = 100;
const MOST_LISTED_WHOLE = 10;

interface PartResource {
  readonly part: RunPart;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  readonly priority: number;
  readonly template: UriTemplate;
  /** Whether a run of the list has it. */
  readonly has: (run: RunItem) => boolean;
  readonly read: (context: ToolContext, id: string, uri: URL, variables: Variables) => Promise<ReadResourceResult>;
}

const path = (part: RunPart): string => `${RUNS_URI}/{run}/${part}`;
const always = (): boolean => true;

const PARTS: readonly PartResource[] = [
  {
    part: "metrics",
    title: "Curves of a run",
    description:
      "Loss, reward margins and accuracies by optimizer step (at most 2000 points, evenly thinned; `totalSteps` are all), held-out " +
      "loss, and held-out accuracy by round with the half-width of its 95 % interval. Call explain-metrics to have them explained.",
    mimeType: JSON_TYPE,
    priority: 0.8,
    template: new QueryTemplate(path("metrics"), ["points"]),
    has: always,
    read: ({ home }, id, uri, variables) => {
      const points = numberOf(uri, variables, "points");
      return readJson(uri, () => runMetrics(home, id, { ...(points !== undefined && { points }) }));
    },
  },
  {
    part: "pairs",
    title: "Preference pairs of a run",
    description:
      "Pairs in the order in which they were made, a page at a time: prompt, chosen, rejected, and where they came from. `limit` is " +
      "20 unless given, at most 200; `next` of a page is the `after` of the one behind it.",
    mimeType: JSON_TYPE,
    priority: 0.8,
    template: new QueryTemplate(path("pairs"), ["after", "limit"]),
    has: ({ pairs }) => pairs > 0,
    read: ({ home }, id, uri, variables) => {
      const [after, limit] = [numberOf(uri, variables, "after"), numberOf(uri, variables, "limit")];
      const page = { ...(after !== undefined && { after }), ...(limit !== undefined && { limit }) };
      return readJson(uri, () => pairsPage(home, id, page));
    },
  },
  {
    part: "graph",
    title: "Question graph of a run",
    description:
      "What was asked, from which passages and about which concepts, and how it was answered: nodes and edges, those that were " +
      "asked most where there are many.",
    mimeType: JSON_TYPE,
    priority: 0.4,
    template: new QueryTemplate(path("graph"), ["nodes"]),
    has: ({ kind }) => kind !== "tools",
    read: ({ home }, id, uri, variables) => {
      const nodes = numberOf(uri, variables, "nodes");
      return readJson(uri, () => graphView(home, id, { ...(nodes !== undefined && { nodes }) }));
    },
  },
  {
    part: "adapter",
    title: "What a run has trained",
    description:
      "Directory, configuration and files of the adapter or model, with sizes and SHA-256. Not the weights: call export-adapter to " +
      "have them written for another program.",
    mimeType: JSON_TYPE,
    priority: 0.6,
    template: new UriTemplate(path("adapter")),
    has: ({ step = 0 }) => step > 0,
    read: ({ home }, id, uri) => readJson(uri, () => adapterView(home, id)),
  },
  {
    part: "reasoning",
    title: "Recursive reasoning of a run",
    description:
      "Questions that were answered with recursive-reason, the latest first: thinking, answer, score and feedback of each round.",
    mimeType: JSON_TYPE,
    priority: 0.5,
    template: new UriTemplate(path("reasoning")),
    has: always,
    read: ({ home }, id, uri) => readJson(uri, () => reasoningViews(home, id)),
  },
  {
    part: "report",
    title: "Report of a run",
    description:
      "One HTML page for people that needs nothing else: curves, closing table, pairs, reasoning, question graph.",
    mimeType: HTML_TYPE,
    priority: 0.5,
    template: new UriTemplate(path("report")),
    has: always,
    read: ({ home, report }, id, uri) =>
      readOne(uri, HTML_TYPE, async () => {
        await runPlace(home, id);
        if (report === undefined) throw new Error("internal: a report without who renders it");
        return report(id);
      }),
  },
];

export function registerRunResources(server: McpServer, context: ToolContext): void {
  const { home } = context;
  const complete = { run: (begun: string) => runIds(home, begun) };
  server.registerResource("runs", RUNS_URI, RUNS, (uri) => readJson(uri, () => listRunItems(home)));
  const list = async (): Promise<ListResourcesResult> => {
    const { runs } = await listRunItems(home);
    return { resources: runs.slice(0, MOST_LISTED).map((run) => ({ ...RUN, ...listed(run) })) };
  };
  const one = new ResourceTemplate(`${RUNS_URI}/{run}`, { list, complete });
  server.registerResource("run", one, RUN, (uri, variables) =>
    readJson(uri, async () => runDetail(home, textOf(uri, variables, "run"))),
  );
  const offered = PARTS.filter(({ part }) => part !== "report" || context.report !== undefined);
  for (const resource of offered) registerPart(server, context, resource, complete);
}

const RUNS: ResourceMetadata = {
  title: "All runs",
  description:
    "Every self-teaching run, the one that was written last first: status, round, step, pairs, last loss. Folders that cannot be read say why.",
  mimeType: JSON_TYPE,
  annotations: { audience: ["user", "assistant"], priority: 0.9 },
};
const RUN: ResourceMetadata = {
  title: "One run",
  description:
    "How far a run is and how it ended: status, settings, round, step, checkpoints, adapter, failures by reason, and what changed.",
  mimeType: JSON_TYPE,
  annotations: { audience: ["user", "assistant"], priority: 0.9 },
};

function registerPart(
  server: McpServer,
  context: ToolContext,
  { part, title, description, mimeType, priority, template, has, read }: PartResource,
  complete: { readonly run: (begun: string) => Promise<string[]> },
): void {
  const audience: ("user" | "assistant")[] = part === "report" ? ["user"] : ["user", "assistant"];
  const metadata: ResourceMetadata = { title, description, mimeType, annotations: { audience, priority } };
  const list = async (): Promise<ListResourcesResult> => {
    const { runs } = await listRunItems(context.home);
    const shown = runs.slice(0, MOST_LISTED_WHOLE).filter(has);
    return { resources: shown.map((run) => ({ ...metadata, ...listed(run, part, metadata) })) };
  };
  server.registerResource(
    `run-${part}`,
    new ResourceTemplate(template, { list, complete }),
    metadata,
    (uri, variables) => read(context, textOf(uri, variables, "run"), uri, variables),
  );
}

function listed({ id, status, changed }: RunItem, part?: RunPart, { annotations }: ResourceMetadata = RUN) {
  return {
    uri: runUri(id, part),
    name: part === undefined ? id : `${id}/${part}`,
    title: part === undefined ? `Run ${id} (${status})` : `${part} of ${id}`,
    annotations: { ...annotations, lastModified: changed },
  };
}

/** Ids of runs that begin so, the one that was written last first. */
export async function runIds(home: string, begun: string): Promise<string[]> {
  const names = new Set(await runNames(home).catch(() => []));
  if (![...names].some((name) => name.startsWith(begun))) return [];
  const { runs } = await listRunItems(home);
  return runs.map(({ id }) => id).filter((id) => id.startsWith(begun));
}
