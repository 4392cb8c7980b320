/** @file Templates of addresses whose query is optional, in any order: RFC 6570 expands `{?after,limit}` to whichever are given. */
import { UriTemplate } from "@modelcontextprotocol/server";

/** Matches the whole address with or without any part of the query; names that the template lacks do not match. */
export class QueryTemplate extends UriTemplate {
  readonly #path: UriTemplate;
  readonly #names: readonly string[];

  constructor(path: string, names: readonly string[]) {
    super(`${path}{?${names.join(",")}}`);
    this.#path = new UriTemplate(path);
    this.#names = names;
  }

  override match(uri: string): ReturnType<UriTemplate["match"]> {
    const [path = "", query = "", ...more] = uri.split("?");
    const found = this.#path.match(path);
    if (found === null || more.length > 0) return null;
    const given = [...new URLSearchParams(query)];
    if (given.some(([name]) => !this.#names.includes(name))) return null;
    return { ...found, ...Object.fromEntries(given) };
  }
}
