/** @file The pairs of a run from its beginning, as far as they are wanted; pairs.jsonl only grows, or is cut back and made again. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { DataError } from "./data-source.js";
import type { Pair } from "./pair-filter.js";
import { dataError, uriOf, useChanges, useSource } from "./use-data.js";

/** Pairs in one request: their texts are long. */
const CHUNK = 100;

export interface Pairs {
  readonly pairs: readonly Pair[];
  /** Undefined until the first answer. */
  readonly total?: number;
  readonly error?: DataError;
  /** Whether all that is wanted is here. */
  readonly complete: boolean;
  retry(): void;
}

/** @param wanted so many from the beginning; Infinity is all */
export function usePairs(id: string, wanted: number): Pairs {
  const source = useSource();
  const [held, setHeld] = useState<{
    readonly pairs: readonly Pair[];
    readonly next: number;
    readonly total?: number;
    readonly error?: DataError;
  }>({ pairs: [], next: 0 });
  const [round, setRound] = useState(0);
  /** What is known, and the index that reading goes on at: lines that hold no pair leave gaps. */
  const read = useRef<{ readonly pairs: readonly Pair[]; readonly next: number }>({ pairs: [], next: 0 });
  const again = useCallback(() => setRound((n) => n + 1), []);
  useChanges(uriOf(id, "pairs"), again);
  // `round` asks again.
  useEffect(() => {
    let stopped = false;
    void (async () => {
      try {
        for (;;) {
          const { pairs, next } = read.current;
          const page = await source.pairs(id, next, Math.min(CHUNK, Math.max(1, wanted - next)));
          if (stopped) return;
          // Fewer than are known: a round was taken back, and what was read may be made anew.
          const cut = page.total < next;
          read.current = cut
            ? { pairs: [], next: 0 }
            : { pairs: [...pairs, ...page.pairs], next: page.next ?? page.total };
          setHeld({ ...read.current, total: page.total });
          if (!cut && read.current.next >= Math.min(wanted, page.total)) return;
        }
      } catch (error) {
        if (!stopped) setHeld((before) => ({ ...before, error: dataError(error) }));
      }
    })();
    return () => {
      stopped = true;
    };
  }, [source, id, wanted, round]);
  const complete = held.total !== undefined && held.next >= Math.min(wanted, held.total);
  return { ...held, complete, retry: again };
}
