/** @file What stands where data is not there: loading, failed, gone, a token wanted, nothing yet. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { DataError } from "./data-source.js";
import { Link } from "./router.js";
import { type Load, useSource } from "./use-data.js";

/** Shown only after a moment: a flash of "loading" is worse than none. */
const PATIENCE_MS = 250;

export function Loading({ what }: { readonly what: string }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="state" role="status" aria-busy="true">
      {late && <p class="soft">Loading {what} …</p>}
    </div>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <div class="state">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** The server takes the token out of the address and gives a cookie for it. */
function SignIn() {
  return (
    <form class="sign-in" method="get" action=".">
      <label>
        <span>Token (PREFLEXOR_TOKEN of the server)</span>
        <input type="password" name="token" autocomplete="off" required />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}

export function Failed({
  what,
  error,
  retry,
}: {
  readonly what: string;
  readonly error: DataError;
  readonly retry: () => void;
}) {
  const { only } = useSource();
  const title = { gone: `There is no ${what} here`, token: "This server asks who you are", other: `No ${what}` }[
    error.trouble
  ];
  return (
    <div class="state" role="alert">
      <h2>{title}</h2>
      {error.trouble !== "gone" && <p class="problem">{error.message}</p>}
      {error.trouble === "token" && <SignIn />}
      {error.trouble === "gone" && <p>It may have been removed while this page was open.</p>}
      <p class="actions">
        <button type="button" onClick={retry}>
          Try again
        </button>
        {only === undefined && <Link to="/">All runs</Link>}
      </p>
    </div>
  );
}

interface WithDataProps<T> {
  readonly what: string;
  readonly load: Load<T>;
  readonly children: (data: T) => ComponentChildren;
}

/** Shows `children` once there is data, and says what is the matter where there is none. */
export function WithData<T>({ what, load: { loaded, retry }, children }: WithDataProps<T>) {
  if (loaded.state === "loading") return <Loading what={what} />;
  if (loaded.state === "failed") return <Failed what={what} error={loaded.error} retry={retry} />;
  return (
    <>
      {loaded.stale !== undefined && (
        <p class="stale" role="status">
          Not up to date: {loaded.stale.message}{" "}
          <button type="button" onClick={retry}>
            Try again
          </button>
        </p>
      )}
      {children(loaded.data)}
    </>
  );
}
