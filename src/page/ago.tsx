/** @file How long ago something was; goes on by itself. */
import { useEffect, useState } from "preact/hooks";
import { ago, moment } from "./format.js";

const TICK_MS = 10_000;

export function Ago({ at }: { readonly at: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at)}
    </time>
  );
}
