/** @file `npm run conformance [-- --json]`: the published MCP suite against the real HTTP server with fixtures. One line of JSON on stdout. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startFixtureServer } from "./server.js";
import { installSuite, requirementsOf, runSuite, type Scenario } from "./suite.js";

/** The frozen sets; the first also runs the extension io.modelcontextprotocol/tasks. */
const REVISIONS = ["2026-07-28", "2025-11-25"] as const;

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly total: number;
}

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const log = (line: string): void => void process.stderr.write(`${line}\n`);

try {
  const counts = await conformance();
  if (values.json) process.stdout.write(`${JSON.stringify(counts)}\n`);
  if (Object.values(counts).some(({ failed, total }) => failed > 0 || total === 0)) process.exitCode = 1;
} catch (error) {
  log((error as Error).message);
  process.exitCode = 1;
}

async function conformance(): Promise<Readonly<Record<string, Count>>> {
  await installSuite(log);
  const folder = await mkdtemp(join(tmpdir(), "preflexor-conformance-"));
  const server = await startFixtureServer(join(folder, "home"));
  try {
    const counts: Record<string, Count> = {};
    let tasks: Count | undefined;
    for (const revision of REVISIONS) {
      const requirements = await requirementsOf(revision);
      const scenarios = await runSuite(server.url, revision, join(folder, revision));
      counts[revision] = tell(revision, requirements.required, scenarios);
      if (requirements.extensions.length > 0)
        tasks = tell("tasks", runnable(requirements.extensions, scenarios), scenarios);
    }
    return { ...counts, tasks: tasks ?? { passed: 0, failed: 0, total: 0 } };
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without what the suite lists but cannot run, such as a scenario whose harness is yet to be written. */
function runnable(names: readonly string[], scenarios: ReadonlyMap<string, Scenario>): readonly string[] {
  return names.filter((name) => {
    const scenario = scenarios.get(name);
    if (scenario?.outcome !== "skipped") return true;
    log(`${name}: not counted, the suite does not run it\n${indented(scenario.reasons)}`);
    return false;
  });
}

/** Counts, and says of what failed why. Whatever is required counts as failed where it was skipped. */
function tell(title: string, names: readonly string[], scenarios: ReadonlyMap<string, Scenario>): Count {
  const results = names.map(
    (name): Scenario => scenarios.get(name) ?? { name, outcome: "failed", reasons: ["the suite left no result"] },
  );
  const failed = results.filter(({ outcome }) => outcome !== "passed");
  const count = { passed: results.length - failed.length, failed: failed.length, total: results.length };
  log(`${title}: ${count.passed} of ${count.total} scenarios pass`);
  for (const { name, reasons } of failed) log(`  ${name}\n${indented(reasons)}`);
  return count;
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join("\n");
}
