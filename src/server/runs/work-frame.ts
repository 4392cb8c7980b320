/** @file A command's frame for work that a client asked for: what is shown goes to its progress, what is opened is closed again. */
import type { WorkHooks } from "../../tools/run-keeper.js";
import type { CommandFrame } from "../command-frame.js";

/** Phases of a work are counted one after the other: progress only grows. */
export async function inWorkFrame<T>(
  { signal, report }: WorkHooks,
  work: (frame: CommandFrame) => Promise<T>,
): Promise<T> {
  const closing: (() => unknown)[] = [];
  let [before, title, total, done] = [0, "", 0, 0];
  const tell = (note?: string): void =>
    report(before + done, before + total, note === undefined ? title : `${title}: ${note}`);
  const frame: CommandFrame = {
    signal,
    onEnd: (close) => closing.push(close),
    leaveInterrupts: () => undefined,
    display: {
      phase: (name, of) => {
        [before, title, total, done] = [before + total, name, of, 0];
        tell();
      },
      progress: (so, of, note) => {
        [done, total] = [so, of];
        tell(note);
      },
      step: (note) => {
        done += 1;
        tell(note);
      },
      line: (text) => tell(text),
      end: () => undefined,
      close: () => undefined,
    },
  };
  try {
    return await work(frame);
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}
