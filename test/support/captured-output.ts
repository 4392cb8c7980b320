/** @file What this process would write to stdout and stderr, caught instead. */
import { vi } from "vitest";

/** Until `vi.restoreAllMocks()`. */
export function capturedOutput(): { out: string; err: string } {
  const written = { out: "", err: "" };
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written.err += String(text);
    return true;
  });
  return written;
}
