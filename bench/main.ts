/** @file `npm run bench -- <name> [options]`: measures what dist/ does. One line of JSON on stdout, the rest on stderr. */
import { generateBench } from "./generate.js";
import { memoryBench } from "./memory.js";
import { serveBench } from "./serve.js";
import { serverBench } from "./server.js";
import { trainBench } from "./train.js";

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  train: trainBench,
  memory: memoryBench,
  generate: generateBench,
  serve: serveBench,
  server: serverBench,
};

const [name = "", ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  process.stderr.write(`expected one of ${Object.keys(BENCHES).join(", ")}, found "${name}"\n`);
  process.exit(2);
}
try {
  await bench(args);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
