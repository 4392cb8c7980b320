// Compiles the examples that are written in TypeScript and runs one: npm run example -- orpo-loop [arguments].
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const names = readdirSync(join(root, "examples")).flatMap((file) => /^(.+)\.ts$/.exec(file)?.[1] ?? []);
const [name, ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`expected the name of an example (${names.join(", ")}), found ${name ?? "none"}`);
  process.exit(1);
}
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
const run = (...command) => {
  const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
};
run(tsc, "-p", "examples/tsconfig.json");
run(join(root, ".tsbuild", "examples", `${name}.js`), ...args);
