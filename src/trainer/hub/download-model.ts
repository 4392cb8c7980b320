/** @file A model from the hub, downloaded once into the Hugging Face cache, or what is cached of it. */
import { mkdir, readFile, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type BlobSource, downloadBlob } from "./download-blob.js";
import { withLock } from "./download-lock.js";
import { exists } from "./exists.js";
import { type CachedSnapshot, HubCache } from "./hub-cache.js";
import { diskError, explainStatus, HubRequestError } from "./hub-errors.js";
import { ATTEMPTS, type HubFetch, hubFetch } from "./hub-fetch.js";
import { isCommit, type ModelId } from "./model-id.js";
import {
  MODULES_FILE,
  neededFiles,
  POOLING_FOLDER,
  SMALL_FILES,
  shardsOfIndex,
  WEIGHTS_INDEX,
} from "./needed-files.js";
import { readToken } from "./read-token.js";

export interface HubOptions {
  /** The folder that holds models--owner--name: HF_HUB_CACHE. */
  readonly cacheDir: string;
  /** Default: the Hugging Face Hub. */
  readonly endpoint?: string;
  readonly token?: string;
  /** Where a login has left a token; read when `token` is absent and the hub is asked. */
  readonly tokenFile?: string;
  /** Uses what is cached and asks nobody. */
  readonly localFilesOnly?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Sees the directory when all but the weights is there: a model that cannot be used is refused before gigabytes come. */
  readonly beforeWeights?: (directory: string) => Promise<void>;
  /** The first pause between attempts; default 1000. */
  readonly retryPauseMs?: number;
}

/** Bytes of the whole model, those included that were here before. */
export interface DownloadProgress {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

export interface HubModel {
  /** The snapshot directory. */
  readonly path: string;
  readonly hubId: string;
  /** The commit that the revision stands for. */
  readonly commit: string;
  /** Why the cached files were used without asking, where that was not wanted. */
  readonly notice?: string;
}

/** Downloads what is missing of a model. Throws an error that says what to do. */
export async function downloadModel(id: ModelId, options: HubOptions): Promise<HubModel> {
  const cache = new HubCache(options.cacheDir, id.name);
  const cached = await cache.find(id.revision);
  const usable = cached !== undefined && cached.missing.length === 0 ? cached : undefined;
  const model = ({ directory, commit }: CachedSnapshot): HubModel => ({ path: directory, hubId: id.name, commit });
  if (options.localFilesOnly) {
    if (usable) return model(usable);
    throw new Error(notCached(id, options.cacheDir, cached));
  }
  if (usable && isCommit(id.revision) && (await cache.knowsAll(usable.commit))) return model(usable);
  const hub = await openHub(id, options, usable ? 1 : ATTEMPTS);
  let listing: Listing;
  try {
    listing = await hub.list();
  } catch (error) {
    if (!(error instanceof HubRequestError)) throw error;
    if (usable) return { ...model(usable), notice: `${error.message}: ${id.name} is taken from the cache` };
    throw await hub.explain(error);
  }
  try {
    return await new Download(id, options, cache, hub, listing).run();
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof HubRequestError) throw await hub.explain(error);
    throw diskError(error, options.cacheDir) ?? error;
  }
}

function notCached(id: ModelId, cacheDir: string, cached: CachedSnapshot | undefined): string {
  const state = cached ? `lacks ${cached.missing.join(", ")}` : `has nothing of revision ${id.revision}`;
  return `${id.name} is not in the cache ${cacheDir} (it ${state}), and asking the hub is switched off: download it once with the network on (HF_HUB_OFFLINE and PREFLEXOR_OFFLINE unset), or give the path of a model directory`;
}

interface Listing {
  readonly commit: string;
  readonly files: ReadonlyMap<string, { readonly etag: string; readonly size: number }>;
}

interface Hub {
  readonly endpoint: string;
  readonly fetch: HubFetch;
  list(): Promise<Listing>;
  explain(error: HubRequestError): Promise<Error>;
}

const refsSchema = z.object({
  branches: z.array(z.object({ name: z.string() })).default([]),
  tags: z.array(z.object({ name: z.string() })).default([]),
});

/** The hub's side of one model. `listAttempts` is 1 where the cache could serve instead. */
async function openHub(id: ModelId, options: HubOptions, listAttempts: number): Promise<Hub> {
  const { HUB_URL, listFiles, listModels, modelInfo } = await import("@huggingface/hub");
  const endpoint = (options.endpoint ?? HUB_URL).replace(/\/+$/, "");
  const token = await readToken(options);
  const { signal, retryPauseMs: pauseMs = 1000 } = options;
  const settings = { endpoint, pauseMs, ...(token !== undefined && { token }), ...(signal && { signal }) };
  const fetch = hubFetch(settings);
  const quick = hubFetch({ ...settings, attempts: listAttempts });
  const near = async (error: HubRequestError): Promise<string[]> => {
    const once = hubFetch({ ...settings, attempts: 1 });
    if (error.code === "RevisionNotFound") {
      const response = await once(`${endpoint}/api/models/${id.name}/refs`);
      const { branches, tags } = refsSchema.parse(await response.json());
      return [...branches, ...tags].map(({ name }) => name).slice(0, 8);
    }
    const query = id.name.split("/")[1] as string;
    const names: string[] = [];
    for await (const { name } of listModels({ search: { query }, limit: 3, hubUrl: endpoint, fetch: once }))
      names.push(name);
    return names;
  };
  return {
    endpoint,
    fetch,
    async list() {
      const { sha } = await modelInfo({
        name: id.name,
        revision: id.revision,
        additionalFields: ["sha"],
        hubUrl: endpoint,
        fetch: quick,
      });
      if (!isCommit(sha)) throw new HubRequestError(`${endpoint} gave no commit for ${id.name}; it may not be a hub`);
      const files = new Map<string, { etag: string; size: number }>();
      const addFiles = async (folder?: string): Promise<void> => {
        const where = { repo: id.name, revision: sha, ...(folder !== undefined && { path: folder }) };
        for await (const entry of listFiles({ ...where, hubUrl: endpoint, fetch: quick })) {
          const { type, path, lfs, oid, size } = entry;
          const etag = lfs?.oid ?? oid;
          if (type === "file" && etag !== undefined && /^[\w-]+$/.test(etag)) files.set(path, { etag, size });
        }
      };
      await addFiles();
      if (files.has(MODULES_FILE)) await addFiles(POOLING_FOLDER);
      return { commit: sha, files };
    },
    async explain(error) {
      const { name, revision } = id;
      const found = error.status === 401 || error.status === 404 ? await near(error).catch(() => []) : [];
      return explainStatus(error, { name, revision, endpoint, tokenGiven: token !== undefined, near: found });
    },
  };
}

/** The files of one commit, one after the other. */
class Download {
  private received = 0;
  private total = 0;

  constructor(
    private readonly id: ModelId,
    private readonly options: HubOptions,
    private readonly cache: HubCache,
    private readonly hub: Hub,
    private readonly listing: Listing,
  ) {}

  async run(): Promise<HubModel> {
    const { commit, files } = this.listing;
    const { small, weights, problems } = neededFiles([...files.keys()]);
    if (problems.length > 0) {
      throw new Error(
        `${this.id.name} (revision ${this.id.revision}) cannot be used:\n  - ${problems.join("\n  - ")}\nChoose a repository with config.json, tokenizer.json and weights as .safetensors.`,
      );
    }
    const directory = this.cache.snapshot(commit);
    await this.expect([...small, ...weights]);
    for (const name of small) await this.fetchFile(name);
    const shards = small.includes(WEIGHTS_INDEX) ? await this.shards(join(directory, WEIGHTS_INDEX)) : weights;
    await this.options.beforeWeights?.(directory);
    this.total = this.sizeOf([...small, ...shards]);
    for (const name of shards) await this.fetchFile(name);
    for (const name of SMALL_FILES) if (!files.has(name)) await this.cache.noteAbsence(commit, name);
    // Last: until now the name stood for a commit that is here as a whole.
    await this.cache.setRef(this.id.revision, commit);
    return { path: directory, hubId: this.id.name, commit };
  }

  private sizeOf(names: readonly string[]): number {
    return names.reduce((sum, name) => sum + (this.listing.files.get(name)?.size ?? 0), 0);
  }

  /** Counts what is to come, and refuses where the disk has no room for it. */
  private async expect(names: readonly string[]): Promise<void> {
    this.total = this.sizeOf(names);
    const sizes = await Promise.all(names.map((name) => this.bytesToCome(name)));
    const missing = sizes.reduce((sum, size) => sum + size, 0);
    await mkdir(this.cache.folder, { recursive: true });
    const { bavail, bsize } = await statfs(this.cache.folder);
    if (missing > bavail * bsize) {
      throw new Error(
        `${this.id.name} needs ${megabytes(missing)} more in the model cache ${this.options.cacheDir}, and the disk has ${megabytes(bavail * bsize)} left: free some space, or set HF_HUB_CACHE to a folder on a larger disk`,
      );
    }
  }

  private async bytesToCome(name: string): Promise<number> {
    const { etag, size } = this.listing.files.get(name) as { etag: string; size: number };
    const blob = this.cache.blob(etag);
    if ((await exists(join(this.cache.snapshot(this.listing.commit), name))) || (await exists(blob))) return 0;
    const part = await stat(`${blob}.incomplete`).catch(() => undefined);
    return Math.max(0, size - (part?.size ?? 0));
  }

  private async shards(index: string): Promise<readonly string[]> {
    const shards = shardsOfIndex(await readFile(index, "utf8"), `${WEIGHTS_INDEX} of ${this.id.name}`);
    const missing = shards.filter((name) => !this.listing.files.has(name));
    if (missing.length === 0) return shards;
    throw new Error(`${this.id.name}: ${WEIGHTS_INDEX} names files that the repository lacks: ${missing.join(", ")}`);
  }

  private async fetchFile(name: string): Promise<void> {
    const { commit, files } = this.listing;
    const { etag, size } = files.get(name) as { etag: string; size: number };
    const { signal, retryPauseMs: pauseMs = 1000 } = this.options;
    const url = `${this.hub.endpoint}/${this.id.name}/resolve/${commit}/${name}`;
    const source: BlobSource = { name, url, etag, size };
    const onBytes = (count: number): void => this.progress(name, count);
    const path = join(this.cache.snapshot(commit), name);
    if (await exists(path)) return onBytes(size);
    const blob = this.cache.blob(etag);
    await withLock(this.cache.lock(etag), signal, async () => {
      if (await exists(path)) return onBytes(size);
      if (await exists(blob)) onBytes(size);
      else await downloadBlob(source, blob, { fetch: this.hub.fetch, pauseMs, onBytes, ...(signal && { signal }) });
      await this.cache.link(etag, commit, name);
    });
  }

  private progress(file: string, count: number): void {
    this.received += count;
    this.options.onProgress?.({ file, receivedBytes: this.received, totalBytes: this.total });
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;
