/** @file A hub that is written to, on this machine: the routes that uploads use over node:http, with faults on demand. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gitSha1, sha256 } from "./hub-server.js";

export type UploadRoute = "head" | "create" | "paths-info" | "preupload" | "batch" | "storage" | "commit";

/** What happens to the next requests of a route, in order. */
export type UploadFault =
  | "pass"
  /** Answered so, and nothing is done. */
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  /** The connection breaks in the middle of the request's body. */
  | "cut"
  /** Done, and the connection breaks before the answer. */
  | "lose-answer";

export interface UploadRequest {
  readonly route: UploadRoute | "unknown";
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

export interface ServedCommit {
  readonly oid: string;
  readonly summary: string;
  readonly parent: string | undefined;
  /** Paths that this commit wrote. */
  readonly wrote: readonly string[];
  /** Everything that is there after it; large files by their bytes, too. */
  readonly files: ReadonlyMap<string, { readonly bytes: Buffer; readonly lfs: boolean }>;
}

export interface ServedRepo {
  readonly visibility: string;
  readonly commits: ServedCommit[];
}

type Json = Record<string, unknown>;

export class HubUploadServer {
  readonly requests: UploadRequest[] = [];
  readonly faults = new Map<UploadRoute, UploadFault[]>();
  readonly repos = new Map<string, ServedRepo>();
  /** Large files by SHA-256, as storage received them. */
  readonly objects = new Map<string, Buffer>();
  /** The only token that may read and write. */
  token = "hf_right";
  /** Large files are uploaded in parts of this size; 0: whole. */
  partBytes = 0;
  /** Runs before a commit is looked at. */
  beforeCommit: (() => void) | undefined;
  private readonly parts = new Map<string, Buffer>();
  private readonly hub = createServer((request, response) => this.serve("hub", request, response));
  private readonly storage = createServer((request, response) => this.serve("storage", request, response));

  static async start(): Promise<HubUploadServer> {
    const server = new HubUploadServer();
    await Promise.all([listen(server.hub), listen(server.storage)]);
    return server;
  }

  get endpoint(): string {
    return urlOf(this.hub);
  }

  get storageOrigin(): string {
    return urlOf(this.storage);
  }

  async close(): Promise<void> {
    for (const server of [this.hub, this.storage]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** A repository with one commit of these texts. */
  add(name: string, files: Readonly<Record<string, string>> = {}): ServedRepo {
    const entries = Object.entries(files).map(
      ([path, text]) => [path, { bytes: Buffer.from(text), lfs: false }] as const,
    );
    const first = { oid: oidOf(name), summary: "initial commit", parent: undefined, wrote: Object.keys(files) };
    const repo = { visibility: "private", commits: [{ ...first, files: new Map(entries) }] };
    this.repos.set(name, repo);
    return repo;
  }

  of(route: UploadRoute): readonly UploadRequest[] {
    return this.requests.filter((request) => request.route === route);
  }

  private async serve(server: "hub" | "storage", request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "/";
    const route = server === "storage" ? "storage" : routeOf(url);
    const fault = (route === "unknown" ? undefined : this.faults.get(route)?.shift()) ?? "pass";
    if (fault === "cut") {
      request.once("data", () => request.socket.destroy());
      request.once("end", () => request.socket.destroy());
      return;
    }
    const body = await bodyOf(request);
    if (body === undefined) return;
    const { authorization } = request.headers;
    this.requests.push({ route, method: request.method ?? "GET", url, authorization, body });
    if (typeof fault === "object") return send(response, fault.status, fault.body ?? {}, fault.headers);
    const answer: Answer = (...content) =>
      fault === "lose-answer" ? request.socket.destroy() : send(response, ...content);
    if (route === "storage") this.store(url, request.method ?? "", body, answer);
    else if (authorization !== `Bearer ${this.token}`) answer(401, { error: "Invalid username or password." });
    else this.route(route, url, body, answer);
  }

  private route(route: UploadRoute | "unknown", url: string, body: Buffer, answer: Answer): unknown {
    if (route === "create") return this.create(JSON.parse(body.toString()), answer);
    const name = /^\/(?:api\/models\/)?([^/]+\/[^/]+?)(?:\.git)?\//.exec(url)?.[1] ?? "";
    const repo = this.repos.get(name);
    if (repo === undefined) return answer(404, { error: "Repository not found" }, { "X-Error-Code": "RepoNotFound" });
    if (route === "commit") this.beforeCommit?.();
    const head = repo.commits.at(-1) as ServedCommit;
    if (route === "head")
      return answer(200, { _id: name, id: name, sha: head.oid, lastModified: "2025-01-01T00:00:00Z" });
    if (route === "paths-info") return answer(200, pathsInfo(JSON.parse(body.toString()), head));
    if (route === "preupload") return answer(200, { files: JSON.parse(body.toString()).files.map(uploadMode) });
    if (route === "batch") return this.batch(JSON.parse(body.toString()), answer);
    if (route === "commit") return this.commit(repo, head, body, answer);
    return answer(404, { error: "no such route" });
  }

  private create({ organization, name, visibility, type }: Json, answer: Answer): unknown {
    const full = `${organization}/${name}`;
    if (type !== "model") return answer(400, { error: `no models here: ${type}` });
    if (this.repos.has(full)) return answer(409, { error: "You already created this model repo" });
    this.repos.set(full, { visibility: String(visibility), commits: [] });
    const files = new Map([[".gitattributes", { bytes: Buffer.from("*.safetensors filter=lfs\n"), lfs: false }]]);
    this.repos
      .get(full)
      ?.commits.push({ oid: oidOf(full), summary: "initial commit", parent: undefined, wrote: [], files });
    return answer(200, { url: `${this.endpoint}/${full}`, id: full });
  }

  private batch({ objects, operation, hash_algo }: Json, answer: Answer): unknown {
    if (operation !== "upload" || hash_algo !== "sha_256") return answer(422, { error: "only uploads by sha_256" });
    const links = (objects as { oid: string; size: number }[]).map(({ oid, size }) => {
      if (this.objects.has(oid)) return { oid, size };
      if (this.partBytes === 0)
        return { oid, size, actions: { upload: { href: `${this.storageOrigin}/${oid}?signature=s3cr3t` } } };
      const count = Math.ceil(size / this.partBytes);
      const parts = Array.from({ length: count }, (_, i) => [
        String(i + 1).padStart(5, "0"),
        `${this.storageOrigin}/${oid}/${i + 1}?signature=s3cr3t`,
      ]);
      const header = { chunk_size: String(this.partBytes), ...Object.fromEntries(parts) };
      return { oid, size, actions: { upload: { href: `${this.storageOrigin}/${oid}/complete`, header } } };
    });
    return answer(200, { transfer: this.partBytes === 0 ? "basic" : "multipart", objects: links });
  }

  private store(url: string, method: string, body: Buffer, answer: Answer): unknown {
    const [, oid = "", part] = /^\/([0-9a-f]{64})(?:\/(\w+))?/.exec(url) ?? [];
    if (method === "PUT" && part !== undefined) {
      this.parts.set(`${oid}/${part}`, body);
      return answer(200, {}, { ETag: `"${sha256(body).slice(0, 8)}"` });
    }
    const bytes = part === "complete" ? this.joined(oid, JSON.parse(body.toString())) : body;
    if (sha256(bytes) !== oid) return answer(400, { error: `expected content of SHA-256 ${oid}` });
    this.objects.set(oid, bytes);
    return answer(200, {});
  }

  private joined(oid: string, { parts }: { parts: { partNumber: number; etag: string }[] }): Buffer {
    const pieces = parts.map(({ partNumber, etag }) => {
      const piece = this.parts.get(`${oid}/${partNumber}`) ?? Buffer.alloc(0);
      return etag === `"${sha256(piece).slice(0, 8)}"` ? piece : Buffer.alloc(0);
    });
    return Buffer.concat(pieces);
  }

  private commit(repo: ServedRepo, head: ServedCommit, body: Buffer, answer: Answer): unknown {
    const lines = body
      .toString()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: string; value: Json });
    const { summary, parentCommit } = lines.find(({ key }) => key === "header")?.value ?? {};
    if (parentCommit !== undefined && parentCommit !== head.oid) {
      return answer(412, { error: "A commit has happened since. Please refresh and try again." });
    }
    const files = new Map(head.files);
    const wrote: string[] = [];
    for (const { key, value } of lines.filter((line) => line.key !== "header")) {
      const path = String(value["path"]);
      const object = key === "lfsFile" ? this.objects.get(String(value["oid"])) : undefined;
      if (key === "lfsFile" && object?.length !== value["size"])
        return answer(400, { error: `${path} is not in storage` });
      files.set(path, { bytes: object ?? Buffer.from(String(value["content"]), "base64"), lfs: object !== undefined });
      wrote.push(path);
    }
    const oid = oidOf(`${head.oid}${body}`);
    repo.commits.push({ oid, summary: String(summary), parent: head.oid, wrote, files });
    return answer(200, { commitOid: oid, commitUrl: `${this.endpoint}/commit/${oid}`, success: true, hookOutput: "" });
  }
}

type Answer = (status: number, content: unknown, headers?: Record<string, string>) => unknown;

const oidOf = (text: string): string => createHash("sha1").update(text).digest("hex");

function routeOf(url: string): UploadRoute | "unknown" {
  if (url === "/api/repos/create") return "create";
  if (/\.git\/info\/lfs\/objects\/batch$/.test(url)) return "batch";
  const route = /^\/api\/models\/[^/]+\/[^/]+\/([a-z-]+)\//.exec(url)?.[1];
  if (route === "revision") return "head";
  return route === "paths-info" || route === "preupload" || route === "commit" ? route : "unknown";
}

/** By name and content, as the hub's default rules and its look at the sample have it. */
function uploadMode({ path, sample }: { path: string; sample: string }) {
  const large = path.endsWith(".safetensors") || Buffer.from(sample, "base64").includes(0);
  return { path, uploadMode: large ? "lfs" : "regular" };
}

function pathsInfo({ paths }: { paths: string[] }, { files }: ServedCommit): unknown[] {
  return paths.flatMap((path) => {
    const file = files.get(path);
    if (file === undefined) return [];
    const { bytes, lfs } = file;
    const size = bytes.length;
    if (!lfs) return [{ type: "file", path, size, oid: gitSha1(bytes) }];
    return [
      { type: "file", path, size, oid: oidOf(`pointer ${path}`), lfs: { oid: sha256(bytes), size, pointerSize: 130 } },
    ];
  });
}

/** Undefined where the sender has gone. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

const listen = (server: Server): Promise<void> => new Promise((done) => server.listen(0, "127.0.0.1", done));
const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
