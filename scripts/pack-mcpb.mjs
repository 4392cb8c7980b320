// Packs an .mcpb bundle for this platform and processor: the built package with its dependencies and a manifest, so that a desktop
// assistant installs it with a click. ONNX Runtime and Chroma are native: a bundle for all platforms would hold four of each.
// Usage: node scripts/pack-mcpb.mjs [--out <folder>] [--json]. Needs npm's registry; the packer lives in packaging/, installed on first use.
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stage } from "./pack.mjs";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const PACKER = join(ROOT, "packaging/node_modules/.bin/mcpb");
const ENV = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
const npm = (cwd, ...args) =>
  execFileSync("npm", [...args, "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd,
    env: ENV,
    stdio: ["ignore", 2, 2],
  });
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

/** Dependencies as in a checkout of our own: npm ci takes package.json, its overrides and the lock file together, or not at all. */
function installInto(folder) {
  const published = readFileSync(join(folder, "package.json"));
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) cpSync(join(ROOT, file), join(folder, file));
  rmSync(join(folder, "npm-shrinkwrap.json"));
  npm(folder, "ci", "--omit=dev");
  for (const file of ["package-lock.json", ".npmrc"]) rmSync(join(folder, file));
  writeFileSync(join(folder, "package.json"), published);
}

/** What no start of the server reads: ONNX Runtime for other machines, types, source maps. */
function prune(folder) {
  const binaries = join(folder, "node_modules/onnxruntime-node/bin/napi-v6");
  for (const platform of readdirSync(binaries)) {
    for (const arch of readdirSync(join(binaries, platform))) {
      if (platform !== process.platform || arch !== process.arch)
        rmSync(join(binaries, platform, arch), { recursive: true });
    }
  }
  for (const file of readdirSync(folder, { recursive: true })) {
    if (/\.(?:d\.[cm]?ts|map)$/.test(file)) rmSync(join(folder, file), { force: true, recursive: true });
  }
}

function writeManifest(folder, version) {
  const manifest = readJson(join(ROOT, "packaging/manifest.json"));
  const compatibility = { ...manifest.compatibility, platforms: [process.platform] };
  writeJson(join(folder, "manifest.json"), { ...manifest, version, compatibility });
}

function main() {
  const { values } = parseArgs({ options: { out: { type: "string", default: "." }, json: { type: "boolean" } } });
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  if (!existsSync(PACKER)) npm(join(ROOT, "packaging"), "ci");
  const folder = mkdtempSync(join(tmpdir(), "preflexor-mcpb-"));
  try {
    stage(folder);
    const { version } = readJson(join(folder, "package.json"));
    installInto(folder);
    prune(folder);
    writeManifest(folder, version);
    const bundle = join(out, `preflexor-${version}-${process.platform}-${process.arch}.mcpb`);
    const quiet = { stdio: ["ignore", "ignore", 2] };
    execFileSync(PACKER, ["validate", join(folder, "manifest.json")], quiet);
    execFileSync(PACKER, ["pack", folder, bundle], quiet);
    const bytes = statSync(bundle).size;
    if (values.json) console.log(JSON.stringify({ bundle, bytes }));
    else console.log(`${bundle}  ${(bytes / 1e6).toFixed(0)} MB, for ${process.platform}-${process.arch} alone.`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
