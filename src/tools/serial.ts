/** @file Work done one at a time, in order of asking; who waits is told for whom. */

/** Whose work it is. */
export interface Turn {
  /** Name of the tool. */
  readonly name: string;
  /** Called with words on what is waited for, also when that changes. */
  readonly onWait?: (words: string) => void;
}

/** One at a time. A wait ends early when its signal does. Without `turn` the wait is not counted, and nameless. */
export type Exclusive = <T>(signal: AbortSignal, work: () => Promise<T>, turn?: Turn) => Promise<T>;

/** More would not begin within a client's patience; an assistant that asks for a few topics at once is still served. */
const MOST_WAITING = 8;

interface Waiting {
  readonly turn: Turn | undefined;
  readonly start: () => void;
}

export function serialQueue(mostWaiting = MOST_WAITING): Exclusive {
  const waiting: Waiting[] = [];
  let underWay: { readonly name: string } | undefined;
  const tell = (): void => {
    for (const { turn } of waiting) turn?.onWait?.(`waits for ${underWay?.name}, which is under way`);
  };
  const begin = (turn: Turn | undefined): void => {
    underWay = { name: turn?.name ?? "another call" };
    tell();
  };
  const end = (): void => {
    underWay = undefined;
    waiting.shift()?.start();
  };
  const wait = (signal: AbortSignal, turn: Turn | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(signal.reason);
      };
      const start = (): void => {
        signal.removeEventListener("abort", leave);
        begin(turn);
        resolve();
      };
      const entry = { turn, start };
      waiting.push(entry);
      signal.addEventListener("abort", leave, { once: true });
      tell();
    });
  return async (signal, work, turn) => {
    signal.throwIfAborted();
    if (underWay === undefined) begin(turn);
    else {
      if (turn !== undefined && waiting.length >= mostWaiting) throw new Error(tooMany(turn, underWay.name, waiting));
      await wait(signal, turn);
    }
    try {
      return await work();
    } finally {
      end();
    }
  };
}

function tooMany({ name }: Turn, underWay: string, waiting: readonly Waiting[]): string {
  const names = [...new Set(waiting.map(({ turn }) => turn?.name ?? "another call"))].join(", ");
  return (
    `${waiting.length} ${waiting.length === 1 ? "call waits" : "calls wait"} already (${names}), for ${underWay}, which is under way: nothing was begun. ` +
    `Wait for their results, then call ${name} again`
  );
}
