/** @file Light, dark, or as the system has it; remembered. Colours live in tokens.css alone, and are read from there. */
import { useEffect, useState } from "preact/hooks";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "preflexor-theme";

/** Storage is refused in a sandboxed frame and where a reader forbids it. */
export function rememberedTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? "system";
  } catch {
    return "system";
  }
}

export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function rememberTheme(theme: Theme): void {
  setTheme(theme);
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds until the page is closed.
  }
}

/** Counts up when the colours change, for what is drawn on a canvas. */
export function useColors(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const next = (): void => setVersion((v) => v + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const attribute = new MutationObserver(next);
    system.addEventListener("change", next);
    attribute.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", next);
      attribute.disconnect();
    };
  }, []);
  return version;
}

/** A colour token as the canvas understands it: `light-dark()` is resolved only in a real property. */
export function tokenColor(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export const lessMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
