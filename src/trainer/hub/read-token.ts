/** @file The token that a hub is shown: the one that was given, or the one that a login has left. */
import { readFile } from "node:fs/promises";

export interface TokenSource {
  readonly token?: string;
  /** Read where `token` is absent. */
  readonly tokenFile?: string;
}

/** Undefined where there is none. Throws where it cannot be one, without showing it: a header that is refused would. */
export async function readToken({ token, tokenFile }: TokenSource): Promise<string | undefined> {
  const file = tokenFile === undefined ? "" : await readFile(tokenFile, "utf8").catch(() => "");
  const found = (token ?? file).trim();
  if (found === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(found)) return found;
  const where = token === undefined ? tokenFile : "HF_TOKEN";
  throw new Error(`${where}: expected an access token, found a text with spaces or characters that no token has`);
}
