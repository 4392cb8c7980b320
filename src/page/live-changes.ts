/** @file Keeps a stream of changes open: has everything asked anew while it is down, and again once it is back. */
import { EVERYTHING, type Listener } from "./data-source.js";

/** While the stream is down, everything is asked so often. */
const POLL_MS = 4000;
/** EventSource gives up where the server answers with an error; it is made anew after so long. */
const REOPEN_MS = 10_000;
/** After so many failures in a row the page says that it polls. */
const FAILURES_UNTIL_POLLING = 2;

/** What of EventSource is used; a test gives its own. */
export type Stream = Pick<EventSource, "readyState" | "close" | "onopen" | "onmessage" | "onerror">;
const CLOSED = 2;

/** Returns what ends it. */
export function liveChanges(open: () => Stream, listener: Listener): () => void {
  let stream: Stream;
  let failures = 0;
  let poll: ReturnType<typeof setInterval> | undefined;
  let reopen: ReturnType<typeof setTimeout> | undefined;

  const connect = (): void => {
    stream = open();
    stream.onopen = () => {
      clearInterval(poll);
      poll = undefined;
      // What changed in the gap was told to nobody.
      if (failures > 0) listener.changed(EVERYTHING);
      failures = 0;
      listener.link("live");
    };
    stream.onmessage = ({ data }) => {
      const uri = uriOf(String(data));
      if (uri !== undefined) listener.changed(uri);
    };
    stream.onerror = () => {
      failures++;
      listener.link(failures > FAILURES_UNTIL_POLLING ? "polling" : "reconnecting");
      poll ??= setInterval(() => listener.changed(EVERYTHING), POLL_MS);
      if (stream.readyState === CLOSED) reopen = setTimeout(connect, REOPEN_MS);
    };
  };
  connect();
  return () => {
    stream.close();
    clearInterval(poll);
    clearTimeout(reopen);
  };
}

function uriOf(data: string): string | undefined {
  try {
    const { uri } = JSON.parse(data) as { uri?: unknown };
    return typeof uri === "string" ? uri : undefined;
  } catch {
    return undefined;
  }
}
