/** @file What the published package needs at run time is what it declares: a package that only development installs is not there for a user. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** Of static and dynamic imports, and of what is looked up by its name. Type imports are erased. */
const NAMED =
  /(?:^import (?!type)[^;]*?from |^export (?!type)[^;]*?from |^import |\bimport\(|resolve\()"([^"./][^"]*)"/gm;
const packageOf = (name: string): string => name.split("/", name.startsWith("@") ? 2 : 1).join("/");

it("every package that the built code names is a dependency or an optional peer", () => {
  const allowed = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]);
  const missing: string[] = [];
  for (const file of readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })) {
    // The page is bundled when it is built; what it imports is inside.
    if (!file.endsWith(".ts") || file.startsWith("page")) continue;
    for (const [, name = ""] of readFileSync(join(ROOT, "src", file), "utf8").matchAll(NAMED)) {
      if (!name.startsWith("node:") && !allowed.has(packageOf(name))) missing.push(`${file}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});
