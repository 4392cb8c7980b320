/** @file What a command at a terminal does around its work: a display, Ctrl-C, one message for a failure, and all of it closed again. */
import { createDisplay, type Display } from "./demo-display.js";
import { INTERRUPTED, onInterrupt } from "./interrupt.js";
import { createLog } from "./log.js";

export interface CommandFrame {
  readonly display: Display;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Called when the command ends, however it ends; what was added last comes first. */
  onEnd(close: () => unknown): void;
  /** From here on Ctrl-C is the command's own affair. */
  leaveInterrupts(): void;
}

export interface FrameOptions {
  /** With a failure, also its stack. */
  readonly verbose: boolean;
  /** Shown at the first Ctrl-C. */
  readonly stopping?: string;
  /** A failure in the words of the command line. */
  readonly explain?: (error: unknown) => unknown;
}

/** Resolves to the exit code: what the work returns, 1 after a failure, {@link INTERRUPTED} after a Ctrl-C. */
export async function runInFrame(
  { verbose, stopping = "stopping …", explain = (error) => error }: FrameOptions,
  work: (frame: CommandFrame) => Promise<number>,
): Promise<number> {
  const display = createDisplay(process.stderr);
  const controller = new AbortController();
  const { signal } = controller;
  const interrupt = onInterrupt(controller, () => display.close(stopping));
  const closing: (() => unknown)[] = [];
  try {
    return await work({
      display,
      signal,
      onEnd: (close) => closing.push(close),
      leaveInterrupts: interrupt.remove,
    });
  } catch (error) {
    display.end();
    if (signal.aborted) return INTERRUPTED;
    createLog(verbose).error(explain(error));
    return 1;
  } finally {
    for (const close of closing.toReversed()) await close();
    interrupt.remove();
  }
}
