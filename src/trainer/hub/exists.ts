/** @file Whether a path leads to something; a link to nothing does not. */
import { access } from "node:fs/promises";

export const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
