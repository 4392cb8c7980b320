/** @file What the demo shows on stderr while it works: bars at a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";
import type { DemoReasoning } from "./demo-result.js";

export interface Display {
  /** Starts a phase; the one before ends. */
  phase(title: string, total: number): void;
  progress(done: number, total: number, note?: string): void;
  /** One more of the phase's total is done. */
  step(note: string): void;
  line(text: string): void;
  /** Ends the phase under way. */
  end(): void;
  /** Writes a last line; whatever still comes is not shown. */
  close(text: string): void;
}

export function createDisplay(stream: NodeJS.WriteStream): Display {
  return stream.isTTY ? barDisplay(stream) : lineDisplay((text) => stream.write(`${text}\n`));
}

/** A line when a phase starts and at each quarter, so that a log stays short. */
export function lineDisplay(write: (line: string) => void): Display {
  let phase = { title: "", total: 0, done: 0, quarter: 0 };
  let closed = false;
  const show = (text: string): void => {
    if (!closed) write(text);
  };
  const progress: Display["progress"] = (done, total, note) => {
    const quarter = Math.floor((4 * done) / Math.max(1, total));
    const reached = quarter > phase.quarter;
    // It may also fall: a phase can have parts.
    phase.quarter = quarter;
    if (reached && total >= 8) show(`  ${phase.title}: ${done} of ${total}${note ? ` (${note})` : ""}`);
  };
  return {
    phase: (title, total) => {
      phase = { title, total, done: 0, quarter: 0 };
      show(title);
    },
    progress,
    step: (note) => {
      phase.done += 1;
      progress(phase.done, phase.total, note);
    },
    line: show,
    end: () => undefined,
    close: (text) => {
      show(text);
      closed = true;
    },
  };
}

/** Wide enough for the longest title, so that the bars stand in one column. */
const TITLE_WIDTH = 34;
const WIDE_TERMINAL = 100;

function newBar(stream: NodeJS.WriteStream, title: string): SingleBar {
  return new SingleBar({
    stream,
    format: `${title.padEnd(TITLE_WIDTH)} {bar} {percentage} %  {note}`,
    autopadding: true,
    hideCursor: true,
    barsize: stream.columns >= WIDE_TERMINAL ? 28 : 14,
    fps: 8,
    gracefulExit: false,
    barCompleteChar: "━",
    barIncompleteChar: "·",
  });
}

/** A phase of one step is a line: a bar would stand at nothing and then be gone. */
function barDisplay(stream: NodeJS.WriteStream): Display {
  let phase = { title: "", total: 0, done: 0 };
  let bar: SingleBar | undefined;
  let closed = false;
  const end = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const show = (text: string): void => {
    if (closed) return;
    end();
    stream.write(`${text}\n`);
  };
  const progress: Display["progress"] = (done, total, note = "") => {
    if (closed) return;
    phase.done = done;
    if (phase.total <= 1) {
      if (note !== "") show(`  ${note}`);
      return;
    }
    if (bar === undefined) {
      // After a line in the middle of a phase, the rest of it has a bar of its own.
      bar = newBar(stream, phase.title);
      bar.start(Math.max(1, total), done, { note });
    } else {
      bar.setTotal(Math.max(1, total));
      bar.update(done, { note });
    }
  };
  return {
    phase: (title, total) => {
      end();
      phase = { title, total, done: 0 };
      if (total <= 1) show(`${title} …`);
      else progress(0, total);
    },
    progress,
    step: (note) => progress(phase.done + 1, phase.total, note),
    line: show,
    end,
    close: (text) => {
      // Behind the ^C that the terminal shows.
      show(`\n${text}`);
      closed = true;
    },
  };
}

/** A table of two columns. */
export function textTable(rows: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join("\n");
}

/** More lines of one text than this would push the table off the screen; the report has all of them. */
const LINES_SHOWN = 8;

function block(text: string, otherwise: string): string {
  const lines = (text.trim() || otherwise).split("\n");
  const more = lines.length - LINES_SHOWN;
  const shown = more > 1 ? [...lines.slice(0, LINES_SHOWN), `… ${more} more lines, in the report`] : lines;
  return shown.map((line) => `    ${line}`).join("\n");
}

/** The rounds of a recursion with their thinking, then the answer. */
export function reasoningText({ question, rounds, answer }: DemoReasoning): string {
  const shown = rounds.map(
    (round, i) =>
      `  round ${i + 1}, score ${round.score.toFixed(2)}\n${block(round.thinking, "(no thinking)")}\n${block(`→ ${round.answer || "(no answer)"}`, "")}`,
  );
  return [`Question: ${question}`, ...shown, "  answer", block(answer, "(no answer)")].join("\n");
}
