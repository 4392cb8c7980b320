/** @file A process of our own that owns sessions and answers calls: started, spoken to by number, and ended. */
import { type ChildProcess, fork } from "node:child_process";

/** A session lets go of its memory in well under this; after it the process is killed. */
const CLOSE_GRACE_MS = 2000;

/** Whoever waits for the answer of a call. */
export interface Caller {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export interface CallProcessWords {
  /** As errors name it: "the engine process". */
  readonly name: string;
  /** What to do when it has ended by itself. */
  readonly advice: string;
  /** What calls after {@link CallProcess.close} are told. */
  readonly closed: string;
}

/** `hear` is given each message with the caller of its call, and says whether the call is over with it. */
export class CallProcess<To extends object, From extends { readonly id: number }, C extends Caller> {
  private readonly child: ChildProcess;
  private readonly callers = new Map<number, C>();
  private readonly exited: Promise<void>;
  private nextId = 1;
  /** Why there are no more calls. */
  gone: Error | undefined;

  constructor(
    entry: URL,
    private readonly words: CallProcessWords,
    hear: (message: From, caller: C) => boolean,
  ) {
    // Its stdout joins stderr: stdout of this process may carry a protocol.
    this.child = fork(entry, { serialization: "advanced", stdio: ["ignore", 2, 2, "ipc"], execArgv: [] });
    this.child.on("message", (message) => {
      const heard = message as From;
      const caller = this.callers.get(heard.id);
      if (caller !== undefined && hear(heard, caller)) this.callers.delete(heard.id);
    });
    this.exited = new Promise((resolve) => {
      this.child.once("exit", (code, signal) => {
        this.end(new Error(`${words.name} ended (${signal ?? `exit code ${code}`})${words.advice}`));
        resolve();
      });
      this.child.once("error", (cause) => {
        this.end(new Error(`${words.name} could not be started: ${cause.message}`, { cause }));
        resolve();
      });
    });
  }

  /** Gives the number of a new call; its message is sent by {@link send}. */
  enter(caller: C): number {
    const id = this.nextId;
    this.nextId += 1;
    this.callers.set(id, caller);
    return id;
  }

  send(message: To): void {
    if (this.child.connected) this.child.send(message);
  }

  /** Ends the process: by closing its channel, by force after a grace time. */
  async close(): Promise<void> {
    this.gone ??= new Error(this.words.closed);
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), CLOSE_GRACE_MS);
    await this.exited;
    clearTimeout(timer);
  }

  private end(reason: Error): void {
    this.gone ??= reason;
    for (const { reject } of this.callers.values()) reject(this.gone);
    this.callers.clear();
  }
}

/** An error that another process told of. */
export const toldError = ({ message, name }: { readonly message: string; readonly name: string }): Error =>
  Object.assign(new Error(message), { name });
