/** @file The title of a view: in the window, and where the keyboard goes on after a view has changed. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

let firstView = true;

/** The heading that the focus goes to; not on the first view, where the reader has not moved yet. */
export function useTitle(title: string): RefObject<HTMLHeadingElement> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · preflexor`;
    if (!firstView) heading.current?.focus();
    firstView = false;
  }, [title]);
  return heading;
}
