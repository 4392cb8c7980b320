/** @file Numbers and times as people read them: units, a space that does not break, no more digits than say something. */

const NBSP = "\u00a0";
const whole = new Intl.NumberFormat("en");

export const count = (value: number): string => whole.format(value);

/** "1 pair", "24 pairs". */
export const counted = (value: number, noun: string): string =>
  `${count(value)}${NBSP}${noun}${value === 1 ? "" : "s"}`;

/** Four significant digits; very small and very large ones with an exponent. */
export function decimal(value: number): string {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2).replace("-", "−");
  return value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4).replace("-", "−");
}

export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)}${NBSP}%`;

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), UNITS.length - 1);
  const scaled = value / 1024 ** power;
  return `${power === 0 || scaled >= 100 ? scaled.toFixed(0) : scaled.toFixed(1)}${NBSP}${UNITS[power]}`;
}

/** "just now", "12 s ago", "3 min ago", "5 h ago", then days. */
export function ago(iso: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (!Number.isFinite(seconds)) return iso;
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)}${NBSP}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NBSP}min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}${NBSP}h ago`;
  return `${counted(Math.floor(seconds / 86_400), "day")} ago`;
}

/** A moment in the reader's own time zone. */
export const moment = (iso: string): string =>
  Number.isNaN(Date.parse(iso))
    ? iso
    : new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
