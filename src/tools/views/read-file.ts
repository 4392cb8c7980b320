/** @file Small JSON files of a run, read once for each version of the file: no links, no pipes, nothing without end. */
import { openPlainFile } from "../../agents/teaching/growing-lines.js";

/** Summaries and graphs of runs stay far below; parsing more would hold up everything else. */
const MOST_BYTES = 64 << 20;

/** Text and time of a file. Undefined where it is missing; throws where it is a link, no file, or too large. */
export async function readPlainText(
  file: string,
  mostBytes = MOST_BYTES,
): Promise<{ readonly text: string; readonly changed: Date } | undefined> {
  const handle = await openPlainFile(file);
  if (handle === undefined) return undefined;
  try {
    const { size, mtime } = await handle.stat();
    if (size > mostBytes) throw new Error(`${file}: expected at most ${mostBytes} bytes, found ${size}`);
    return { text: await handle.readFile("utf8"), changed: mtime };
  } finally {
    await handle.close();
  }
}

/** Undefined where the file is missing, or holds no JSON: of a run that is being written, what can be read is shown. */
export async function readPlainJson(
  file: string,
): Promise<{ readonly json: unknown; readonly changed: Date } | undefined> {
  try {
    const read = await readPlainText(file);
    return read && { json: JSON.parse(read.text), changed: read.changed };
  } catch {
    return undefined;
  }
}
