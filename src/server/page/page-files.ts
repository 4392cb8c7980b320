/** @file The bundled page as files of dist/page: read once, with the hashes by which a Content-Security-Policy names them. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { lazy } from "../lazy.js";

export interface Bundle {
  readonly script: string;
  readonly style: string;
  /** As the policy writes them: 'sha256-…'. */
  readonly scriptHash: string;
  readonly styleHash: string;
}

/** `page`: for the server and report.html; `app`: for clients that render MCP Apps. */
const bundles = { page: lazy(() => readBundle("page")), app: lazy(() => readBundle("app")) };

export const bundle = (name: keyof typeof bundles): Promise<Bundle> => bundles[name]();

async function readBundle(name: string): Promise<Bundle> {
  const read = (file: string) => readFile(new URL(`../../page/${file}`, import.meta.url), "utf8");
  const [script, style] = await Promise.all([read(`${name}.js`), read(`${name}.css`)]).catch((error: unknown) => {
    throw new Error("the page is not built: run `npm run build`", { cause: error });
  });
  return { script, style, scriptHash: hashOf(script), styleHash: hashOf(style) };
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
