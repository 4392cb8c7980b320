/** @file Whether npm's registry can be asked from here, and if not, why: tests of installations say it where they skip. */
import { execFileSync } from "node:child_process";

/** Words to put behind a test's name; undefined where the registry answers. */
export async function registryRefusal(): Promise<string | undefined> {
  const why = await fetch(new URL("commander", npmRegistry()), { method: "HEAD" }).then(
    ({ ok, status }) => (ok ? undefined : `it answered ${status}`),
    (error: Error) => error.message,
  );
  return why === undefined ? undefined : ` (skipped: npm's registry cannot be reached: ${why})`;
}

export const npmRegistry = (): string =>
  execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
