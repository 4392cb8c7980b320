/** @file Tasks on disk, a file each. It knows nothing of protocols and of work. */
import { mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeWhole } from "../../agents/write-whole.js";
import { isExpired, isFinal, type TaskRecord, taskRecordSchema } from "./task-record.js";

/** Results are small, but a client may never come back for them. */
const MOST_TASKS = 500;

const TASK_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface StoredTasks {
  /** Oldest first. */
  readonly records: readonly TaskRecord[];
  /** Of files that cannot be read as tasks: which, and why. */
  readonly damaged: readonly string[];
}

export class TaskStore {
  readonly directory: string;

  constructor(
    home: string,
    private readonly mostTasks = MOST_TASKS,
  ) {
    this.directory = join(home, "tasks");
  }

  /** Returns when the task is on the disk. Throws where there are too many that have not ended. */
  async add(record: TaskRecord): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    await this.makeRoom();
    await this.save(record);
  }

  save(record: TaskRecord): Promise<void> {
    return writeWhole(this.file(record.taskId), `${JSON.stringify(record)}\n`);
  }

  /** Undefined where there is none, or where it has expired. Throws where the file is damaged. */
  async read(taskId: string): Promise<TaskRecord | undefined> {
    // Ids come from clients, and become the name of a file.
    if (!TASK_ID.test(taskId)) return undefined;
    const record = await this.parsed(taskId);
    if (record === undefined || !isExpired(record)) return record;
    await rm(this.file(taskId), { force: true });
    return undefined;
  }

  async all(): Promise<StoredTasks> {
    const names = await readdir(this.directory).catch(() => []);
    const ids = names.flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -".json".length)] : []));
    const damaged: string[] = [];
    const found = await Promise.all(
      ids.map((id) =>
        this.read(id).catch((error: Error) => {
          damaged.push(error.message);
          return undefined;
        }),
      ),
    );
    const records = found.filter((record) => record !== undefined);
    return { records: records.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1)), damaged };
  }

  /** Says that the task's process is still there. */
  async freshen(taskId: string): Promise<void> {
    const now = new Date();
    await utimes(this.file(taskId), now, now).catch(() => undefined);
  }

  /** Since the file was last written or freshened. */
  async freshMs(taskId: string): Promise<number> {
    const { mtimeMs } = await stat(this.file(taskId));
    return Date.now() - mtimeMs;
  }

  private file(taskId: string): string {
    return join(this.directory, `${taskId}.json`);
  }

  private async parsed(taskId: string): Promise<TaskRecord | undefined> {
    const file = this.file(taskId);
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const record = taskRecordSchema.parse(JSON.parse(text));
      if (record.taskId !== taskId) throw new Error(`it says that it is task ${record.taskId}`);
      return record;
    } catch (cause) {
      const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
      throw new Error(`${file} is damaged (${reason}): remove it and call the tool again`, { cause });
    }
  }

  /** Those that ended first go first. */
  private async makeRoom(): Promise<void> {
    const { records } = await this.all();
    const surplus = records.length + 1 - this.mostTasks;
    if (surplus <= 0) return;
    const ended = records.filter(isFinal).slice(0, surplus);
    if (ended.length < surplus)
      throw new Error(
        `${records.length} tasks have not ended: wait for them, or cancel some, then call the tool again`,
      );
    await Promise.all(ended.map(({ taskId }) => rm(this.file(taskId), { force: true })));
  }
}
