// Bundles src/page into dist/page: page.js for the server's page and report.html, app.js for clients that render MCP Apps,
// and their stylesheet. Each file holds everything it needs; an HTML file carries them inline.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const ENTRIES = { page: "page-main.tsx", app: "app-main.tsx" };

await Promise.all(
  Object.entries(ENTRIES).map(([name, entry]) =>
    build({
      configFile: false,
      root: path("src/page"),
      logLevel: "error",
      oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
      define: { "process.env.NODE_ENV": '"production"' },
      build: {
        outDir: path("dist/page"),
        emptyOutDir: false,
        target: "es2023",
        lib: { entry, formats: ["iife"], name: "preflexor", fileName: () => `${name}.js`, cssFileName: name },
      },
    }),
  ),
);
for (const name of Object.keys(ENTRIES)) {
  // Inline, it would end its own element.
  if (/<\/script|<!--/i.test(readFileSync(path(`dist/page/${name}.js`), "utf8"))) {
    throw new Error(
      `dist/page/${name}.js holds "</script" or "<!--" and cannot stand inside an HTML file: build it so that such strings are escaped`,
    );
  }
}
