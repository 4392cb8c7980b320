/** @file Entry of an embedding process: owns the session of one encoder and answers calls, one after another. */
import { openSentenceTransformerDir } from "../checkpoint/index.js";
import { type EmbedSession, openEmbedSession } from "./embed-program.js";
import type { EmbedCall, FromEmbedProcess, ToEmbedProcess } from "./embed-protocol.js";

let session: EmbedSession | undefined;

async function answer(call: EmbedCall): Promise<readonly Float32Array[]> {
  if (call.method === "open") {
    session = await openEmbedSession(await openSentenceTransformerDir(call.model), call.threads);
    return [];
  }
  if (session === undefined) throw new Error("internal: the embedding process was called before it was opened");
  return session.run(call.texts);
}

async function handle({ id, call }: ToEmbedProcess): Promise<void> {
  const say = (message: FromEmbedProcess): void => void process.send?.(message);
  try {
    say({ kind: "result", id, vectors: await answer(call) });
  } catch (error) {
    const { message, name } = error as Error;
    say({ kind: "error", id, message, name });
  }
}

let queue: Promise<void> = Promise.resolve();
process.on("message", (message: ToEmbedProcess) => {
  queue = queue.then(() => handle(message));
});
// Ctrl-C reaches the whole process group: the parent decides what it means, and its end is ours.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit(0));
