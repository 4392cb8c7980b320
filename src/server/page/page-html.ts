/** @file One HTML file that holds all it needs: script, style and, where it is a report, its data. */
import type { Bundle } from "./page-files.js";

export function escapeHtml(text: string): string {
  const names: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => names[c]!);
}

/** JSON that cannot end a script element or open a comment in it. */
export function scriptJson(value: unknown): string {
  const codes: Record<string, string> = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
  };
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (c) => codes[c]!);
}

/**
 * Only the page's own script and style may work, whatever text came in with a corpus; nothing is fetched.
 *
 * @param connect may ask its own server, and send the form of a token to it
 */
export function contentPolicy({ scriptHash, styleHash }: Bundle, { connect }: { readonly connect: boolean }): string {
  const own = connect ? "'self'" : "'none'";
  return [
    "default-src 'none'",
    `script-src ${scriptHash}`,
    `style-src ${styleHash}`,
    "img-src data:",
    `connect-src ${own}`,
    `form-action ${own}`,
    "base-uri 'none'",
  ].join("; ");
}

export interface HtmlOptions {
  readonly title: string;
  /** Left out where a host brings its own. */
  readonly policy?: string;
  /** Data that the page reads instead of asking for it. */
  readonly data?: unknown;
}

/** The mark of the page's head; without an icon a browser asks the server for one. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%236f4bb5' stroke-width='2.4' stroke-linecap='round'%3E%3Cpath d='M12 3a9 9 0 1 0 9 9'/%3E%3Cpath d='M12 7.5a4.5 4.5 0 1 0 4.5 4.5'/%3E%3C/svg%3E";

/** cytoscape adds a style element, which the policy forbids, unless there is one of this name; css/graph.css holds its rule. */
const STYLE_ID = "__________cytoscape_stylesheet";

export function pageHtml({ script, style }: Bundle, { title, policy, data }: HtmlOptions): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
${policy === undefined ? "" : `<meta http-equiv="Content-Security-Policy" content="${policy}">`}<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title><link rel="icon" href="${ICON}"><style id="${STYLE_ID}">${style}</style></head>
<body><div id="page"><noscript><p>This page draws its curves with JavaScript, which is off here. The run's numbers are in its metrics.jsonl.</p></noscript></div>
${data === undefined ? "" : `<script type="application/json" id="report">${scriptJson(data)}</script>`}
<script>${script}</script></body></html>
`;
}
