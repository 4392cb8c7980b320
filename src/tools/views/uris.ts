/** @file Addresses of what is shown: the same in resources, in links of tool results and in changes that are told. */

export const RUNS_URI = "preflexor://runs";
export const APP_URI = "ui://preflexor/run.html";

export const RUN_PARTS = ["metrics", "pairs", "graph", "adapter", "reasoning", "report"] as const;
export type RunPart = (typeof RUN_PARTS)[number];

export const runUri = (id: string, part?: RunPart): string =>
  `${RUNS_URI}/${encodeURIComponent(id)}${part === undefined ? "" : `/${part}`}`;

export const passageUri = (id: string): string => `preflexor://passages/${encodeURIComponent(id)}`;
