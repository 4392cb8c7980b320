/** @file What the demo shows on stderr while it works: bars at a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";

export interface Display {
  /** Starts a phase; the one before ends. */
  phase(title: string, total: number): void;
  progress(done: number, total: number, note?: string): void;
  /** One more of the phase's total is done. */
  step(note: string): void;
  line(text: string): void;
  /** Ends the phase under way. */
  end(): void;
}

export function createDisplay(stream: NodeJS.WriteStream): Display {
  return stream.isTTY ? barDisplay(stream) : lineDisplay((text) => stream.write(`${text}\n`));
}

/** A line when a phase starts and at each quarter, so that a log stays short. */
export function lineDisplay(write: (line: string) => void): Display {
  let phase = { title: "", total: 0, done: 0, quarter: 0 };
  const progress: Display["progress"] = (done, total, note) => {
    const quarter = Math.floor((4 * done) / Math.max(1, total));
    if (quarter === phase.quarter || total < 8) return;
    phase.quarter = quarter;
    write(`  ${phase.title}: ${done} of ${total}${note === undefined ? "" : ` (${note})`}`);
  };
  return {
    phase: (title, total) => {
      phase = { title, total, done: 0, quarter: 0 };
      write(title);
    },
    progress,
    step: (note) => {
      phase.done += 1;
      progress(phase.done, phase.total, note);
    },
    line: write,
    end: () => undefined,
  };
}

/** Wide enough for the longest title, so that the bars stand in one column. */
const TITLE_WIDTH = 34;

function barDisplay(stream: NodeJS.WriteStream): Display {
  let bar: SingleBar | undefined;
  const end = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    phase: (title, total) => {
      end();
      const format = `${title.padEnd(TITLE_WIDTH)} {bar} {percentage} %  {note}`;
      bar = new SingleBar({
        stream,
        format,
        hideCursor: true,
        barsize: 28,
        fps: 8,
        gracefulExit: false,
        barCompleteChar: "━",
        barIncompleteChar: "·",
      });
      bar.start(Math.max(1, total), 0, { note: "" });
    },
    progress: (done, total, note) => {
      bar?.setTotal(Math.max(1, total));
      bar?.update(done, { note: note ?? "" });
    },
    step: (note) => bar?.increment(1, { note }),
    line: (text) => {
      end();
      stream.write(`${text}\n`);
    },
    end,
  };
}

/** A table of two columns. */
export function textTable(rows: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join("\n");
}
