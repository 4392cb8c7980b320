/** @file Replies kept by content in a folder, one file each, so that a resumed run asks nothing twice. Knows no LangChain. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

/** Plain JSON that makes a reply again. */
export type KeptReply = Readonly<Record<string, unknown>>;

export interface CallCache {
  /** The reply kept under `key`, or the one that `ask` brings, which is kept. The same key is asked for once at a time. */
  get(key: string, ask: () => Promise<KeptReply>): Promise<{ readonly reply: KeptReply; readonly kept: boolean }>;
}

const entrySchema = z.object({
  format: z.literal("preflexor-call"),
  version: z.literal(1),
  key: z.string(),
  sha256: z.string(),
  reply: z.record(z.string(), z.unknown()),
});

/** `onDamaged` hears of entries that cannot be used: they are asked for again and replaced. */
export function openCallCache(folder: string, onDamaged: (file: string, why: string) => void): CallCache {
  const asking = new Map<string, Promise<unknown>>();
  const fileOf = (key: string): string => join(folder, key.slice(0, 2), `${key}.json`);
  const askAndKeep = async (key: string, ask: () => Promise<KeptReply>) => {
    const file = fileOf(key);
    const found = await readEntry(file, key, onDamaged);
    if (found !== undefined) return { reply: found, kept: true };
    const reply = await ask();
    await writeEntry(file, key, reply);
    return { reply, kept: false };
  };
  return {
    async get(key, ask) {
      // Whoever waited finds the reply kept, or asks for itself where the other was aborted or failed.
      for (let other = asking.get(key); other !== undefined; other = asking.get(key))
        await other.catch(() => undefined);
      const own = askAndKeep(key, ask);
      asking.set(key, own);
      try {
        return await own;
      } finally {
        asking.delete(key);
      }
    },
  };
}

const digest = (reply: unknown): string => createHash("sha256").update(JSON.stringify(reply)).digest("hex");

async function readEntry(
  file: string,
  key: string,
  onDamaged: (file: string, why: string) => void,
): Promise<KeptReply | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`the cached reply ${file} cannot be read: remove it or choose another folder`, { cause: error });
  }
  try {
    const entry = entrySchema.parse(JSON.parse(text));
    if (entry.key !== key) throw new Error(`expected the key ${key}, found ${entry.key}`);
    if (entry.sha256 !== digest(entry.reply))
      throw new Error("the reply does not have the digest that is written beside it");
    return entry.reply;
  } catch (error) {
    onDamaged(file, error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message);
    return undefined;
  }
}

/** The entry takes its name only when it is on the disk. */
async function writeEntry(file: string, key: string, reply: KeptReply): Promise<void> {
  const staged = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  const entry = { format: "preflexor-call", version: 1, key, sha256: digest(reply), reply };
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeDurably(staged, JSON.stringify(entry));
    await rename(staged, file);
  } catch (error) {
    await rm(staged, { force: true }).catch(() => undefined);
    throw new Error(`the reply of a model cannot be kept in ${file}: make room or choose another folder`, {
      cause: error,
    });
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, "w");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
