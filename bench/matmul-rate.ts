/** @file A process of its own: FLOP/s of a 2048³ float32 MatMul with a constant right side. Argument: threads; prints a number. */
import { tmpdir } from "node:os";
import { GraphBuilder } from "../dist/trainer/graph/index.js";
import { openSession } from "../dist/trainer/runtime/session.js";

const SIZE = 2048;
const RUNS = 12;

const threads = Number(process.argv[2] ?? 2);
const matrix = () => Float32Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 7919) % 1000) / 1000 - 0.5);
const g = new GraphBuilder();
const a = g.input("a", "float32", [SIZE, SIZE]);
g.output("product", g.matmul(a, g.floats("b", [SIZE, SIZE], matrix())));
const program = await openSession(g.build(), "matmul", { weightsFolder: tmpdir(), threads });
const feeds = { a: { data: matrix(), dims: [SIZE, SIZE] } };
let best = Number.POSITIVE_INFINITY;
for (let run = 0; run < RUNS; run += 1) {
  const started = performance.now();
  await program.run(feeds, ["product"]);
  best = Math.min(best, performance.now() - started);
}
await program.dispose();
process.stdout.write(`${(2 * SIZE ** 3) / (best / 1000)}\n`);
