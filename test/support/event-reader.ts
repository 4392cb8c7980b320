/** @file Reads TensorBoard's event files, as tensorboard/compat/proto/event.proto and summary.proto lay them out. */
import { readFile } from "node:fs/promises";

export interface ReadEvent {
  readonly step: number;
  /** A session begins here: what other files hold from this step on is left out. */
  readonly starts: boolean;
  readonly scalars: Readonly<Record<string, number>>;
}

interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

function fieldsOf(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = tag >> 3;
    switch (tag & 7) {
      case 0:
        fields.push({ number, value: varint() });
        break;
      case 1:
        fields.push({ number, value: view.getFloat64(at, true) });
        at += 8;
        break;
      case 2: {
        const length = varint();
        fields.push({ number, value: bytes.subarray(at, at + length) });
        at += length;
        break;
      }
      case 5:
        fields.push({ number, value: view.getFloat32(at, true) });
        at += 4;
        break;
      default:
        throw new Error(`wire type ${tag & 7} at ${at}`);
    }
  }
  return fields;
}

const all = (fields: readonly Field[], number: number): Uint8Array[] =>
  fields.flatMap((field) => (field.number === number && field.value instanceof Uint8Array ? [field.value] : []));
const one = (fields: readonly Field[], number: number): number =>
  Number(fields.find((field) => field.number === number)?.value ?? 0);

/** The events of a file in their order, without the first, which says its version. */
export async function readEvents(path: string): Promise<ReadEvent[]> {
  const bytes = new Uint8Array(await readFile(path));
  const events: ReadEvent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(0, true));
    const fields = fieldsOf(bytes.subarray(at + 12, at + 12 + length));
    const values = all(fields, 5).flatMap((summary) => all(fieldsOf(summary), 1).map(fieldsOf));
    const scalars = values.map((value) => [new TextDecoder().decode(all(value, 1)[0]), one(value, 2)] as const);
    events.push({
      step: one(fields, 2),
      starts: all(fields, 7).some((log) => one(fieldsOf(log), 1) === 1),
      scalars: Object.fromEntries(scalars),
    });
    at += length + 16;
  }
  return events.slice(1);
}

/** What TensorBoard shows of a folder of files: later sessions take back what earlier ones wrote from their start on. */
export function shown(files: readonly (readonly ReadEvent[])[], tag: string): [step: number, value: number][] {
  let points: [number, number][] = [];
  for (const event of files.flat()) {
    if (event.starts) points = points.filter(([step]) => step < event.step);
    const value = event.scalars[tag];
    if (value !== undefined) points.push([event.step, value]);
  }
  return points;
}
