/** @file A hub on this machine: the routes of the Hugging Face Hub over node:http, with faults on demand. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HubFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Served by another server, through a redirect, as large files are. */
  readonly lfs: boolean;
}

export interface HubRepo {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

export interface SeenRequest {
  readonly server: "hub" | "storage";
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** What happens to the next requests of a path, in order; "pass" is served as usual. */
export type Fault =
  | "pass"
  | { readonly cutAfter: number }
  | { readonly status: number; readonly headers?: Record<string, string> }
  | { readonly flip: true }
  | { readonly wholeFile: true };

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
export const etagOf = (file: HubFile): string => (file.lfs ? sha256(file.bytes) : gitSha1(file.bytes));

export class HubServer {
  readonly requests: SeenRequest[] = [];
  /** By repository path of the file. */
  readonly faults = new Map<string, Fault[]>();
  /** By "owner/name". */
  readonly repos = new Map<string, HubRepo>();
  /** Repositories that want this token. */
  readonly tokens = new Map<string, string>();
  readonly gated = new Set<string>();
  /** Sizes that the listing gives instead of the true ones. */
  readonly pretendSize = new Map<string, number>();
  /** Answers every API request with this status. */
  apiStatus: number | undefined;
  private readonly hub = createServer((request, response) => this.answer("hub", request, response));
  private readonly storage = createServer((request, response) => this.answer("storage", request, response));

  static async start(): Promise<HubServer> {
    const server = new HubServer();
    await Promise.all([listen(server.hub), listen(server.storage)]);
    return server;
  }

  get endpoint(): string {
    return urlOf(this.hub);
  }

  async close(): Promise<void> {
    await Promise.all(
      [this.hub, this.storage].map((server) => {
        server.closeAllConnections();
        return new Promise((done) => server.close(done));
      }),
    );
  }

  /** Requests for the content of a file. */
  downloads(path?: string): readonly SeenRequest[] {
    return this.requests.filter(({ method, url }) => {
      return method === "GET" && url.includes("/resolve/") && (path === undefined || url.endsWith(`/${path}`));
    });
  }

  private answer(server: "hub" | "storage", request: IncomingMessage, response: ServerResponse): unknown {
    const url = request.url ?? "/";
    this.requests.push({ server, method: request.method ?? "GET", url, headers: request.headers });
    if (server === "storage") return this.storageRoute(url, request, response);
    const [path = "", query = ""] = url.split("?");
    const api = /^\/api\/models(?:\/([^/]+\/[^/]+)(?:\/(.*))?)?$/.exec(path);
    if (api)
      return this.apiRoute(api[1], decodeURIComponent(api[2] ?? ""), new URLSearchParams(query), request, response);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    if (file)
      return this.fileRoute(
        file[1] as string,
        decodeURIComponent(file[2] as string),
        file[3] as string,
        request,
        response,
      );
    return send(response, 404, { error: "no such route" });
  }

  private apiRoute(
    name: string | undefined,
    rest: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): unknown {
    if (this.apiStatus !== undefined) return send(response, this.apiStatus, { error: "out of order" });
    if (name === undefined) {
      const wanted = query.get("search") ?? "";
      const found = [...this.repos.keys()].filter((id) => id.toLowerCase().includes(wanted.slice(0, 4).toLowerCase()));
      return send(
        response,
        200,
        found.map((id) => ({ _id: id, id, lastModified: "2025-01-01T00:00:00.000Z" })),
      );
    }
    const repo = this.readable(name, request, response);
    if (repo === undefined) return;
    const [route, whole = ""] = rest.split(/\/(.*)/s);
    // Trees are asked for by commit, which has no slash in it; behind it comes the folder.
    const [revision, folder = ""] = route === "tree" ? whole.split(/\/(.*)/s) : [whole];
    if (route === "refs") return send(response, 200, { branches: [{ name: "main" }], tags: [{ name: "v1.0" }] });
    if (!this.isRevision(repo, revision)) {
      return send(response, 404, { error: "Invalid rev id" }, { "X-Error-Code": "RevisionNotFound" });
    }
    if (route === "revision") {
      const { commit } = repo;
      const siblings = repo.files.map(({ path }) => ({ rfilename: path }));
      return send(response, 200, {
        _id: name,
        id: name,
        sha: commit,
        siblings,
        lastModified: "2025-01-01T00:00:00.000Z",
      });
    }
    if (route === "tree")
      return send(
        response,
        200,
        repo.files
          .filter(({ path }) => path === (folder === "" ? path.split("/")[0] : `${folder}/${path.split("/").at(-1)}`))
          .map((file) => treeEntry(file, this.pretendSize.get(file.path) ?? file.bytes.length)),
      );
    return send(response, 404, { error: "no such route" });
  }

  private readable(name: string, request: IncomingMessage, response: ServerResponse): HubRepo | undefined {
    const repo = this.repos.get(name);
    const token = this.tokens.get(name);
    const given = request.headers.authorization;
    if (repo === undefined || (token !== undefined && given !== `Bearer ${token}`)) {
      // The hub does not tell strangers what exists.
      send(
        response,
        given === undefined ? 401 : 404,
        { error: "Repository not found" },
        { "X-Error-Code": "RepoNotFound" },
      );
      return undefined;
    }
    if (this.gated.has(name)) {
      send(response, 403, { error: "gated" }, { "X-Error-Code": "GatedRepo" });
      return undefined;
    }
    return repo;
  }

  private isRevision(repo: HubRepo, revision: string | undefined): boolean {
    return revision === "main" || revision === "v1.0" || revision === repo.commit;
  }

  private fileRoute(
    name: string,
    revision: string,
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): unknown {
    const repo = this.readable(name, request, response);
    if (repo === undefined) return;
    const file = repo.files.find((one) => one.path === path);
    if (!this.isRevision(repo, revision) || file === undefined) {
      return send(response, 404, {}, { "X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.commit });
    }
    const common = { "X-Repo-Commit": repo.commit };
    if (!file.lfs) return this.content(file, request, response, { ...common, ETag: `"${etagOf(file)}"` });
    response.writeHead(302, {
      ...common,
      "X-Linked-Etag": `"${etagOf(file)}"`,
      "X-Linked-Size": String(file.bytes.length),
      Location: `${urlOf(this.storage)}/${name}/resolve/${path}`,
    });
    return response.end();
  }

  private storageRoute(url: string, request: IncomingMessage, response: ServerResponse): unknown {
    const [, name = "", path = ""] = /^\/([^/]+\/[^/]+)\/resolve\/(.+)$/.exec(url) ?? [];
    const file = this.repos.get(name)?.files.find((one) => one.path === path);
    if (file === undefined) return send(response, 404, {});
    // Storage has etags of its own.
    return this.content(file, request, response, { ETag: `"storage-${file.bytes.length}"` });
  }

  private content(
    file: HubFile,
    request: IncomingMessage,
    response: ServerResponse,
    headers: Record<string, string>,
  ): unknown {
    const fault = request.method === "GET" ? (this.faults.get(file.path)?.shift() ?? "pass") : "pass";
    if (fault !== "pass" && "status" in fault) return send(response, fault.status, {}, fault.headers);
    const bytes = fault !== "pass" && "flip" in fault ? file.bytes.map((byte) => byte ^ 1) : file.bytes;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const from = range && !(fault !== "pass" && "wholeFile" in fault) ? Number(range[1]) : undefined;
    const until = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    const body = from === undefined ? bytes : bytes.subarray(from, until);
    response.writeHead(from === undefined ? 200 : 206, {
      ...headers,
      "Accept-Ranges": "bytes",
      "Content-Length": String(body.length),
      ...(from !== undefined && { "Content-Range": `bytes ${from}-${until - 1}/${bytes.length}` }),
    });
    if (request.method === "HEAD") return response.end();
    if (fault !== "pass" && "cutAfter" in fault) {
      return response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 50));
    }
    return response.end(body);
  }
}

function treeEntry({ path, bytes, lfs }: HubFile, size: number) {
  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\nsize ${size}\n`,
  );
  if (!lfs) return { type: "file", oid: gitSha1(bytes), size, path };
  return {
    type: "file",
    oid: gitSha1(pointer),
    size,
    path,
    lfs: { oid: sha256(bytes), size, pointerSize: pointer.length },
  };
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

const listen = (server: Server): Promise<void> => new Promise((done) => server.listen(0, "127.0.0.1", done));
const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
