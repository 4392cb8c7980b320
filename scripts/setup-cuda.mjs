// Fetches ONNX Runtime's CUDA provider and lays it beside onnxruntime-node: npm run setup:cuda [-- --cuda 12|13] [-- --remove]
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const USAGE = `npm run setup:cuda -- [--cuda 12|13] [--remove]

  --cuda 12   (default) Microsoft's provider for CUDA 12, fetched by onnxruntime-node's own install script
  --cuda 13   the provider for CUDA 13 out of an npm package, about 180 MB
  --remove    takes the provider away again

Either needs an NVIDIA GPU with its driver, the CUDA libraries of that version, and cuDNN 9. Only Linux on x64.
`;

/** A package of a third party that carries ONNX Runtime's own build; its bytes are pinned. */
const CUDA_13 = {
  package: "com.github.asus4.onnxruntime.linux-x64-gpu@0.4.9",
  onnxruntime: "1.29.0",
  integrity: "sha512-FopIhNE/Ng+v2X65wVc9clPCBCvhvA53Hxo2U0Kf5fGdVsC7iCA+mZ0KLWggcQAj7TIZ6pNidR4AC10g74Xo6w==",
  folder: "package/Plugins/Linux/x64",
};
const FILES = ["libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"];
/** Comes along with CUDA 12, and is not used. */
const EXTRA = "libonnxruntime_providers_tensorrt.so";

class Stop extends Error {}

const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
const folder = join(root, "bin/napi-v6", process.platform, process.arch);
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const say = (text) => process.stdout.write(`${text}\n`);

function remove() {
  const there = [...FILES, EXTRA].filter((file) => existsSync(join(folder, file)));
  for (const file of there) rmSync(join(folder, file));
  say(there.length > 0 ? `Removed ${there.join(", ")} from ${folder}.` : `No CUDA provider in ${folder}.`);
}

function installCuda12() {
  say(
    `Fetching the CUDA 12 provider of ONNX Runtime ${version} with onnxruntime-node's install script (from nuget.org) …`,
  );
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "true" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "script/install.js")], {
    env,
    encoding: "utf8",
  });
  const missing = FILES.filter((file) => !existsSync(join(folder, file)));
  if (status === 0 && missing.length === 0) return;
  const lines = `${stdout}\n${stderr}`
    .split("\n")
    .filter((line) => /Error|ENOTFOUND|ECONN|EAI_AGAIN|status/.test(line));
  throw new Stop(
    `the install script did not bring ${missing.join(", ") || "all files"}: ${lines[0]?.trim() ?? `it ended with status ${status}`}\n` +
      "It needs api.nuget.org; behind a proxy set GLOBAL_AGENT_HTTPS_PROXY. Where only npm can be reached: npm run setup:cuda -- --cuda 13",
  );
}

function installCuda13() {
  if (version !== CUDA_13.onnxruntime) {
    throw new Stop(
      `${CUDA_13.package} is for ONNX Runtime ${CUDA_13.onnxruntime}, installed is ${version}: npm install onnxruntime-node@${CUDA_13.onnxruntime}`,
    );
  }
  const work = mkdtempSync(join(tmpdir(), "preflexor-cuda-"));
  try {
    say(`Fetching ${CUDA_13.package} from the npm registry (180 MB) …`);
    const archive = join(work, pack(work));
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== CUDA_13.integrity) {
      throw new Stop(
        `the package is not the one that was checked: expected ${CUDA_13.integrity}, found ${found}. Nothing was installed.`,
      );
    }
    execFileSync("tar", ["-xzf", archive, "-C", work, ...FILES.map((file) => `${CUDA_13.folder}/${file}`)]);
    for (const file of FILES) {
      // First a copy on the same file system: the library appears whole or not at all.
      const staged = join(folder, `.${file}.staged`);
      cpSync(join(work, CUDA_13.folder, file), staged);
      renameSync(staged, join(folder, file));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function pack(work) {
  const { status, stderr, error } = spawnSync("npm", ["pack", "--loglevel=error", CUDA_13.package], {
    cwd: work,
    encoding: "utf8",
  });
  const archive = readdirSync(work).find((file) => file.endsWith(".tgz"));
  if (status === 0 && archive !== undefined) return archive;
  const reason = error?.message ?? /npm error (?:code )?(.+)/.exec(stderr)?.[1] ?? `npm ended with status ${status}`;
  throw new Stop(`npm could not fetch ${CUDA_13.package}: ${reason}. Is the npm registry reachable (npm ping)?`);
}

function checkPlace() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Stop(
      `onnxruntime-node takes a CUDA provider on Linux x64 only; this is ${process.platform} ${process.arch}`,
    );
  }
  if (!existsSync(join(folder, "libonnxruntime.so.1")))
    throw new Stop(`there is no libonnxruntime.so.1 in ${folder}: run npm install`);
}

async function report(cuda) {
  say(`The CUDA ${cuda} provider of ONNX Runtime ${version} is in ${folder}. To undo: npm run setup:cuda -- --remove`);
  const built = new URL("../dist/trainer/runtime/device.js", import.meta.url);
  if (!existsSync(fileURLToPath(built))) return;
  const { resolveDevice } = await import(built.href);
  await resolveDevice("cuda").then(
    ({ reason }) => say(reason),
    (error) => say(`Still missing on this machine: ${error.message}`),
  );
}

try {
  const { values } = parseArgs({
    options: {
      cuda: { type: "string", default: "12" },
      remove: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) say(USAGE);
  else if (values.remove) remove();
  else if (values.cuda !== "12" && values.cuda !== "13")
    throw new Stop(`--cuda: expected 12 or 13, found ${values.cuda}`);
  else {
    checkPlace();
    if (values.cuda === "12") installCuda12();
    else installCuda13();
    await report(values.cuda);
  }
} catch (error) {
  const plain = error instanceof Stop || String(error.code).startsWith("ERR_PARSE_ARGS");
  process.stderr.write(`setup:cuda: ${plain ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
