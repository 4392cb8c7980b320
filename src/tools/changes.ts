/** @file Who wants to hear that a resource changed: subscriptions of clients and the page for people. */

export interface Changes {
  /** Tells every listener that the resource has new content. A listener that throws stops nobody. */
  publish(uri: string): void;
  /** Returns what ends it. */
  subscribe(listener: (uri: string) => void): () => void;
  /** Resolves when whatever happens from now on is told to those who listen. */
  ready(): Promise<void>;
}

export function createChanges(): Changes {
  const listeners = new Set<(uri: string) => void>();
  return {
    publish: (uri) => {
      for (const listener of [...listeners]) {
        try {
          listener(uri);
        } catch {
          // Its connection may be gone; the others still want to know.
        }
      }
    },
    subscribe: (listener) => {
      const own = (uri: string): void => listener(uri);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    ready: async () => {},
  };
}
