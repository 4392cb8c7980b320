/** @file One file over plain HTTP: goes on where an earlier attempt stopped, and appears only when its hash is right. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HubRequestError } from "./hub-errors.js";
import { ATTEMPTS, type HubFetch, STALL_MS } from "./hub-fetch.js";

export interface BlobSource {
  /** As the repository calls it. */
  readonly name: string;
  readonly url: string;
  /** SHA-256 of large files (LFS), git's SHA-1 of others: the blob's name in the cache. */
  readonly etag: string;
  readonly size: number;
}

export interface BlobHooks {
  readonly fetch: HubFetch;
  readonly pauseMs: number;
  readonly signal?: AbortSignal;
  /** Bytes that have been added since the last call; negative where some were thrown away. */
  readonly onBytes: (count: number) => void;
}

/** Downloads `source` to `target`, through `<target>.incomplete`, which stays where it is interrupted. */
export async function downloadBlob(source: BlobSource, target: string, hooks: BlobHooks): Promise<void> {
  const partPath = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  const part = await Part.open(partPath, source, hooks.onBytes);
  try {
    let wrongHashes = 0;
    while (true) {
      if (part.received < source.size) await receiveAll(source, part, hooks);
      const found = part.digest();
      if (found === source.etag) break;
      await part.restart();
      if (++wrongHashes > 1) throw wrongHash(source, found);
    }
    await part.sync();
  } finally {
    await part.close();
  }
  await rename(partPath, target);
}

/** Requests until all bytes are there; a request that brings nothing new counts as a failure. */
async function receiveAll(source: BlobSource, part: Part, hooks: BlobHooks): Promise<void> {
  for (let failures = 0; part.received < source.size; ) {
    const before = part.received;
    let cause: unknown;
    try {
      await receive(source, part, hooks);
    } catch (error) {
      hooks.signal?.throwIfAborted();
      // Refusals have had their attempts; errors of the disk are not mended by asking again.
      if (error instanceof HubRequestError || (error as NodeJS.ErrnoException).syscall === "write") throw error;
      cause = error;
    }
    failures = part.received > before ? 0 : failures + 1;
    if (failures >= ATTEMPTS) {
      throw new HubRequestError(`the connection breaks while ${source.name} is downloaded`, undefined, undefined, {
        cause,
      });
    }
    if (part.received < source.size)
      await sleep(hooks.pauseMs, undefined, { ...(hooks.signal && { signal: hooks.signal }) });
  }
}

async function receive(source: BlobSource, part: Part, { fetch, signal }: BlobHooks): Promise<void> {
  const stall = new AbortController();
  const response = await fetch(source.url, {
    // Compressed bytes could be neither counted nor continued.
    headers: { "Accept-Encoding": "identity", ...(part.received > 0 && { Range: `bytes=${part.received}-` }) },
    signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
  });
  if (part.received > 0 && !continues(response, part.received)) await part.restart();
  if (response.body === null) return;
  const timer = setTimeout(() => stall.abort(new Error(`no data for ${STALL_MS / 1000} s`)), STALL_MS);
  try {
    for await (const chunk of response.body) {
      timer.refresh();
      // More than there should be: the hash decides.
      const wanted = (chunk as Uint8Array).subarray(0, source.size - part.received);
      await part.write(wanted);
      if (part.received === source.size) break;
    }
  } finally {
    clearTimeout(timer);
    stall.abort();
  }
}

/** Whether the answer to a range begins where it was asked to; servers may send the whole file instead. */
function continues(response: Response, from: number): boolean {
  return response.status === 206 && (response.headers.get("content-range") ?? "").startsWith(`bytes ${from}-`);
}

function wrongHash({ name, etag, url }: BlobSource, found: string): Error {
  return new Error(
    `${name} arrived with the wrong content twice: expected hash ${etag}, found ${found}. A proxy or mirror at ${new URL(url).origin} may change or mix up files: try again later, or set HF_ENDPOINT to another hub`,
  );
}

/** The file that is not complete yet, with the running hash of what it holds. */
class Part {
  received = 0;

  private constructor(
    private readonly handle: FileHandle,
    private readonly source: BlobSource,
    private readonly onBytes: (count: number) => void,
    private hash: Hash,
  ) {}

  static async open(path: string, source: BlobSource, onBytes: (count: number) => void): Promise<Part> {
    // Appending: whatever else writes, nothing is overwritten.
    const handle = await open(path, "a");
    const part = new Part(handle, source, onBytes, newHash(source));
    const { size } = await handle.stat();
    if (size > source.size) await handle.truncate(0);
    else if (size > 0) {
      for await (const chunk of createReadStream(path, { end: size - 1 })) part.count(chunk as Uint8Array);
    }
    return part;
  }

  private count(chunk: Uint8Array): void {
    this.hash.update(chunk);
    this.received += chunk.length;
    this.onBytes(chunk.length);
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.handle.writeFile(chunk);
    this.count(chunk);
  }

  async restart(): Promise<void> {
    await this.handle.truncate(0);
    this.onBytes(-this.received);
    this.received = 0;
    this.hash = newHash(this.source);
  }

  /** Ends the hash; the part is renamed or restarted after it. An etag of an unknown kind is taken at its word. */
  digest(): string {
    const found = this.hash.digest("hex");
    return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(this.source.etag) ? found : this.source.etag;
  }

  /** Bytes on the disk; throws where another writer has been at the file. */
  async sync(): Promise<void> {
    await this.handle.sync();
    const { size } = await this.handle.stat();
    if (size !== this.source.size) {
      await this.handle.truncate(0);
      throw new Error(`another process wrote to the same download of ${this.source.name}; start it again`);
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function newHash({ etag, size }: BlobSource): Hash {
  if (etag.length === 64) return createHash("sha256");
  // git hashes a blob with its length before it.
  return createHash("sha1").update(`blob ${size}\0`);
}
