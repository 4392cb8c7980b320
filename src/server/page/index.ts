/** @file The door of the page for people: its routes, its report, and the page that MCP Apps show. */
export { appPage } from "./app-page.js";
export { type PageContext, type PageRoutes, pageRoutes } from "./page-routes.js";
export { reportHtml } from "./report-html.js";
