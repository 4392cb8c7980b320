/** @file Search for fixed strings in a text that comes in pieces: what may be the beginning of one is held back. */

export interface ScanHit {
  readonly found: string;
  /** Text in front of the hit, beyond what was returned before. */
  readonly before: string;
  /** Text behind it, not searched yet. */
  readonly after: string;
}

export interface TextScan {
  /** The next hit, or the text that no hit can reach any more. */
  push(text: string): ScanHit | string;
  /** What was held back. */
  finish(): string;
}

/**
 * The hit that ends first, and of those the longest: what a search letter by letter finds, so that it does not depend on how
 * the text is cut. After a hit the scan is empty again.
 */
export function createTextScan(needles: readonly string[]): TextScan {
  const longest = needles.reduce((most, needle) => Math.max(most, needle.length), 0);
  let held = "";
  return {
    push(text) {
      const whole = held + text;
      const hit = firstHit(whole, needles);
      if (hit !== undefined) {
        held = "";
        return {
          found: hit.needle,
          before: whole.slice(0, hit.start),
          after: whole.slice(hit.start + hit.needle.length),
        };
      }
      const end = whole.length - openLength(whole, needles, longest);
      held = whole.slice(end);
      return whole.slice(0, end);
    },
    finish() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

function firstHit(text: string, needles: readonly string[]): { needle: string; start: number } | undefined {
  let best: { needle: string; start: number; end: number } | undefined;
  for (const needle of needles) {
    const start = needle === "" ? -1 : text.indexOf(needle);
    if (start < 0) continue;
    const end = start + needle.length;
    if (best === undefined || end < best.end || (end === best.end && start < best.start)) best = { needle, start, end };
  }
  return best;
}

/** Length of the longest end of `text` that a needle begins with. */
function openLength(text: string, needles: readonly string[], longest: number): number {
  for (let length = Math.min(longest - 1, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (needles.some((needle) => needle.length > length && needle.startsWith(end))) return length;
  }
  return 0;
}
