/** @file What this machine can do, looked up and tried: devices, ONNX Runtime, Chroma, memory, and one model. */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { openPassageStore } from "../agents/corpus/index.js";
import {
  availableMemory,
  type DeviceReport,
  deviceReport,
  estimateTrainingMemory,
  expectedTensors,
  LORA_TARGETS,
  loadChatTemplate,
  loadTokenizer,
  openCheckpointDir,
  parsePreferences,
  resolveModel,
  scorePreferences,
} from "../trainer/index.js";
import { type Config, NANO_MODEL, readConfig } from "./config.js";
import { messageOf } from "./log.js";
import { packageVersion } from "./version.js";

/** `untested`: nothing speaks against it, and it was not run. */
export type CheckStatus = "ok" | "untested" | "unavailable";

export interface Check {
  readonly status: CheckStatus;
  readonly detail: string;
}

export interface ModelCheck extends Check {
  readonly model: string;
  readonly path?: string;
  readonly family?: string;
  readonly parameters?: number;
  readonly dtype?: string;
  /** Of a step of ORPO with LoRA on one row of 1024 tokens. */
  readonly trainingBytes?: number;
}

export interface DoctorReport extends DeviceReport {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly cpus: number;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  /** A pair scored by the package's own model, on the CPU. */
  readonly engine: Check;
  readonly chroma: Check;
  readonly model: ModelCheck;
}

export interface DoctorOptions {
  /** A directory, or a hub id that is in the cache: nothing is downloaded. Default: the configured model. */
  readonly model?: string;
  readonly config?: Config;
}

/** Runs every check; a check that fails is in the report, and does not throw. */
export async function doctor({ model, config = readConfig() }: DoctorOptions = {}): Promise<DoctorReport> {
  const devices = await deviceReport();
  const availableBytes = availableMemory();
  return {
    version: packageVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpus: availableParallelism(),
    memory: { totalBytes: totalmem(), availableBytes },
    ...devices,
    engine: await attempt(() => runModel(NANO_MODEL)),
    chroma: await attempt(() => checkChroma(config)),
    model: await checkModel(model ?? config.model, config),
  };
}

async function attempt(check: () => Promise<Check>): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    return { status: "unavailable", detail: messageOf(error) };
  }
}

const PAIR = { prompt: "Which material is tough?", chosen: "Nacre is tough.", rejected: "Glass is tough." };

/** Scores one pair: weights, tokenizer, template, graph and runtime all have to work. */
async function runModel(model: string): Promise<Check> {
  const dataset = await parsePreferences(Buffer.from(JSON.stringify(PAIR)), "the doctor's pair");
  const started = performance.now();
  const { scores, device } = await scorePreferences(dataset, { model, device: "cpu" });
  const sum = scores[0]?.chosen.sum ?? Number.NaN;
  if (!Number.isFinite(sum)) throw new Error(`expected a finite log-probability, found ${sum}`);
  return { status: "ok", detail: `scored a pair on ${device} in ${Math.round(performance.now() - started)} ms` };
}

async function checkChroma({ chromaUrl }: Config): Promise<Check> {
  const dataDir = await mkdtemp(join(tmpdir(), "preflexor-doctor-"));
  try {
    const chroma = chromaUrl === undefined ? {} : { chroma: chromaUrl };
    const store = await openPassageStore({ collection: "doctor", dataDir, ...chroma });
    const { name, version, notice } = store.description;
    await store.close();
    if (notice !== undefined) return { status: "unavailable", detail: notice };
    const where = chromaUrl === undefined ? "a server of its own" : chromaUrl;
    return { status: "ok", detail: `${name} ${version}, ${where}` };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A larger model takes too long to open for a check. */
const RUN_PARAMETERS = 500e6;

/** The row whose training step is estimated: a pair of a prompt of 256 tokens and two replies of 384. */
const ROW = { time: 1024, labels: 768, pairs: 1 };

async function checkModel(named: string, config: Config): Promise<ModelCheck> {
  try {
    const { path } = await resolveModel(named, { ...config.hub, localFilesOnly: true });
    const [checkpoint, template] = await Promise.all([
      openCheckpointDir(path),
      loadChatTemplate(path).then(() => "", messageOf),
      loadTokenizer(path),
    ]);
    const parameters = expectedTensors(checkpoint.config).reduce(
      (sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1),
      0,
    );
    const trainable = { kind: "lora", r: 16, loraAlpha: 32, targetModules: LORA_TARGETS } as const;
    const memory = await estimateTrainingMemory({ model: path, trainable, seed: 0 }, "orpo", ROW).catch(
      () => undefined,
    );
    const facts = {
      model: named,
      path,
      family: checkpoint.config.modelType,
      parameters,
      dtype: checkpoint.tensors.get("model.embed_tokens.weight")?.dtype ?? "unknown",
      ...(memory !== undefined && { trainingBytes: memory.oneRow.total }),
    };
    if (template !== "") {
      return {
        ...facts,
        status: "untested",
        detail: `its files are complete, but ${template}; raw text can be trained on`,
      };
    }
    const run =
      parameters <= RUN_PARAMETERS
        ? await runModel(path)
        : ({ status: "untested", detail: "its files are complete; it is too large to be run here" } as const);
    return { ...facts, ...run };
  } catch (error) {
    return { model: named, status: "unavailable", detail: messageOf(error) };
  }
}
