/** @file The peers of the generation bench: installed and given their models on demand, each case in a process of its own. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeGgufModel } from "../dist/trainer/checkpoint/index.js";
import { openCheckpointDir } from "../dist/trainer/index.js";
import { ratesOf, type TimedGeneration } from "./generate-figures.js";
import type { Weights } from "./generate-options.js";
import { usable } from "./load.js";
import { hasTokenizer } from "./model.js";
import { pythonWith } from "./trl.js";

const run = promisify(execFile);
const PEERS = fileURLToPath(new URL("../bench/peers/", import.meta.url));
const CACHE = fileURLToPath(new URL("../.cache/bench/", import.meta.url));
const LARGEST_OUTPUT = 1 << 26;

export const PEER_NAMES = ["llamaCpp", "transformersJs"] as const;
export type PeerName = (typeof PEER_NAMES)[number];
const SCRIPTS = { llamaCpp: "llama-cpp.mjs", transformersJs: "transformers-js.mjs" } as const;

export interface PeerCase extends TimedGeneration {
  readonly peer: string;
  /** The ones of this peer that were fastest. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly peakRssMb: number;
}

interface PeerReport {
  readonly peer: string;
  readonly runs: readonly (TimedGeneration & Pick<PeerCase, "settings">)[];
  readonly peakRssMb: number;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** node_modules beside the scripts; nothing of it is in the project's own lock file. */
export async function installPeers(): Promise<void> {
  const packages = ["node-llama-cpp", "@huggingface/transformers"];
  if (packages.every((name) => existsSync(join(PEERS, "node_modules", name, "package.json")))) return;
  say(`installing the peers into ${join(PEERS, "node_modules")} (1.2 GB)`);
  const flags = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"];
  await run("npm", ["install", ...flags], { cwd: PEERS, maxBuffer: LARGEST_OUTPUT });
}

/** The settings of a peer that decode fastest count as its result. */
export async function peerCase(
  name: PeerName,
  model: string,
  prompts: readonly (readonly number[])[],
  newTokens: number,
  threads: number,
): Promise<PeerCase> {
  const child = spawn(process.execPath, [join(PEERS, SCRIPTS[name])], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  child.stdin.end(JSON.stringify({ model, prompts, newTokens, threads }));
  const [output, code] = await Promise.all([text(child.stdout), exit]);
  if (code !== 0) throw new Error(`${SCRIPTS[name]} ended with code ${code}; what it said is above`);
  const { peer, runs, peakRssMb } = JSON.parse(output.trim().split("\n").at(-1) as string) as PeerReport;
  const [best] = usable(runs).toSorted((a, b) => ratesOf(b).tokensPerSecond - ratesOf(a).tokensPerSecond);
  if (best === undefined) throw new Error(`${SCRIPTS[name]} reported no run`);
  return { ...best, peer, peakRssMb };
}

/** The model of a peer in a weight format: made once for a checkpoint's content. undefined: the peer has no such format. */
export async function peerModel(
  name: PeerName,
  checkpoint: string,
  weights: Weights,
  python: string | undefined,
): Promise<string | undefined> {
  const { hash } = await openCheckpointDir(checkpoint);
  const stem = join(CACHE, `${(await hash()).slice(0, 16)}-${weights}`);
  await mkdir(CACHE, { recursive: true });
  if (name === "llamaCpp") {
    // Our own writer, so that both sides have the same weights to the bit.
    const type = ({ float32: "f32", float16: "f16", int8: "q8_0", int4: "q4_0" } as const)[weights];
    const tokenizer = hasTokenizer(checkpoint);
    return made(`${stem}.gguf`, (path) => writeGgufModel(path, checkpoint, { type, tokenizer }));
  }
  const precision = { float32: "fp32", float16: undefined, int8: "int8", int4: "int4" }[weights];
  if (precision === undefined) return undefined;
  return made(`${stem}-onnx`, (path) => exportOnnx(checkpoint, path, precision, python));
}

async function made(path: string, make: (staged: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  say(`making ${path}`);
  const staging = await mkdtemp(join(dirname(path), ".staging-"));
  try {
    await make(join(staging, "model"));
    await rename(join(staging, "model"), path);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return path;
}

/** Packages of requirements-onnx.txt, in a folder of their own beside the interpreter's. */
const EXPORTER = join(CACHE, "exporter");

async function exportOnnx(
  checkpoint: string,
  out: string,
  precision: string,
  named: string | undefined,
): Promise<void> {
  const python = await pythonWith(named, ["torch", "transformers"]);
  const env = { ...process.env, PYTHONPATH: [EXPORTER, process.env["PYTHONPATH"]].filter(Boolean).join(":") };
  const importable = run(python, ["-c", "import onnx, onnxruntime_genai"], { env });
  if (!(await importable.then(Boolean).catch(() => false))) {
    say(`installing the exporter of transformers.js's model into ${EXPORTER}`);
    const requirements = join(PEERS, "requirements-onnx.txt");
    await run(python, ["-m", "pip", "install", "--quiet", "--no-deps", "--target", EXPORTER, "-r", requirements]);
  }
  const script = join(PEERS, "export_onnx.py");
  const flags = ["--model", checkpoint, "--out", out, "--precision", precision];
  await run(python, [script, ...flags], { env, maxBuffer: LARGEST_OUTPUT });
}
