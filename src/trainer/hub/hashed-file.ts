/** @file A file that is to be uploaded, with the two hashes that a hub may know its content by. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

export interface HubFile {
  /** In the repository, with forward slashes. */
  readonly path: string;
  /** A text, bytes, or the file: URL of something that nobody writes to meanwhile. */
  readonly content: string | Uint8Array | URL;
}

export interface HashedFile {
  readonly path: string;
  readonly content: Blob | URL;
  readonly bytes: number;
  /** What large files are called (LFS). */
  readonly sha256: string;
  /** git's name of the content, for all others. */
  readonly gitSha1: string;
}

export async function hashFile({ path, content }: HubFile): Promise<HashedFile> {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const size = bytes instanceof URL ? (await stat(bytes)).size : bytes.length;
  const sha256 = createHash("sha256");
  const sha1 = createHash("sha1").update(`blob ${size}\0`);
  for await (const chunk of bytes instanceof URL ? createReadStream(bytes) : [bytes]) {
    sha256.update(chunk as Uint8Array);
    sha1.update(chunk as Uint8Array);
  }
  return {
    path,
    content: bytes instanceof URL ? bytes : new Blob([bytes as Uint8Array<ArrayBuffer>]),
    bytes: size,
    sha256: sha256.digest("hex"),
    gitSha1: sha1.digest("hex"),
  };
}
