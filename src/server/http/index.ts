/** @file The door of the HTTP server: MCP over Streamable HTTP, and the routes that others add to it. */
export type { Access } from "./access.js";
export { HTTP_LIMITS, type HttpLimits } from "./limits.js";
export type { OAuthOptions } from "./oauth.js";
export type { Route } from "./route.js";
export {
  type HttpServerOptions,
  MCP_PATH,
  type RunningHttpServer,
  type StopOptions,
  startHttpServer,
} from "./start.js";
