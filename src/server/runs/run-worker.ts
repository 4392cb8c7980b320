/** @file The process of one self-teaching run: `node run-worker.js <run directory> <home>`. Outlives the server that started it. */
import { join } from "node:path";
import { corpusLimitsOf, environmentSecrets, readConfig } from "../config.js";
import { pathGuardOf } from "../roots.js";
import { runTeach } from "../teach-run.js";
import { boundStderr } from "./bounded-log.js";
import { WORKER_LOG } from "./spawn-worker.js";

const [directory, home] = process.argv.slice(2);
if (directory === undefined || home === undefined) throw new Error("internal: expected a run directory and a home");
boundStderr(join(directory, WORKER_LOG), environmentSecrets());
const config = { ...readConfig(), home };
process.exitCode = await runTeach({
  flags: {},
  resume: directory,
  home,
  // What a client asked for stays confined, also where a link changed since.
  paths: pathGuardOf(config),
  limits: corpusLimitsOf(config),
  json: false,
  verbose: false,
});
