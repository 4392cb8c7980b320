/** @file Which view is shown: a path behind the hash of the address, or in memory where the address belongs to a host. */
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";

export interface Route {
  /** Decoded parts: ["runs", "teach-…", "pairs", "3"]. */
  readonly parts: readonly string[];
  go(path: string): void;
}

const RouteContext = createContext<Route>({ parts: [], go: () => undefined });

export const useRoute = (): Route => useContext(RouteContext);

export const pathOf = (...parts: readonly (string | number)[]): string =>
  `/${parts.map((part) => encodeURIComponent(String(part))).join("/")}`;

const partsOf = (path: string): string[] => path.split("/").filter(Boolean).map(decoded);

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

interface Props {
  /** The path is kept in the address, so that it can be linked, and gone back to. */
  readonly inAddress: boolean;
  readonly children: ComponentChildren;
}

export function Router({ inAddress, children }: Props) {
  const [path, setPath] = useState(inAddress ? location.hash.slice(1) : "");
  useEffect(() => {
    if (!inAddress) return;
    const follow = (): void => setPath(location.hash.slice(1));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, [inAddress]);
  const route = useMemo(
    (): Route => ({
      parts: partsOf(path),
      go: (to) => {
        // At once, and not with the event of the address: the next key may come before it.
        setPath(to);
        if (inAddress) location.hash = to;
      },
    }),
    [path, inAddress],
  );
  return <RouteContext.Provider value={route}>{children}</RouteContext.Provider>;
}

interface LinkProps {
  readonly to: string;
  readonly class?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly children: ComponentChildren;
}

export function Link({ to, current, label, children, class: className }: LinkProps) {
  const { go } = useRoute();
  const follow = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a
      href={`#${to}`}
      class={className}
      aria-current={current ? "page" : undefined}
      aria-label={label}
      onClick={follow}
    >
      {children}
    </a>
  );
}
