/** @file A value that is made when it is first asked for, and closed only if it was made. */

export interface Lazy<T> {
  (): Promise<T>;
  /** Runs `close` on the value where there is one; a value in the making is awaited. */
  closeWith(close: (value: T) => Promise<void>): Promise<void>;
}

/** One making at a time; a making that failed is tried again at the next call. */
export function lazy<T>(make: () => Promise<T>): Lazy<T> {
  let made: Promise<T> | undefined;
  const get = (): Promise<T> => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  const closeWith = async (close: (value: T) => Promise<void>): Promise<void> => {
    const current = made;
    made = undefined;
    const value = await current?.catch(() => undefined);
    if (value !== undefined) await close(value);
  };
  return Object.assign(get, { closeWith });
}
