/** @file The page around the views: its head, how the connection stands, and which view is shown. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { DataSource, Link as LinkState } from "./data-source.js";
import { Link, Router, useRoute } from "./router.js";
import { RunList } from "./run-list.js";
import { RunPage } from "./run-page.js";
import { ThemeSwitch } from "./theme-switch.js";
import { type Changed, ChangedContext, SourceContext } from "./use-data.js";

const LINKS: Readonly<Record<LinkState, string>> = {
  live: "live",
  polling: "asks every 4 s",
  reconnecting: "connecting …",
  still: "",
};

/** One subscription to the source for all components. */
function useSubscription(source: DataSource): { readonly link: LinkState; readonly changed: Changed } {
  const [link, setLink] = useState<LinkState>("still");
  const [listeners] = useState(() => new Set<(uri: string) => void>());
  useEffect(
    () =>
      source.subscribe({
        changed: (uri) => {
          for (const listener of [...listeners]) listener(uri);
        },
        link: setLink,
      }),
    [source, listeners],
  );
  const changed = useMemo(
    (): Changed => ({
      listen: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    }),
    [listeners],
  );
  return { link, changed };
}

function View({ only }: { readonly only: string | undefined }) {
  const { parts } = useRoute();
  const id = only ?? (parts[0] === "runs" ? parts[1] : undefined);
  return id === undefined ? <RunList /> : <RunPage key={id} id={id} />;
}

interface Props {
  readonly source: DataSource;
  /** The address belongs to a host, which also has a theme of its own. */
  readonly hosted?: boolean;
}

export function Page({ source, hosted = false }: Props) {
  const { link, changed } = useSubscription(source);
  return (
    <SourceContext.Provider value={source}>
      <ChangedContext.Provider value={changed}>
        <Router inAddress={!hosted}>
          {/* Not a link to "#main": what is behind the hash is the route. */}
          <button type="button" class="skip" onClick={() => document.querySelector<HTMLElement>("main")?.focus()}>
            Skip to content
          </button>
          <header class="page-head">
            <Link to="/" class="brand" label="preflexor: all runs">
              <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
                <path d="M12 3a9 9 0 1 0 9 9" />
                <path d="M12 7.5a4.5 4.5 0 1 0 4.5 4.5" />
                <circle cx="12" cy="12" r="1.4" />
              </svg>
              preflexor
            </Link>
            <span class={`link ${link}`} role="status">
              {LINKS[link]}
            </span>
            {!hosted && <ThemeSwitch />}
          </header>
          <main tabIndex={-1}>
            <View only={source.only} />
          </main>
        </Router>
      </ChangedContext.Provider>
    </SourceContext.Provider>
  );
}
