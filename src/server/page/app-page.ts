/** @file The page as an MCP App (SEP-1865): the HTML of ui://preflexor/run.html. */
import { bundle } from "./page-files.js";
import { pageHtml } from "./page-html.js";

/** Without a policy of its own: the host shuts it in with one, and may add scripts that ours would forbid. */
export const appPage = async (): Promise<string> => pageHtml(await bundle("app"), { title: "preflexor run" });
