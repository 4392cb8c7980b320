/** @file Data of the source as a component's state: loaded, kept up to date, and what to say where it fails. */
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { DataError, type DataSource, EVERYTHING } from "./data-source.js";

export interface Changed {
  /** Calls back on every change; returns what ends it. */
  listen(listener: (uri: string) => void): () => void;
}

/** Of a run, or of a part of it. */
export const uriOf = (run: string, part?: string): string =>
  `preflexor://runs/${encodeURIComponent(run)}${part === undefined ? "" : `/${part}`}`;

export const SourceContext = createContext<DataSource | undefined>(undefined);
export const ChangedContext = createContext<Changed | undefined>(undefined);

export function useSource(): DataSource {
  const source = useContext(SourceContext);
  if (source === undefined) throw new Error("internal: no data source above this component");
  return source;
}

/** Calls back when a resource that starts with `prefix` changed, or may have. */
export function useChanges(prefix: string, onChange: () => void): void {
  const changed = useContext(ChangedContext);
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(
    () =>
      changed?.listen((uri) => {
        if (uri === EVERYTHING || uri === prefix || uri.startsWith(`${prefix}/`) || prefix.startsWith(`${uri}/`))
          latest.current();
      }),
    [changed, prefix],
  );
}

export type Loaded<T> =
  | { readonly state: "loading" }
  /** `stale`: it could not be asked anew. */
  | { readonly state: "ready"; readonly data: T; readonly stale?: DataError }
  | { readonly state: "failed"; readonly error: DataError };

/** Changes of a run come in bursts; it is asked at most so often. */
const SHORTEST_BETWEEN_MS = 700;

export interface Load<T> {
  readonly loaded: Loaded<T>;
  retry(): void;
}

/**
 * Loads once, and again when a resource at or below `uri` changes. What was loaded stays while it is asked anew.
 *
 * @param key names what is loaded; another key begins anew
 */
export function useData<T>(key: string, uri: string, load: (source: DataSource) => Promise<T>): Load<T> {
  const source = useSource();
  const [held, setHeld] = useState<{ readonly key: string; readonly loaded: Loaded<T> }>({
    key,
    loaded: { state: "loading" },
  });
  const latest = useRef(load);
  latest.current = load;
  const asked = useRef<{
    key: string;
    running: boolean;
    again: boolean;
    at: number;
    timer?: ReturnType<typeof setTimeout>;
  }>({
    key,
    running: false,
    again: false,
    at: 0,
  });
  const ask = useCallback(async (): Promise<void> => {
    const own = asked.current;
    if (own.running) {
      own.again = true;
      return;
    }
    own.running = true;
    own.again = false;
    own.at = Date.now();
    const loaded = await latest.current(source).then(
      (data): Loaded<T> => ({ state: "ready", data }),
      (error: unknown): Loaded<T> => ({ state: "failed", error: dataError(error) }),
    );
    own.running = false;
    if (asked.current !== own) return;
    setHeld((before) => ({ key: own.key, loaded: joined(before.key === own.key ? before.loaded : undefined, loaded) }));
    if (own.again) later(own, () => void ask());
  }, [source]);
  useEffect(() => {
    const own = {
      key,
      running: false,
      again: false,
      at: 0,
      timer: undefined as ReturnType<typeof setTimeout> | undefined,
    };
    asked.current = own;
    void ask();
    return () => {
      clearTimeout(own.timer);
      if (asked.current === own) asked.current = { key: "", running: false, again: false, at: 0 };
    };
  }, [ask, key]);
  useChanges(uri, () => later(asked.current, () => void ask()));
  return { loaded: held.key === key ? held.loaded : { state: "loading" }, retry: () => void ask() };
}

function later(own: { at: number; timer?: ReturnType<typeof setTimeout> | undefined }, ask: () => void): void {
  own.timer ??= setTimeout(
    () => {
      own.timer = undefined;
      ask();
    },
    Math.max(50, own.at + SHORTEST_BETWEEN_MS - Date.now()),
  );
}

/** A failure keeps what was shown, unless it is gone or the server wants a token. */
function joined<T>(before: Loaded<T> | undefined, next: Loaded<T>): Loaded<T> {
  if (next.state !== "failed" || before?.state !== "ready" || next.error.trouble !== "other") return next;
  return { ...before, stale: next.error };
}

export const dataError = (error: unknown): DataError =>
  error instanceof DataError ? error : new DataError("other", error instanceof Error ? error.message : String(error));
