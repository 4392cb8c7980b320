/** @file A durable checkpoint of a policy: what was trained, the vectors that continue it, its state, and whose it is. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  readSafetensorsHeader,
  readTensorFloat32,
  readVerified,
  tensorToWrite,
  writeDurably,
  writeSafetensors,
} from "../checkpoint/index.js";

const VECTOR_FILE = "train_state.safetensors";
const STATE_FILE = "trainer_state.json";

/** All as long as theta. */
export interface PolicyVectors {
  readonly theta: Float32Array;
  /** First and second moment. */
  readonly m: Float32Array;
  readonly v: Float32Array;
}

type Json = Readonly<Record<string, unknown>>;

export interface PolicyState {
  /** What a policy must have in common with the checkpoint to go on from it. */
  readonly identity: Json;
  readonly vectors: PolicyVectors & { readonly reference?: Float32Array };
  readonly state: Json;
  readonly writeTrained: (staging: string) => Promise<void>;
}

export async function writePolicyState(
  directory: string,
  { identity, vectors, state, writeTrained }: PolicyState,
): Promise<void> {
  const tensors = Object.entries(vectors as unknown as Record<string, Float32Array>).map(([name, values]) =>
    tensorToWrite(name, [values.length], values, "F32"),
  );
  await writeDurably(
    directory,
    [
      writeTrained,
      (staging) => writeSafetensors(join(staging, VECTOR_FILE), tensors),
      (staging) => writeFile(join(staging, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`),
    ],
    identity,
  );
}

/** Refuses a checkpoint of another identity, with every difference, before it reads a vector. */
export async function readPolicyState(directory: string, mine: Json, length: number) {
  const { path, identity } = await readVerified(directory);
  const differences = Object.entries(mine).flatMap(([key, value]) => {
    const [expected, found] = [JSON.stringify(value), JSON.stringify(identity[key])];
    return expected === found ? [] : [`${key}: expected ${expected}, found ${found}`];
  });
  if (differences.length > 0) {
    throw new Error(
      `${directory} belongs to another model or training set-up:\n  - ${differences.join("\n  - ")}\nOpen the policy as it was then, or start anew.`,
    );
  }
  const vectors = await readVectors(join(path, VECTOR_FILE), length);
  const state = JSON.parse(await readFile(join(path, STATE_FILE), "utf8")) as Json & { readonly global_step: number };
  return { vectors, state };
}

/** Throws where a vector is absent (only `reference` may be) or has another length. */
async function readVectors(file: string, length: number): Promise<PolicyState["vectors"]> {
  const { entries } = await readSafetensorsHeader(file);
  const vectors: Record<string, Float32Array> = {};
  for (const name of ["theta", "m", "v", "reference"]) {
    const entry = entries.find((candidate) => candidate.name === name);
    if (entry === undefined && name === "reference") continue;
    if (entry === undefined || entry.shape[0] !== length) {
      throw new Error(`${file}: expected ${name} of ${length} numbers, found ${entry?.shape[0] ?? "none"}`);
    }
    vectors[name] = await readTensorFloat32(entry);
  }
  return vectors as unknown as PolicyState["vectors"];
}
