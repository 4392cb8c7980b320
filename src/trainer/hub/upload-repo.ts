/** @file A model repository that is written to: what it holds, and one commit at a time on top of what was seen. */
import type { HashedFile } from "./hashed-file.js";
import { HubRequestError } from "./hub-errors.js";
import { type FetchSettings, type HubFetch, hubFetch, mayPass } from "./hub-fetch.js";
import { isCommit } from "./model-id.js";

export interface UploadProgress {
  readonly file: string;
  readonly sentBytes: number;
  /** Of the files that have changed. */
  readonly totalBytes: number;
}

export interface CommitPlan {
  readonly files: readonly HashedFile[];
  readonly message: string;
  /** The commit that was looked at: where another one has come since, the hub refuses. */
  readonly parent: string;
  readonly onProgress?: (progress: UploadProgress) => void;
}

/** `failed`: the answer to the commit itself got lost or said "not now"; the commit may have been made. */
export type CommitOutcome = { readonly commit: string } | { readonly failed: HubRequestError };

export interface UploadRepo {
  /** Creates the repository where it is missing; says whether it did. */
  ensure(isPrivate: boolean): Promise<boolean>;
  /** The newest commit. */
  head(): Promise<string>;
  /** Of the files that are there, what the hub calls their content: SHA-256 of large ones (LFS), git's SHA-1 of others. */
  hashes(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, string>>;
  commit(plan: CommitPlan): Promise<CommitOutcome>;
}

const BRANCH = "main";

/** Throws {@link HubRequestError}. The token stays here: the library is not shown it, so its errors cannot hold it. */
export async function openUploadRepo(name: string, settings: FetchSettings): Promise<UploadRepo> {
  const { commitIter, createRepo, modelInfo, pathsInfo } = await import("@huggingface/hub");
  const patient = hubFetch(settings);
  const once = hubFetch({ ...settings, attempts: 1 });
  const where = { repo: { type: "model" as const, name }, hubUrl: settings.endpoint };
  const repo: UploadRepo = {
    async ensure(isPrivate) {
      if (await isThere(repo)) return false;
      const visibility = isPrivate ? "private" : "public";
      // No token: the fetch has it.
      const creation = createRepo({ ...where, visibility, accessToken: "", fetch: patient });
      return creation.then(
        () => true,
        (error: unknown) => {
          // Made in between, or by an earlier attempt whose answer got lost.
          if (error instanceof HubRequestError && error.status === 409) return false;
          throw error;
        },
      );
    },
    async head() {
      const asked = { name, revision: BRANCH, hubUrl: settings.endpoint, fetch: patient };
      const { sha } = await modelInfo({ ...asked, additionalFields: ["sha"] });
      if (isCommit(sha)) return sha;
      throw new HubRequestError(`${settings.endpoint} gave no commit for ${name}; it may not be a hub`);
    },
    async hashes(commit, paths) {
      const found = await pathsInfo({ ...where, revision: commit, paths: [...paths], fetch: patient });
      return new Map(found.map(({ path, oid, lfs }) => [path, lfs?.oid ?? oid ?? ""]));
    },
    async commit({ files, message, parent, onProgress }) {
      let committing = false;
      // Whatever comes before the commit itself may be asked twice; the commit is looked for before it is made again.
      const fetch: HubFetch = (input, init) => (committing ? once : patient)(input, init);
      const operations = files.map(({ path, content }) => ({ operation: "addOrUpdate" as const, path, content }));
      const told = progressOf(files, onProgress);
      try {
        const events = commitIter({
          ...where,
          operations,
          title: message,
          branch: BRANCH,
          parentCommit: parent,
          fetch,
          // Xet would bring a second protocol and WebAssembly; the hub moves what comes this way to it by itself.
          useXet: false,
        });
        for (let next = await events.next(); ; next = await events.next()) {
          if (next.done === true) return { commit: next.value?.commit.oid ?? parent };
          if (next.value.event === "phase") committing = next.value.phase === "committing";
          else if (next.value.state === "uploading") told(next.value.path, next.value.progress);
        }
      } catch (error) {
        const again = error instanceof HubRequestError && (mayPass(error) || isConflict(error));
        if (committing && again) return { failed: error };
        throw error;
      }
    },
  };
  return repo;
}

/** 412: another commit has come since the parent; 409: one is being made. */
const isConflict = ({ status }: HubRequestError): boolean => status === 409 || status === 412;

async function isThere(repo: UploadRepo): Promise<boolean> {
  try {
    await repo.head();
    return true;
  } catch (error) {
    if (error instanceof HubRequestError && error.status === 404) return false;
    throw error;
  }
}

function progressOf(files: readonly HashedFile[], onProgress: CommitPlan["onProgress"]) {
  const shares = new Map(files.map(({ path }) => [path, 0]));
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return (path: string, share: number): void => {
    shares.set(path, share);
    const sent = files.reduce((sum, file) => sum + file.bytes * (shares.get(file.path) ?? 0), 0);
    onProgress?.({ file: path, sentBytes: Math.round(sent), totalBytes });
  };
}
