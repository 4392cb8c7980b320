/** @file The parent's end of an embedding process: calls and their answers, and its end. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EmbedCall, FromEmbedProcess, ToEmbedProcess } from "./embed-protocol.js";

const ENTRY = fileURLToPath(new URL("./embed-process.js", import.meta.url));
/** A session lets go of its memory in well under this; after it the process is killed. */
const CLOSE_GRACE_MS = 2000;

interface Pending {
  readonly resolve: (vectors: readonly Float32Array[]) => void;
  readonly reject: (error: Error) => void;
}

export class EmbedRemote {
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, Pending>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  private gone: Error | undefined;

  constructor() {
    // Its stdout joins stderr: stdout of this process may carry a protocol.
    this.child = fork(ENTRY, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"], execArgv: [] });
    this.child.on("message", (message) => this.receive(message as FromEmbedProcess));
    this.exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        this.end(
          new Error(`the embedding process ended (${signal ?? `exit code ${code}`}); the next call starts another`),
        );
        resolve();
      });
      this.child.once("error", (cause) => {
        this.end(new Error(`the embedding process could not be started: ${cause.message}`, { cause }));
        resolve();
      });
    });
  }

  get ended(): boolean {
    return this.gone !== undefined;
  }

  call(call: EmbedCall): Promise<readonly Float32Array[]> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      const message: ToEmbedProcess = { id, call };
      if (this.child.connected) this.child.send(message);
    });
  }

  private receive(message: FromEmbedProcess): void {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    if (message.kind === "result") pending?.resolve(message.vectors);
    else pending?.reject(Object.assign(new Error(message.message), { name: message.name }));
  }

  private end(reason: Error): void {
    this.gone ??= reason;
    for (const { reject } of this.pending.values()) reject(this.gone);
    this.pending.clear();
  }

  /** Ends the process: by closing its channel, by force after a grace time. */
  async close(): Promise<void> {
    this.gone ??= new Error("the embedder was closed");
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), CLOSE_GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
