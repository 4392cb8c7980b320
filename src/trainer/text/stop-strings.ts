/** @file Stop strings in a reply that comes in pieces. */
import { createTextScan } from "./text-scan.js";

export interface StopSearch {
  /** Text that is certain to be in the reply, beyond what was returned before; nothing more once a stop string was found. */
  push(text: string): string;
  /** What was held back because it might have become a stop string. */
  finish(): string;
  /** The stop string that ended the reply. */
  readonly found: string | undefined;
}

/** The reply ends in front of the stop string that is complete first. */
export function createStopSearch(stops: readonly string[]): StopSearch {
  const scan = createTextScan(stops);
  let found: string | undefined;
  return {
    push(text) {
      if (found !== undefined) return "";
      const result = scan.push(text);
      if (typeof result === "string") return result;
      found = result.found;
      return result.before;
    },
    finish: () => (found === undefined ? scan.finish() : ""),
    get found() {
      return found;
    },
  };
}
