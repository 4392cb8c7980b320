/** @file What the page for people asks its server for: `/`, and its data below `/data/`. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ToolContext } from "../../tools/index.js";
import {
  graphView,
  listRunItems,
  NoSuchRunError,
  pairsPage,
  reasoningViews,
  runDetail,
  runMetrics,
  runReport,
} from "../../tools/views/index.js";
import { lazy } from "../lazy.js";
import { changeEvents } from "./change-events.js";
import { bundle } from "./page-files.js";
import { contentPolicy, pageHtml } from "./page-html.js";
import { AskedWrongly, jsonReply, problem, type Reply, reply, wholeNumber } from "./replies.js";
import { reportHtml } from "./report-html.js";

export type PageContext = Pick<ToolContext, "home" | "changes" | "signal">;
export type PageRoutes = (request: Request) => Promise<Response | undefined>;

const HTML = "text/html; charset=utf-8";
const HARDENED = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };

/** Undefined for paths that are none of the page's. Whether a request may be answered at all, its caller has checked. */
export function pageRoutes(context: PageContext): PageRoutes {
  const page = lazy(wholePage);
  return async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/" && !pathname.startsWith("/data/")) return undefined;
    try {
      if (request.method !== "GET" && request.method !== "HEAD")
        throw new AskedWrongly(405, `${request.method} is not answered here: use GET`);
      if (pathname === "/") return reply(request, await page());
      if (pathname === "/data/events") return changeEvents(context.changes, request, context.signal);
      return await dataReply(context.home, request, { parts: partsOf(pathname), query: searchParams });
    } catch (error) {
      return problemOf(error);
    }
  };
}

async function wholePage(): Promise<Reply> {
  const files = await bundle("page");
  const body = pageHtml(files, { title: "preflexor" });
  const policy = `${contentPolicy(files, { connect: true })}; frame-ancestors 'none'`;
  const gzipped = new Uint8Array(await promisify(gzip)(body));
  return { body, gzipped, type: HTML, headers: { ...HARDENED, "content-security-policy": policy } };
}

/** Behind `/data/`, decoded. Throws {@link AskedWrongly} where an escape is damaged. */
function partsOf(pathname: string): string[] {
  try {
    return pathname.split("/").slice(2).map(decodeURIComponent);
  } catch {
    throw new AskedWrongly(400, `the path holds a damaged escape: ${pathname.slice(0, 200)}`);
  }
}

interface Asked {
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

type View = (home: string, run: string, query: URLSearchParams) => Promise<unknown>;

/** The views of one run, by the last part of their path. */
const VIEWS: Readonly<Record<string, View>> = {
  metrics: (home, run, query) =>
    runMetrics(home, run, given("points", wholeNumber(query, "points", { least: 1, most: 4096 }))),
  pairs: (home, run, query) =>
    pairsPage(home, run, {
      ...given("after", wholeNumber(query, "after", { least: 0, most: Number.MAX_SAFE_INTEGER })),
      ...given("limit", wholeNumber(query, "limit", { least: 1, most: 200 })),
    }),
  graph: (home, run, query) =>
    graphView(home, run, given("nodes", wholeNumber(query, "nodes", { least: 1, most: 5000 }))),
  reasoning: (home, run) => reasoningViews(home, run),
};

async function dataReply(home: string, request: Request, { parts, query }: Asked): Promise<Response> {
  const [what, run, view, ...rest] = parts;
  if (what !== "runs" || rest.length > 0) throw noRoute(request);
  if (run === undefined) return jsonReply(request, await listRunItems(home));
  if (view === undefined) return jsonReply(request, await runDetail(home, run));
  if (view === "report") return reportReply(request, await runReport(home, run));
  if (!Object.hasOwn(VIEWS, view)) throw noRoute(request);
  return jsonReply(request, await VIEWS[view]!(home, run, query));
}

async function reportReply(request: Request, report: Parameters<typeof reportHtml>[0]): Promise<Response> {
  const files = await bundle("page");
  const headers = { ...HARDENED, "content-security-policy": contentPolicy(files, { connect: false }) };
  return reply(request, { body: await reportHtml(report), type: HTML, headers });
}

const noRoute = (request: Request): AskedWrongly =>
  new AskedWrongly(
    404,
    `there is no ${new URL(request.url).pathname.slice(0, 200)}: expected /data/runs, /data/runs/{run}, /data/runs/{run}/(metrics|pairs|graph|reasoning|report) or /data/events`,
  );

const given = <K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } =>
  (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: V };

function problemOf(error: unknown): Response {
  if (error instanceof AskedWrongly)
    return problem(error.status, error.message, error.status === 405 ? { allow: "GET, HEAD" } : {});
  const message = error instanceof Error ? error.message : String(error);
  return problem(error instanceof NoSuchRunError ? 404 : 500, message);
}
