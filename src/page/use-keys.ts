/** @file Keys of a view, where nobody is typing. */
import { useEffect, useRef } from "preact/hooks";

/** Here keys have a meaning of their own. */
const TYPING = "input, textarea, select, [contenteditable], .plot, .graph-canvas, .scroll";

export function useKeys(keys: Readonly<Record<string, () => void>>, on: boolean): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    if (!on) return;
    const press = (event: KeyboardEvent): void => {
      const { target } = event;
      if (event.altKey || event.ctrlKey || event.metaKey || (target instanceof Element && target.closest(TYPING)))
        return;
      const act = latest.current[event.key];
      if (act === undefined) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [on]);
}
