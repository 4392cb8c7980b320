/** @file The page's routes behind a plain HTTP server, as a browser sees them. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { type PageContext, pageRoutes } from "../../../../src/server/page/page-routes.js";
import { watchedChanges } from "../../../../src/tools/views/index.js";

export interface PageServer {
  readonly url: string;
  readonly context: PageContext;
  /** Answers with so much instead, until it is undefined again. */
  outage: number | undefined;
  /** Ends open streams, as a server does that is started anew. */
  dropConnections(): void;
  close(): Promise<void>;
}

export async function servePage(home: string): Promise<PageServer> {
  const stopped = new AbortController();
  const context: PageContext = {
    home,
    changes: watchedChanges(home, stopped.signal, { quietMs: 60, pollMs: 300 }),
    signal: stopped.signal,
  };
  const routes = pageRoutes(context);
  const server = createServer((request, response) => {
    if (running.outage !== undefined) {
      response.writeHead(running.outage, { "content-type": "application/json" }).end('{"error":"it is being started"}');
      return;
    }
    void answer(routes, request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const running: PageServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    context,
    outage: undefined,
    dropConnections: () => server.closeAllConnections(),
    close: async () => {
      stopped.abort();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return running;
}

async function answer(
  routes: ReturnType<typeof pageRoutes>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.on("close", () => gone.abort());
  const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
    typeof value === "string" ? [[name, value]] : [],
  );
  const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
    method: incoming.method!,
    headers: headers as [string, string][],
    signal: gone.signal,
  });
  const response = (await routes(request)) ?? new Response("not here", { status: 404 });
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) outgoing.end();
  else
    Readable.fromWeb(response.body as ReadableStream)
      .on("error", () => outgoing.destroy())
      .pipe(outgoing);
}
