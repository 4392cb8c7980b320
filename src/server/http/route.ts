/** @file What else the HTTP server may serve beside MCP, such as a page for people. */

/**
 * Answers GET and HEAD requests of its own paths, and is undefined for every other path. It is asked after host,
 * origin and token were checked; the request has no body, and its signal is aborted when the client goes away or the
 * server stops. A body that is a stream is sent no faster than the client reads.
 */
export type Route = (request: Request) => Promise<Response | undefined> | Response | undefined;
