/** @file A client's transport to a real child process that keeps every line of its stdout. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";

export class RecordingTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly lines: string[] = [];
  readonly child: ChildProcessWithoutNullStreams;
  private readonly ended: Promise<number | null>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    // In "/", where assistants start their servers.
    this.child = spawn(process.execPath, [...args], { cwd: "/", env: { PATH: process.env["PATH"], ...env } });
    this.child.stderr.resume();
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line);
      try {
        this.onmessage?.(JSON.parse(line) as JSONRPCMessage);
      } catch (error) {
        this.onerror?.(error as Error);
      }
    });
  }

  async start(): Promise<void> {}

  async send(message: JSONRPCMessage): Promise<void> {
    this.child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** Ends the child's stdin and nothing more; resolves when it has ended by itself. */
  async close(): Promise<void> {
    this.child.stdin.end();
    await this.ended;
    this.onclose?.();
  }

  exitCode(): Promise<number | null> {
    return this.ended;
  }
}
