/** @file Data that an HTML file carries in itself: report.html. */
import type { RunReport } from "../tools/views/types.js";
import { DataError, type DataSource } from "./data-source.js";

/** The id of the element that holds the JSON. */
export const DATA_ELEMENT = "report";

/** The report that this document carries, or undefined. */
export function embeddedReport(): RunReport | undefined {
  const text = document.getElementById(DATA_ELEMENT)?.textContent;
  return text === undefined || text === null || text === "" ? undefined : (JSON.parse(text) as RunReport);
}

export function embeddedSource({ title, run, metrics, pairs, graph, reasoning }: RunReport): DataSource {
  const own = async <T>(id: string, value: T): Promise<T> => {
    if (id === run.id) return value;
    throw new DataError("gone", `This report holds ${run.id} alone.`);
  };
  return {
    title,
    only: run.id,
    sampled: true,
    runs: async () => ({ runs: [run], broken: [] }),
    run: (id) => own(id, run),
    metrics: (id) => own(id, metrics),
    pairs: (id, after, limit) => own(id, pageOf(pairs.pairs, after, limit)),
    graph: (id) => own(id, graph),
    reasoning: (id) => own(id, reasoning),
    subscribe: (listener) => {
      listener.link("still");
      return () => undefined;
    },
  };
}

function pageOf<T>(all: readonly T[], after: number, limit: number) {
  const end = after + limit;
  return { pairs: all.slice(after, end), total: all.length, ...(end < all.length && { next: end }) };
}
