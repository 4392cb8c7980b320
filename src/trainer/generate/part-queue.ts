/** @file Values that one side puts in as they come and the other side takes out with `for await`. */

export interface PartQueue<T> extends AsyncIterable<T> {
  put(value: T): void;
  /** Nothing more comes; with an error, the taker gets it after what is in the queue. */
  end(error?: unknown): void;
}

/** For one taker. */
export function createPartQueue<T>(): PartQueue<T> {
  const values: T[] = [];
  let ended: { readonly error?: unknown } | undefined;
  let wake: () => void = () => undefined;
  return {
    put(value) {
      values.push(value);
      wake();
    },
    end(error) {
      ended ??= error === undefined ? {} : { error };
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (values.length > 0) yield values.shift() as T;
        if (ended !== undefined) {
          if ("error" in ended) throw ended.error;
          return;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
