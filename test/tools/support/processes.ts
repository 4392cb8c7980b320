/** @file Which processes a server has started, where the system tells (Linux); elsewhere there are none to see. */
import { readdir, readFile } from "node:fs/promises";

async function running(): Promise<Map<number, { readonly parent: number; readonly command: string }>> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries = await Promise.all(
    pids.map(async (pid) => {
      const [status, command] = await Promise.all(
        ["status", "cmdline"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
      );
      const parent = Number(/^PPid:\s*(\d+)/m.exec(status ?? "")?.[1] ?? 0);
      // What has ended and only waits to be reaped is no longer running.
      const ended = status === "" || /^State:\s*Z/m.test(status ?? "");
      return [pid, { parent, command: ended ? "" : (command ?? "").replaceAll("\0", " ").trim() }] as const;
    }),
  );
  return new Map(entries.filter(([, { command }]) => command !== ""));
}

/** Children, their children and so on, as pids; `naming` adds processes whose command line has that text. */
export async function descendants(root: number, naming: string): Promise<number[]> {
  const all = await running();
  const found = new Set([root]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [pid, { parent, command }] of all) if (found.has(parent) || command.includes(naming)) found.add(pid);
  }
  found.delete(root);
  return [...found];
}

/** Command lines of those that still run after a moment. */
export async function survivors(pids: readonly number[]): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const all = await running();
    const left = pids.map((pid) => all.get(pid)?.command).filter((command) => command !== undefined);
    if (left.length === 0 || attempt === 30) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The command line of a process, or nothing where it has ended or cannot be seen. */
export async function commandOf(pid: number): Promise<string> {
  return (await running()).get(pid)?.command ?? "";
}
