/**
 * @file A process of its own: bytes per second that threads read from memory together. Each searches its own part of a buffer,
 * far larger than the caches, for a byte that is not there (Buffer.indexOf, the C library's vectorised search).
 * Argument: threads; prints a number.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const PART_BYTES = 128 << 20;
const ROUNDS = 12;

if (isMainThread) {
  const threads = Number(process.argv[2] ?? 2);
  const shared = { memory: new SharedArrayBuffer(threads * PART_BYTES), arrived: new SharedArrayBuffer(4), threads };
  const seconds = await Promise.all(
    Array.from({ length: threads }, (_, part) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { ...shared, part } });
      return new Promise<number[]>((resolve, reject) => worker.once("message", resolve).once("error", reject));
    }),
  );
  // A round takes as long as its slowest thread; the best round counts, as others' work only lowers it.
  const rounds = Array.from({ length: ROUNDS }, (_, round) => Math.max(...seconds.map((of) => of[round] as number)));
  process.stdout.write(`${(threads * PART_BYTES) / Math.min(...rounds)}\n`);
} else {
  const { memory, arrived, threads, part } = workerData as {
    memory: SharedArrayBuffer;
    arrived: SharedArrayBuffer;
    threads: number;
    part: number;
  };
  const bytes = Buffer.from(memory, part * PART_BYTES, PART_BYTES).fill(0);
  const count = new Int32Array(arrived);
  const seconds: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    Atomics.add(count, 0, 1);
    while (Atomics.load(count, 0) < round * threads);
    const started = performance.now();
    if (bytes.indexOf(1) !== -1) throw new Error("internal: the buffer is not empty");
    seconds.push((performance.now() - started) / 1000);
  }
  parentPort?.postMessage(seconds);
}
