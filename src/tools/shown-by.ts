/** @file Which page a client that renders MCP Apps shows beside a tool's result (SEP-1865). */
import type { ToolContext } from "./tool-context.js";
import { APP_URI } from "./views/index.js";

/** Goes into a tool's configuration; empty where there is no page. */
export const shownBy = ({ appPage }: Pick<ToolContext, "appPage">): { readonly _meta?: Record<string, unknown> } =>
  appPage === undefined ? {} : { _meta: { ui: { resourceUri: APP_URI } } };
