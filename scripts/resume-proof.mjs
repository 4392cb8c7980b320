/**
 * Shows that a training that was killed goes on as if nothing had happened: `preflexor train` once unbroken, once killed
 * with SIGKILL at a random moment and resumed; every file that both leave must be the same to the byte.
 *
 *   npm run build && node scripts/resume-proof.mjs [--model DIR] [--loss orpo] [--steps 6] [--save-steps 2] [--kills 1] [--keep]
 *
 * Prints one line of JSON; exit code 1 where a file differs. What the runs say goes to stderr.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../", import.meta.url));
const smollm2 = join(root, ".cache", "smollm2-135m-instruct");
const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: existsSync(smollm2) ? smollm2 : join(root, "models", "nano") },
    loss: { type: "string", default: "orpo" },
    steps: { type: "string", default: "6" },
    "save-steps": { type: "string", default: "2" },
    kills: { type: "string", default: "1" },
    keep: { type: "boolean", default: false },
  },
});

/** Times and paths of a run; everything else must be the same. */
const OF_THE_RUN = [/^timing\.jsonl$/, /^train_config\.json$/, /^runs\//];
const POLL_MS = 20;

const folder = mkdtempSync(join(tmpdir(), "resume-proof-"));
const pairs = join(folder, "pairs.jsonl");
writeFileSync(
  pairs,
  `${twentyPairs()
    .map((pair) => JSON.stringify(pair))
    .join("\n")}\n`,
);

try {
  const unbroken = join(folder, "unbroken");
  const broken = join(folder, "broken");
  const started = performance.now();
  const whole = startTraining(unbroken);
  await checkpointIn(unbroken, whole, Number(options["save-steps"]));
  const untilSaved = performance.now() - started;
  await finished(whole);
  const afterSaved = performance.now() - started - untilSaved;

  const kills = [];
  for (let i = 0; i < Number(options.kills); i += 1) kills.push(await killedRun(broken, kills.length > 0, afterSaved));
  await finished(startTraining(broken, true));

  const files = compare(unbroken, broken);
  const different = files.filter(({ same }) => !same).map(({ file }) => file);
  const last = `checkpoint-${options.steps}/train_state.safetensors`;
  const named = ["adapter/adapter_model.safetensors", last, "metrics.jsonl"];
  const hashes = Object.fromEntries(
    files.filter(({ file }) => named.includes(file)).map(({ file, sha256 }) => [file, sha256]),
  );
  const result = {
    identical: different.length === 0,
    loss: options.loss,
    kills,
    files: files.length,
    different,
    sha256: hashes,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = result.identical ? 0 : 1;
} finally {
  if (options.keep) process.stderr.write(`kept ${folder}\n`);
  else rmSync(folder, { recursive: true, force: true });
}

function twentyPairs() {
  const materials = ["nacre", "silk", "bamboo", "keratin", "chitin", "collagen", "bone", "wood", "horn", "byssus"];
  return Array.from({ length: 20 }, (_, i) => {
    const name = materials[i % materials.length];
    const quality = i < 10 ? "strong" : "tough";
    return {
      prompt: `Why is ${name} ${quality}?`,
      chosen: `<|thinking|>${name} is ordered on several scales.<|/thinking|>${name} is ${quality} because many weak bonds share the load.`,
      rejected: `<|thinking|>Hm.<|/thinking|>${name} is ${quality} by nature, number ${i}.`,
    };
  });
}

/** The command as a user types it, in a process group of its own, so that a kill reaches the engine too. */
function startTraining(output, resume = false) {
  const settings = resume
    ? ["--resume", "--output", output]
    : ["--model", options.model, "--pairs", pairs, "--loss", options.loss, "--output", output, "--seed", "7"].concat(
        ["--max-steps", options.steps, "--save-strategy", "steps", "--save-steps", options["save-steps"]],
        ["--save-total-limit", "100", "--per-device-train-batch-size", "4", "--learning-rate", "1e-4"],
      );
  const main = join(root, "dist", "server", "main.js");
  const child = spawn(process.execPath, [main, "train", ...settings, "--json"], {
    detached: true,
    stdio: ["ignore", 2, 2],
  });
  return { child, ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code))) };
}

async function finished({ ended }) {
  const how = await ended;
  if (how !== 0) throw new Error(`preflexor train ended with ${how}; what it said is above`);
}

/** Waits for the checkpoint of a step; its manifest is written last. */
async function checkpointIn(output, { child }, step) {
  const manifest = join(output, `checkpoint-${step}`, "manifest.json");
  while (!existsSync(manifest)) {
    if (child.exitCode !== null) throw new Error(`the training ended before ${manifest} was there`);
    await sleep(POLL_MS);
  }
}

/** Starts or resumes, and kills at a random moment after the first checkpoint, before the last is whole. */
async function killedRun(output, resume, span) {
  const run = startTraining(output, resume);
  await checkpointIn(output, run, Number(options["save-steps"]));
  const end = performance.now() + Math.random() * span;
  // A run that is faster than the unbroken one was is not let go to its end.
  const last = join(output, `checkpoint-${options.steps}`);
  while (performance.now() < end && !existsSync(last) && run.child.exitCode === null) await sleep(POLL_MS);
  if (run.child.exitCode === null) process.kill(-run.child.pid, "SIGKILL");
  const how = await run.ended;
  if (how !== "SIGKILL") throw new Error(`the training ended with ${how} before it was killed: run this again`);
  return { left: readdirSync(output).sort() };
}

function filesOf(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath ?? entry.path, entry.name)).replaceAll("\\", "/"))
    .filter((file) => !OF_THE_RUN.some((pattern) => pattern.test(file)));
}

function compare(a, b) {
  const hash = (file) => (existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : "absent");
  return [...new Set([...filesOf(a), ...filesOf(b)])].sort().map((file) => {
    const sha256 = hash(join(a, file));
    return { file, sha256, same: sha256 === hash(join(b, file)) };
  });
}
