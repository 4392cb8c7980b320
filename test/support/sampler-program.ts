/** @file The sampler as a program of its own, for rows that are given one by one. */
import { GraphBuilder } from "../../src/trainer/graph/index.js";
import { sampleTokens } from "../../src/trainer/model/index.js";
import { openSession, type Program } from "../../src/trainer/runtime/session.js";
import type { Choice } from "./sampling-reference.js";

export interface SamplerRow extends Choice {
  readonly logits: ArrayLike<number>;
  readonly noise: number;
  readonly history?: readonly number[];
}

export interface Drawn {
  readonly ids: readonly number[];
  readonly logps: readonly number[];
}

const PER_ROW = ["noise", "temperature", "topP", "minP", "repetitionPenalty"] as const;

/** Compiles it for one size of vocabulary. */
export function openSampler(vocabulary: number): Promise<Program> {
  const g = new GraphBuilder();
  const logits = g.input("logits", "float32", ["rows", vocabulary]);
  const [noise, temperature, topP, minP, repetitionPenalty] = PER_ROW.map((name) => g.input(name, "float32", ["rows"]));
  const topK = g.input("topK", "int32", ["rows"]);
  const history = g.cast(g.input("history", "int32", ["rows", "seen"]), "int64");
  const parameters = { noise, temperature, topP, minP, repetitionPenalty } as Record<
    (typeof PER_ROW)[number],
    typeof topK
  >;
  const { ids, logps } = sampleTokens(g, { logits, topK, history, ...parameters });
  g.output("ids", g.cast(ids, "int32"));
  g.output("logps", logps);
  return openSession(g.build(), "sampler", { weightsFolder: "/", threads: 2, optimization: "all" });
}

/** One run over all rows; a shorter history is filled up with its own last id. */
export async function sampleRows(program: Program, rows: readonly SamplerRow[]): Promise<Drawn> {
  const width = rows[0]?.logits.length ?? 0;
  const logits = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    logits.set(row.logits, i * width);
  });
  const seen = Math.max(...rows.map(({ history = [] }) => history.length));
  const history = rows.flatMap(({ history: own = [] }) =>
    Array.from({ length: seen }, (_, i) => own[i] ?? own.at(-1) ?? 0),
  );
  const dims = [rows.length];
  const floats = (value: (row: SamplerRow) => number) => ({ data: Float32Array.from(rows, value), dims });
  const results = await program.run(
    {
      logits: { data: logits, dims: [rows.length, width] },
      noise: floats((row) => row.noise),
      temperature: floats(({ temperature = 1 }) => temperature),
      topK: { data: Int32Array.from(rows, ({ topK = 0 }) => topK), dims },
      topP: floats(({ topP = 1 }) => topP),
      minP: floats(({ minP = 0 }) => minP),
      repetitionPenalty: floats(({ repetitionPenalty = 1 }) => repetitionPenalty),
      history: { data: Int32Array.from(history), dims: [rows.length, seen] },
    },
    ["ids", "logps"],
  );
  return { ids: [...(results["ids"]?.data ?? [])], logps: [...(results["logps"]?.data ?? [])] };
}
