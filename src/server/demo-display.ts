/** @file What the demo shows on stderr while it works: bars at a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";

export interface Display {
  /** Starts a phase; the one before ends. */
  phase(title: string, total: number): void;
  progress(done: number, total: number, note?: string): void;
  line(text: string): void;
  /** Ends the phase under way. */
  end(): void;
}

export function createDisplay(stream: NodeJS.WriteStream): Display {
  return stream.isTTY ? barDisplay(stream) : lineDisplay((text) => stream.write(`${text}\n`));
}

/** A line when a phase starts and at each quarter, so that a log stays short. */
export function lineDisplay(write: (line: string) => void): Display {
  let title = "";
  let quarter = 0;
  return {
    phase: (next) => {
      title = next;
      quarter = 0;
      write(title);
    },
    progress: (done, total, note) => {
      const now = Math.floor((4 * done) / Math.max(1, total));
      if (now === quarter || total < 8) return;
      quarter = now;
      write(`  ${title}: ${done} of ${total}${note === undefined ? "" : ` (${note})`}`);
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
      bar = new SingleBar({ stream, format, hideCursor: true, barsize: 28, fps: 8, gracefulExit: false, barCompleteChar: "━", barIncompleteChar: "·" });
      bar.start(Math.max(1, total), 0, { note: "" });
    },
    progress: (done, total, note) => {
      bar?.setTotal(Math.max(1, total));
      bar?.update(done, { note: note ?? "" });
    },
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
