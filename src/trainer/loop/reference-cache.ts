/** @file Log-probabilities under the reference, computed once and kept by content: tokens, labels and whose weights. */
import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { PairScore, Policy, Weights } from "../run/policy.js";
import type { TokenizedPair } from "../text/index.js";
import type { TrainEvent } from "./train-events.js";
import { rowKey } from "./training-data.js";

/** Pairs that are scored, and kept, together. A chunk is scored as a whole or not at all, so that a repetition gives the same bits. */
const CHUNK = 32;

/** Pairs whose scores tell one reference from another. */
const PROBES = 2;

export interface ReferenceOptions {
  readonly weights: Exclude<Weights, "current">;
  /** Where scores are kept between processes. */
  readonly file?: string;
  /** Of the reference that a checkpoint goes on with; otherwise it is found out. */
  readonly id?: string;
  readonly signal?: AbortSignal;
}

export interface ReferenceScores {
  /** The same for weights that score alike. */
  readonly id: string;
  /** Throws for a pair that was not among those asked for. */
  of(pair: TokenizedPair): PairScore;
}

/** Scores what is not known yet; yields its progress before and after each chunk. */
export async function* referenceScores(
  policy: Pick<Policy, "scorePairs" | "info">,
  pairs: readonly TokenizedPair[],
  options: ReferenceOptions,
): AsyncGenerator<TrainEvent, ReferenceScores> {
  const { weights, file, signal } = options;
  const score = (list: readonly TokenizedPair[]) =>
    policy.scorePairs(list, signal === undefined ? { weights } : { weights, signal });
  const keys = new Map(pairs.map((pair) => [pair, rowKey(pair)]));
  const unique = [...new Map(pairs.map((pair) => [keys.get(pair) as string, pair])).values()];
  const id = options.id ?? (await fingerprint(policy.info.modelHash, weights, await score(unique.slice(0, PROBES))));
  const known = file === undefined ? new Map<string, PairScore>() : await readKept(file, id);
  const chunks = chunksOf(unique).filter((chunk) => chunk.some((pair) => !known.has(keys.get(pair) as string)));
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  let done = 0;
  if (total > 0) yield { kind: "progress", phase: "reference", done, total };
  for (const chunk of chunks) {
    signal?.throwIfAborted();
    const scores = await score(chunk);
    const entries = chunk
      .map((pair, i) => [keys.get(pair) as string, scores[i] as PairScore] as const)
      .filter(([key]) => !known.has(key));
    for (const [key, value] of entries) known.set(key, value);
    if (file !== undefined) await appendFile(file, entries.map(toLine).join(""));
    done += chunk.length;
    yield { kind: "progress", phase: "reference", done, total };
  }
  return {
    id,
    of(pair) {
      const found = known.get(keys.get(pair) ?? rowKey(pair));
      if (found === undefined) throw new Error("internal: a pair without reference scores");
      return found;
    },
  };
}

function chunksOf(pairs: readonly TokenizedPair[]): TokenizedPair[][] {
  const count = Math.ceil(pairs.length / CHUNK);
  return Array.from({ length: count }, (_, i) => pairs.slice(i * CHUNK, (i + 1) * CHUNK));
}

/** Weights are known by what they do: no pass over billions of numbers, and nothing to keep in step with them. */
async function fingerprint(modelHash: string, weights: string, scores: readonly PairScore[]): Promise<string> {
  return createHash("sha256")
    .update(JSON.stringify([modelHash, weights, scores]))
    .digest("hex")
    .slice(0, 32);
}

const toLine = ([pair, { chosen, rejected }]: readonly [string, PairScore]): string =>
  `${JSON.stringify({ pair, chosen: [chosen.sum, chosen.count], rejected: [rejected.sum, rejected.count] })}\n`;

/** What a file keeps of this reference. A file of another one, or none, is begun anew; a line that is cut off is dropped. */
async function readKept(file: string, id: string): Promise<Map<string, PairScore>> {
  const header = JSON.stringify({ format: "preflexor-reference/1", reference: id });
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n");
  const known = new Map<string, PairScore>();
  if (lines[0] === header) {
    for (const line of lines.slice(1, -1)) {
      const entry = parseLine(line);
      if (entry !== undefined) known.set(entry[0], entry[1]);
    }
    if (text.endsWith("\n") && known.size === lines.length - 2) return known;
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${header}\n${[...known].map(toLine).join("")}`);
  return known;
}

function parseLine(line: string): readonly [string, PairScore] | undefined {
  try {
    const { pair, chosen, rejected } = JSON.parse(line) as Record<string, unknown>;
    const side = (value: unknown) => {
      const [sum, count] = value as [unknown, unknown];
      if (typeof sum !== "number" || typeof count !== "number") throw new Error("no score");
      return { sum, count };
    };
    return typeof pair === "string" ? [pair, { chosen: side(chosen), rejected: side(rejected) }] : undefined;
  } catch {
    return undefined;
  }
}
