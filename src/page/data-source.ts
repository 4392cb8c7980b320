/** @file Where the page's views get their data: one interface over HTTP, a report's own JSON, and an MCP host. */
import type { GraphView, PairsPage, ReasoningView, RunDetail, RunList, RunMetrics } from "../tools/views/types.js";

/** `live`: told at once · `polling`: asked now and then · `reconnecting`: lost, tried again · `still`: nothing changes. */
export type Link = "live" | "polling" | "reconnecting" | "still";

export interface Listener {
  /** The URI of a resource that changed, or {@link EVERYTHING}. */
  changed(uri: string): void;
  link(link: Link): void;
}

/** Stands for every resource: after a gap nobody knows what was missed. */
export const EVERYTHING = "*";

export interface DataSource {
  /** What stands above the run; its id where there is none. */
  readonly title?: string;
  /** The one run that there is; undefined where there is a list. */
  readonly only?: string;
  /** Its pairs are a sample of the run's. */
  readonly sampled?: boolean;
  runs(): Promise<RunList>;
  run(id: string): Promise<RunDetail>;
  /** @param points at most so many steps, evenly thinned */
  metrics(id: string, points: number): Promise<RunMetrics>;
  /** @param after index of the first pair */
  pairs(id: string, after: number, limit: number): Promise<PairsPage>;
  graph(id: string): Promise<GraphView>;
  reasoning(id: string): Promise<readonly ReasoningView[]>;
  /** Where a report of the run can be fetched from; undefined where it cannot. */
  reportUrl?(id: string): string;
  subscribe(listener: Listener): () => void;
}

/** `gone`: there is no such thing (any more) · `token`: the server wants to know who asks · `other`: all else. */
export type Trouble = "gone" | "token" | "other";

export class DataError extends Error {
  override readonly name = "DataError";

  constructor(
    readonly trouble: Trouble,
    message: string,
  ) {
    super(message);
  }
}
