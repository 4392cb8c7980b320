/** @file An OpenAI-compatible server over what is served: the routes, and who may use them. */
import { Admission } from "./admission.js";
import { chatHandler } from "./chat.js";
import { completionsHandler } from "./completions.js";
import { embeddingsHandler } from "./embeddings.js";
import { createHttpServer, type HttpOptions, type HttpServer } from "./http.js";
import { noSuchModel } from "./parse-request.js";
import { modelNames, modelObjects, type Served } from "./served.js";

export interface ApiServerOptions extends Omit<HttpOptions, "routes"> {
  readonly served: Served;
  /** Sequences that may be under way at once; a request beyond them gets 429. */
  readonly maxQueue: number;
}

export function createApiServer({ served, maxQueue, ...http }: ApiServerOptions): HttpServer {
  const admission = new Admission(maxQueue);
  return createHttpServer({
    ...http,
    routes: [
      { method: "POST", path: "/v1/chat/completions", handle: chatHandler(served, admission) },
      { method: "POST", path: "/v1/completions", handle: completionsHandler(served, admission) },
      { method: "POST", path: "/v1/embeddings", handle: embeddingsHandler(served, admission) },
      { method: "GET", path: "/v1/models", handle: async () => ({ object: "list", data: modelObjects(served) }) },
      { method: "GET", path: "/v1/models/*", handle: async ({ rest }) => modelNamed(served, rest) },
      { method: "GET", path: "/health", open: true, handle: async () => ({ status: "ok" }) },
    ],
  });
}

function modelNamed(served: Served, name: string): object {
  const found = modelObjects(served).find(({ id }) => id === name);
  if (found === undefined) throw noSuchModel(name, modelNames(served));
  return found;
}
