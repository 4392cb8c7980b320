// Packs what npm publishes: the built package with an npm-shrinkwrap.json, in a staging folder, so that the working tree keeps its
// package-lock.json alone. (npm ignores a published package-lock.json, overrides and .npmrc; a shrinkwrap is what travels.)
// Usage: node scripts/pack.mjs [--out <folder>] [--json]. Publish with: npm publish <the tarball>.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/**
 * The lock file of whoever installs the package: what is only for development left out, no registry addresses. Packages that are
 * marked devOptional hang on development or on an optional peer; both are the installer's own choice.
 * @param {{ name: string, version: string, lockfileVersion: number, packages: Record<string, Record<string, unknown>> }} lock
 */
export function shrinkwrapOf(lock) {
  const packages = {};
  for (const [path, { resolved, dev, devOptional, devDependencies, ...entry }] of Object.entries(lock.packages)) {
    if (dev !== true && devOptional !== true) packages[path] = entry;
  }
  return { name: lock.name, version: lock.version, lockfileVersion: lock.lockfileVersion, requires: true, packages };
}

/** What npm shows and runs of a published package: without what only its own checkout can use. */
export function publishedManifest({ devDependencies, scripts, overrides, allowScripts, ...manifest }) {
  return { ...manifest, files: [...manifest.files, "npm-shrinkwrap.json"] };
}

const readJson = (path) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));

/** Whether a compiled file's source is gone: an earlier build wrote it. What the page's own build writes has no source of its name. */
function isLeftOver(path) {
  const [, name, ending] = /^dist\/(?!page\/)(.+?)\.(js|d\.ts)$/.exec(relative(ROOT, path).replaceAll("\\", "/")) ?? [];
  return ending !== undefined && !["ts", "tsx"].some((of) => existsSync(join(ROOT, "src", `${name}.${of}`)));
}

/** Fills a folder with the files of the package, as they would be unpacked. */
export function stage(folder) {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  const manifest = readJson("package.json");
  for (const file of manifest.files) {
    if (!existsSync(join(ROOT, file))) throw new Error(`package.json lists ${file} under "files", which is not there.`);
    cpSync(join(ROOT, file), join(folder, file), { recursive: true, filter: (path) => !isLeftOver(path) });
  }
  const write = (file, value) => writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  write("package.json", publishedManifest(manifest));
  write("npm-shrinkwrap.json", shrinkwrapOf(readJson("package-lock.json")));
}

function main() {
  const { values } = parseArgs({ options: { out: { type: "string", default: "." }, json: { type: "boolean" } } });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "preflexor-pack-"));
  try {
    stage(folder);
    const answer = execFileSync("npm", ["pack", "--json", "--pack-destination", out], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const packed = JSON.parse(answer);
    const [{ filename, size, unpackedSize, files }] = Array.isArray(packed) ? packed : Object.values(packed);
    const tarball = join(out, filename);
    const result = { tarball, bytes: size, unpackedBytes: unpackedSize, files: files.map(({ path }) => path) };
    if (values.json) console.log(JSON.stringify(result));
    else {
      console.log(
        `${tarball}  ${(size / 1e6).toFixed(1)} MB, ${files.length} files. Publish it: npm publish ${tarball}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
