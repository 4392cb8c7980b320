/** @file The folders that this server's tools may read and write in, from its settings. */
import { fileURLToPath } from "node:url";
import { createPathGuard, defaultRoots, type PathGuard, type Root } from "../tools/roots.js";
import type { Config } from "./config.js";

/** What comes with the package, at the place that it was installed in. */
const PACKAGE_FOLDERS = ["examples", "models"].map((name) => fileURLToPath(new URL(`../../${name}`, import.meta.url)));

export interface RootOptions {
  /** Whoever calls the tools is on another machine: then nothing of the user's is open by default. */
  readonly remote?: boolean;
  readonly cwd?: string;
}

/**
 * Configured roots replace the default ones. The home of corpora and runs, the cache of models and what comes with the
 * package always belong to them. Roots that a client offers are not asked for: a client cannot open more than who started
 * the server did, and needs no help to name less.
 */
export function pathGuardOf(
  { home, hub, roots }: Pick<Config, "home" | "hub" | "roots">,
  { remote = false, cwd = process.cwd() }: RootOptions = {},
): PathGuard {
  const chosen: Root[] = roots?.map((path) => ({ path })) ?? (remote ? [] : defaultRoots({ cwd }));
  const given = [...PACKAGE_FOLDERS, hub.cacheDir].map((path) => ({ path, readOnly: true }));
  return createPathGuard([...chosen, { path: home }, ...given]);
}
