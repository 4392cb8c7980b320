/** @file TensorBoard's event files: scalars by step, as records of length, data and checksums. */
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MessageWriter } from "../onnx/index.js";
import { maskedCrc32c } from "./crc32c.js";

/** Field numbers of event.proto and summary.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
const SESSION_START = 1;

/** One record: its length, the length's checksum, the data, and the data's checksum. */
export function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return bytes;
}

function event(wallTime: number, step: number, fill: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter().double(EVENT.wallTime, wallTime).int(EVENT.step, step);
  fill(writer);
  return record(writer.finish());
}

export interface EventFile {
  readonly path: string;
  /** One event; tags are written as they are. */
  scalars(step: number, values: Readonly<Record<string, number>>): Promise<void>;
}

/**
 * A new file in `directory`, beside those of earlier processes. What they wrote past `step` TensorBoard then leaves out,
 * because a session begins there.
 */
export async function openEventFile(directory: string, step: number, now: () => number = Date.now): Promise<EventFile> {
  await mkdir(directory, { recursive: true });
  const started = now();
  const path = join(directory, `events.out.tfevents.${Math.floor(started / 1000)}.preflexor.${process.pid}.${step}`);
  const version = event(started / 1000, 0, (writer) => writer.string(EVENT.fileVersion, "brain.Event:2"));
  const session = event(started / 1000, step + 1, (writer) =>
    writer.message(EVENT.sessionLog, (log) => log.int(1, SESSION_START)),
  );
  await appendFile(path, Buffer.concat([version, session]));
  return {
    path,
    scalars: (at, values) =>
      appendFile(
        path,
        event(now() / 1000, at, (writer) =>
          writer.message(EVENT.summary, (summary) => {
            for (const [tag, value] of Object.entries(values)) {
              summary.message(1, (scalar) => scalar.string(1, tag).float(2, value));
            }
          }),
        ),
      ),
  };
}
