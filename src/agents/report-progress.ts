/** @file Work that calls back, as a generator that yields what it reports. */

/** Yields the latest report whenever the reader asks and there is a new one; returns what the work returns. */
export async function* withReports<R, T>(work: (report: (item: R) => void) => Promise<T>): AsyncGenerator<R, T> {
  let latest: { readonly item: R } | undefined;
  let wake: () => void = () => {};
  const done = { settled: false };
  const result = work((item) => {
    latest = { item };
    wake();
  }).finally(() => {
    done.settled = true;
    wake();
  });
  // The error is thrown by the `await` below; until then it must not count as unhandled.
  result.catch(() => {});
  while (!done.settled) {
    if (latest === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const { item } = latest;
    latest = undefined;
    yield item;
  }
  return await result;
}
