/** @file The report: complete without a network, and no text of a corpus becomes markup. */
import { describe, expect, it } from "vitest";
import { escapeHtml, scriptJson } from "../../src/server/page/page-html.js";
import { reportHtml } from "../../src/server/page/report-html.js";
import { sampleReport } from "./page/support/sample-run.js";

const HOSTILE = `</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>"'&\u2028`;

/** The scripts of a page: attributes and content of each element, as a browser's tokenizer ends them. */
const scriptsOf = (html: string): RegExpMatchArray[] => [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script/gi)];

describe("hostile text", () => {
  it("stays data: no script element of its own, no comment that would swallow the page, and unchanged when read", async () => {
    const report = sampleReport({ title: HOSTILE, text: HOSTILE });
    const html = await reportHtml(report);
    // A failure would print the whole page.
    const has = (text: string): boolean => html.includes(text);
    expect(has(`<title>${escapeHtml(HOSTILE)}</title>`)).toBe(true);
    for (const markup of ["<script>alert", "<img", "<!--"]) expect(has(markup), markup).toBe(false);
    const [data, script, ...others] = scriptsOf(html);
    expect(others).toEqual([]);
    expect(data?.[1]).toBe(' type="application/json" id="report"');
    expect(JSON.parse(data?.[2] ?? "")).toEqual(report);
    expect(script?.[2]?.includes("alert(1)")).toBe(false);
  });

  it("survives the way through the page's JSON unchanged", () => {
    expect(JSON.parse(scriptJson({ text: HOSTILE }))).toEqual({ text: HOSTILE });
    expect(scriptJson(HOSTILE)).not.toMatch(/[<>&\u2028]/);
  });
});

describe("the report", () => {
  it("loads nothing from anywhere", async () => {
    const html = await reportHtml(sampleReport());
    const markup = html.replaceAll(/<(script|style)[^>]*>[\s\S]*?<\/\1/gi, "");
    expect(markup.match(/(?:src|href)="(?!data:)/g)).toBeNull();
    const style = /<style[^>]*>([\s\S]*?)<\/style/.exec(html)?.[1] ?? "";
    expect(style.match(/@import|url\((?!["']?data:)/gi)).toBeNull();
    expect(markup).toContain("width=device-width");
  });

  it("lets only its own script and style work, by their hashes", async () => {
    const html = await reportHtml(sampleReport());
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? "";
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/]+=*'; style-src 'sha256-[\w+/]+=*';/);
    expect(policy).toContain("connect-src 'none'");
    expect(policy).not.toContain("unsafe");
    const digest = async (text: string) =>
      Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toString("base64");
    expect(policy).toContain(await digest(scriptsOf(html)[1]?.[2] ?? ""));
    expect(policy).toContain(await digest(/<style[^>]*>([\s\S]*?)<\/style/.exec(html)?.[1] ?? ""));
  });
});
