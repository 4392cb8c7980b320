/** @file The report of a run as one HTML file that needs nothing else: the page, with its data in it. */
import type { RunReport } from "../../tools/views/types.js";
import { bundle } from "./page-files.js";
import { contentPolicy, pageHtml } from "./page-html.js";

export async function reportHtml(report: RunReport): Promise<string> {
  const files = await bundle("page");
  return pageHtml(files, { title: report.title, policy: contentPolicy(files, { connect: false }), data: report });
}
