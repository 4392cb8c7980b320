/** @file The embedding program: one graph from token ids to vectors, and the session that runs it on padded batches. */
import { dirname } from "node:path";
import type { BertConfig, SentenceTransformerDir } from "../checkpoint/index.js";
import { type Graph, GraphBuilder } from "../graph/index.js";
import { bert, openParameters, pooled, unitRows } from "../model/index.js";
import { openSession, type Program } from "../runtime/index.js";

type Encoder = Pick<SentenceTransformerDir, "config" | "modules" | "tensors">;

/** ids int32 [batch, time], lengths int32 [batch], positions int32 [time] -> vectors float32 [batch, hidden]. */
export function embedGraph({ config, modules, tensors }: Encoder): Graph {
  const g = new GraphBuilder();
  const ids = g.input("ids", "int32", ["batch", "time"]);
  const lengths = g.input("lengths", "int32", ["batch"]);
  const positions = g.input("positions", "int32", ["time"]);
  const visible = g.not(g.lessOrEqual(g.reshape(lengths, ["batch", 1]), g.reshape(positions, [1, "time"])));
  const parameters = openParameters(g, { tensors }, { entries: [], length: 0 }, g.scalar(0), 1);
  const hidden = bert(g, config, parameters, { ids, positions, visible });
  const vectors = g.scope("pooling", () => pooled(g, modules.pooling, { hidden, visible }));
  g.output("vectors", modules.normalize ? g.scope("normalize", () => unitRows(g, vectors)) : vectors);
  return g.build();
}

/** Texts as ids, of any lengths, in one run: one vector each. */
export interface EmbedSession {
  run(texts: readonly Int32Array[]): Promise<Float32Array[]>;
}

export async function openEmbedSession(checkpoint: SentenceTransformerDir, threads: number): Promise<EmbedSession> {
  const graph = embedGraph(checkpoint);
  const program = await openSession(graph, "embed", { weightsFolder: dirname(checkpoint.weightsFile), threads });
  return { run: (texts) => runPadded(program, checkpoint.config, texts) };
}

async function runPadded(program: Program, { hiddenSize }: BertConfig, texts: readonly Int32Array[]) {
  const batch = texts.length;
  const time = Math.max(...texts.map(({ length }) => length));
  const ids = new Int32Array(batch * time);
  texts.forEach((text, row) => {
    ids.set(text, row * time);
  });
  const { vectors } = await program.run(
    {
      ids: { data: ids, dims: [batch, time] },
      lengths: { data: Int32Array.from(texts, ({ length }) => length), dims: [batch] },
      positions: { data: Int32Array.from({ length: time }, (_, i) => i), dims: [time] },
    },
    ["vectors"],
  );
  const data = vectors?.data as Float32Array;
  return texts.map((_, row) => data.slice(row * hiddenSize, (row + 1) * hiddenSize));
}
