/** @file The switch between light, dark and the system's own. */
import { useState } from "preact/hooks";
import { rememberedTheme, rememberTheme, THEMES, type Theme } from "./theme.js";

export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(rememberedTheme);
  return (
    <label class="theme-switch">
      <span>Theme</span>
      <select
        value={theme}
        onChange={(event) => {
          const next = event.currentTarget.value as Theme;
          setTheme(next);
          rememberTheme(next);
        }}
      >
        {THEMES.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
