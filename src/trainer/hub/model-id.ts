/** @file The name of a model on the hub: owner/name, with a revision behind an @ where one is wanted. */

export interface ModelId {
  /** "owner/name". */
  readonly name: string;
  /** Branch, tag or commit; "main" where none was given. */
  readonly revision: string;
}

// The characters that the hub allows; a name neither begins nor ends with "." or "-".
const PART = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
const ID = new RegExp(`^(${PART}/${PART})(?:@(.+))?$`);
const REVISION = /^[\w.-]+(?:\/[\w.-]+)*$/;

/** Reads "owner/name" or "owner/name@revision"; undefined where the text is neither. */
export function parseModelId(text: string): ModelId | undefined {
  const [, name, revision = "main"] = ID.exec(text) ?? [];
  if (name === undefined || name.includes("--") || name.includes("..")) return undefined;
  if (!REVISION.test(revision) || revision.split("/").some((part) => /^\.+$/.test(part))) return undefined;
  return { name, revision };
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);
