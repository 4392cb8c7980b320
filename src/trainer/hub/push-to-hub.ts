/** @file Files into a model repository on the hub: one commit, of what has changed. */
import { setTimeout as sleep } from "node:timers/promises";
import { type HashedFile, type HubFile, hashFile } from "./hashed-file.js";
import { HubRequestError } from "./hub-errors.js";
import { ATTEMPTS, pauseBefore } from "./hub-fetch.js";
import { explainPush, pushProblems, refuseToken, repoProblems } from "./push-errors.js";
import { readToken, type TokenSource } from "./read-token.js";
import { openUploadRepo, type UploadProgress, type UploadRepo } from "./upload-repo.js";

export interface HubTarget extends TokenSource {
  /** "owner/name" of a model repository. */
  readonly repo: string;
  /** Default: the Hugging Face Hub. */
  readonly endpoint?: string;
  /** The user works offline (HF_HUB_OFFLINE): refused with that reason. */
  readonly localFilesOnly?: boolean;
  /** Of a repository that is created; one that is there stays as it is. Default true. */
  readonly private?: boolean;
  readonly signal?: AbortSignal;
  /** The first pause between attempts; default 1000. */
  readonly retryPauseMs?: number;
}

export interface PushOptions extends HubTarget {
  readonly files: readonly HubFile[];
  /** Title of the commit. */
  readonly message: string;
  readonly onProgress?: (progress: UploadProgress) => void;
}

export interface UploadedFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Pushed {
  readonly repo: string;
  /** Of the repository, for a browser. */
  readonly url: string;
  /** The commit that holds all the files: a new one, or the newest where nothing had changed. */
  readonly commit: string;
  readonly uploaded: readonly UploadedFile[];
  readonly unchanged: readonly string[];
}

/** Makes sure that `repo` is there and its token accepted, so that a long run is refused before it starts. Says whether it was created. */
export async function ensureHubRepo(target: HubTarget): Promise<{ readonly url: string; readonly created: boolean }> {
  return withRepo(target, repoProblems(target.repo), async (repo, { url }) => ({
    url,
    created: await repo.ensure(target.private ?? true),
  }));
}

/**
 * Uploads what has changed in one commit, and creates the repository where it is missing. Asks again where there is no
 * answer or one that says "not now". Throws an error that says what to do; whether some of it has arrived does not matter
 * to the next call. No error holds the token.
 */
export async function pushToHub(options: PushOptions): Promise<Pushed> {
  const { files, message, repo: name } = options;
  return withRepo(options, pushProblems(name, message, files), async (repo, { url, token }) => {
    const hashed: HashedFile[] = [];
    for (const file of files) hashed.push(await hashFile(file));
    await refuseToken(token, hashed);
    await repo.ensure(options.private ?? true);
    const { commit, uploaded } = await commitChanges(repo, hashed, options);
    const changed = new Set(uploaded.map(({ path }) => path));
    return {
      repo: name,
      url,
      commit,
      uploaded: uploaded.map(({ path, bytes }) => ({ path, bytes })),
      unchanged: files.map(({ path }) => path).filter((path) => !changed.has(path)),
    };
  });
}

interface RepoContext {
  readonly url: string;
  readonly token: string;
}

/** Refuses all problems at once, and explains what the hub says. */
async function withRepo<T>(
  target: HubTarget,
  problems: readonly string[],
  work: (repo: UploadRepo, context: RepoContext) => Promise<T>,
): Promise<T> {
  const { repo: name, signal, retryPauseMs: pauseMs = 1000 } = target;
  const token = await readToken(target);
  const reasons = [
    ...problems,
    ...(target.localFilesOnly === true ? ["HF_HUB_OFFLINE forbids it: unset it"] : []),
    ...(token === undefined ? ["there is no access token: set HF_TOKEN to one with write access"] : []),
  ];
  if (token === undefined || reasons.length > 0) throw new Error(`cannot push to the hub: ${reasons.join("; ")}`);
  const endpoint = (target.endpoint ?? (await import("@huggingface/hub")).HUB_URL).replace(/\/+$/, "");
  const settings = { endpoint, token, pauseMs, ...(signal && { signal }) };
  try {
    return await work(await openUploadRepo(name, settings), { url: `${endpoint}/${name}`, token });
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof HubRequestError ? explainPush(error, name, endpoint) : error;
  }
}

interface Committed {
  readonly commit: string;
  readonly uploaded: readonly HashedFile[];
}

/** Looks at what is there before each attempt: a commit whose answer got lost is found, not made twice. */
async function commitChanges(repo: UploadRepo, files: readonly HashedFile[], options: PushOptions): Promise<Committed> {
  const { message, onProgress, signal, retryPauseMs = 1000 } = options;
  const paths = files.map(({ path }) => path);
  let uploaded: readonly HashedFile[] = [];
  for (let attempt = 1; ; attempt++) {
    const parent = await repo.head();
    const known = await repo.hashes(parent, paths);
    const changed = files.filter(({ path, sha256, gitSha1 }) => ![sha256, gitSha1].includes(known.get(path) ?? ""));
    if (changed.length === 0) return { commit: parent, uploaded };
    uploaded = changed;
    const outcome = await repo.commit({ files: changed, message, parent, ...(onProgress && { onProgress }) });
    if ("commit" in outcome) return { commit: outcome.commit, uploaded };
    if (attempt >= ATTEMPTS) throw outcome.failed;
    await sleep(pauseBefore(outcome.failed, attempt, retryPauseMs), undefined, { ...(signal && { signal }) });
  }
}
