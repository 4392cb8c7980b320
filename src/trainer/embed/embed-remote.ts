/** @file The parent's end of an embedding process: calls and their answers, and its end. */
import { CallProcess, toldError } from "../runtime/index.js";
import type { EmbedCall, FromEmbedProcess, ToEmbedProcess } from "./embed-protocol.js";

const WORDS = {
  name: "the embedding process",
  advice: "; the next call starts another",
  closed: "the embedder was closed",
};

interface Pending {
  readonly resolve: (vectors: readonly Float32Array[]) => void;
  readonly reject: (error: Error) => void;
}

export class EmbedRemote {
  private readonly process = new CallProcess<ToEmbedProcess, FromEmbedProcess, Pending>(
    new URL("./embed-process.js", import.meta.url),
    WORDS,
    (message, { resolve, reject }) => {
      if (message.kind === "result") resolve(message.vectors);
      else reject(toldError(message));
      return true;
    },
  );

  get ended(): boolean {
    return this.process.gone !== undefined;
  }

  call(call: EmbedCall): Promise<readonly Float32Array[]> {
    if (this.process.gone !== undefined) return Promise.reject(this.process.gone);
    return new Promise((resolve, reject) => {
      this.process.send({ id: this.process.enter({ resolve, reject }), call });
    });
  }

  close(): Promise<void> {
    return this.process.close();
  }
}
