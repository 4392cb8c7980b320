/** @file Why an upload cannot be, before anything is sent or after the hub has refused it, and what to do. */
import type { HashedFile, HubFile } from "./hashed-file.js";
import type { HubRequestError } from "./hub-errors.js";
import { parseModelId } from "./model-id.js";

/** What is wrong with a push as it was asked for; empty where nothing is. */
export function pushProblems(repo: string, message: string, files: readonly HubFile[]): string[] {
  const problems: string[] = [...repoProblems(repo)];
  if (message.trim() === "") problems.push("the message of the commit is empty");
  if (files.length === 0) problems.push("there are no files to upload");
  const paths = files.map(({ path }) => path);
  const bad = paths.filter(
    (path) => !/^[^/\\]+(?:\/[^/\\]+)*$/.test(path) || /(?:^|\/)(?:\.{1,2}|\.git)(?:\/|$)/.test(path),
  );
  if (bad.length > 0) problems.push(`paths of a repository are relative, with forward slashes: found ${list(bad)}`);
  const twice = paths.filter((path, i) => paths.indexOf(path) !== i);
  if (twice.length > 0) problems.push(`files are given twice: ${list(twice)}`);
  return problems;
}

export function repoProblems(repo: string): string[] {
  if (parseModelId(repo)?.name === repo) return [];
  return [`expected the name of a model repository, owner/name, found ${JSON.stringify(repo)}`];
}

const list = (texts: readonly string[]): string => texts.map((text) => JSON.stringify(text)).join(", ");

/** Refuses a text that holds the token: nobody means to publish it. Files on disk are not looked into. */
export async function refuseToken(token: string, files: readonly HashedFile[]): Promise<void> {
  for (const { path, content } of files) {
    if (content instanceof URL || !Buffer.from(await content.arrayBuffer()).includes(token)) continue;
    throw new Error(
      `${path} holds the access token that it would be uploaded with: nothing was uploaded; remove it there`,
    );
  }
}

/** What a hub said to a push, in words that say what to do. */
export function explainPush(error: HubRequestError, repo: string, endpoint: string): Error {
  const { status, storage } = error;
  const detail = error.detail === undefined ? "" : ` (it says: ${error.detail})`;
  const say = (text: string): Error => new Error(`${repo} was not updated: ${text}`, { cause: error });
  if (status === undefined) {
    return say(`${error.message}. Check the network and proxy, or HF_ENDPOINT; the next push sends what is missing`);
  }
  if (storage)
    return say(`${error.message}, which keeps the hub's large files${detail}; the next push asks for new links`);
  if (status === 401) {
    return say(
      `${endpoint} does not accept the token${detail}: set HF_TOKEN to a valid one with write access, from ${endpoint}/settings/tokens`,
    );
  }
  if (status === 403) {
    return say(
      `the token may not write there${detail}: give it write access at ${endpoint}/settings/tokens, or name a repository of your own account`,
    );
  }
  if (status === 404)
    return say(`it exists, and the token may not read it${detail}: take another name, or a token of its owner`);
  if (status === 409 || status === 412) {
    return say(`others commit to it at the same time${detail}: give each run a repository of its own`);
  }
  if (status === 429) return say(`too many requests${detail}; the next push sends what is missing`);
  if (status >= 500)
    return say(`${error.message}${detail}: the hub has a problem; the next push sends what is missing`);
  return say(`${error.message}${detail}`);
}
