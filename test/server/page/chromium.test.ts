/** @file The page in a real browser: what people see, with mouse, keyboard and telephone, in light and dark, and when things fail. */
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { reportHtml } from "../../../src/server/page/index.js";
import { runReport } from "../../../src/tools/views/index.js";
import { CHROMIUM, launch, type OpenPage, openPage, WHY_NOT } from "./support/browser.js";
import { type PageServer, servePage } from "./support/page-server.js";
import { pairLines, stepLines, TEXT, writeRun } from "./support/written-run.js";

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror=alert(2)><!-- "'&`;

const newHome = (): Promise<string> => mkdtemp(join(tmpdir(), "preflexor-page-"));
/** The views of a run, each with what is there once its data are. */
const VIEWS: readonly (readonly [path: string, shown: string])[] = [
  ["", ".plot canvas"],
  ["/pairs/2", "article.pair"],
  ["/reasoning", ".round"],
  ["/graph", ".graph-canvas canvas"],
  ["/settings", ".pairs-table"],
];

/** Of questions that were answered right, in light. */
const RIGHT = [21, 112, 63];

/** The middle of all that is drawn in a colour in the graph, in the drawing's own CSS pixels. */
const placeOf = (page: Page, color: readonly number[]): Promise<{ x: number; y: number } | null> =>
  page.evaluate(`(() => {
    let [n, sumX, sumY] = [0, 0, 0];
    for (const canvas of document.querySelectorAll(".graph-canvas canvas")) {
      const { width, height, clientWidth } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] < 255 || ${JSON.stringify(color)}.some((c, k) => Math.abs(data[i + k] - c) > 2)) continue;
        const scale = clientWidth / width;
        n++;
        sumX += ((i / 4) % width) * scale;
        sumY += Math.floor(i / 4 / width) * scale;
      }
    }
    return n === 0 ? null : { x: sumX / n, y: sumY / n };
  })()`);

describe.skipIf(CHROMIUM === undefined)(`the page in Chromium${WHY_NOT}`, () => {
  let browser: Browser;
  let home: string;
  let server: PageServer;
  let run: { id: string; path: string };
  let open: OpenPage[] = [];

  beforeAll(async () => {
    home = await newHome();
    run = await writeRun(home);
    [browser, server] = await Promise.all([launch(), servePage(home)]);
  });
  afterEach(async () => {
    await Promise.all(open.map(({ page }) => page.context().close()));
    open = [];
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    await rm(home, { recursive: true });
  });

  const show = async (path: string, options?: Parameters<typeof openPage>[2], url = server.url): Promise<OpenPage> => {
    const opened = await openPage(browser, `${url}/#${path}`, options);
    open.push(opened);
    return opened;
  };
  const at = (view: string): string => `/runs/${run.id}${view}`;
  const drawing = (page: Page): Promise<string> =>
    page.evaluate("document.querySelector('[data-curve=loss] canvas').toDataURL()");
  const focused = (page: Page): Promise<string> => page.evaluate("document.activeElement.textContent.slice(0, 100)");

  it("says what to do first, and shows a run that appears while it is open", async () => {
    const own = await newHome();
    const empty = await servePage(own);
    const { page, complaints, violations } = await show("/", {}, empty.url);
    await page.getByText("npx preflexor demo").waitFor();
    expect(await violations()).toEqual([]);
    await page.evaluate("globalThis.untouched = true");
    const { id } = await writeRun(own);
    await page.getByRole("link", { name: id }).waitFor();
    await page.getByRole("img", { name: /^loss from 2\.500 to 0\.6000$/ }).waitFor();
    expect(await page.evaluate("globalThis.untouched")).toBe(true);
    expect(complaints).toEqual([]);
    await empty.close();
  });

  it("moves curves and counts as a run goes on, without loading anew", async () => {
    const { path, id } = await writeRun(home, { at: "2026-03-02T10:00:00Z" });
    const { page, complaints } = await show(`/runs/${id}`);
    const loss = page.locator('[data-curve="loss"]');
    await loss.locator("canvas").waitFor();
    expect(await page.locator("[data-curve]").count()).toBe(7);
    const before = await drawing(page);
    await page.evaluate("globalThis.untouched = true");
    await appendFile(join(path, "metrics.jsonl"), stepLines(21, 40));
    await page.locator('[data-curve="loss"][data-points="40"]').waitFor();
    expect(await drawing(page)).not.toBe(before);
    await page.getByText("0.3333").first().waitFor();
    expect(await page.evaluate("globalThis.untouched")).toBe(true);
    await loss.getByText("Numbers").click();
    await loss.getByRole("row", { name: "40 0.3333" }).waitFor();
    expect(complaints).toEqual([]);
  });

  it("opens pairs, finds some, and goes on by keys; new ones are counted as they come", async () => {
    const { page, complaints } = await show(at("/pairs"));
    const pair = page.getByRole("article");
    await pair.getByText("no end of").waitFor();
    expect(await pair.locator(".chosen .thinking").innerText()).toContain("It is 0.");
    expect(await pair.locator(".chosen .answer").innerText()).toBe("0.");
    expect(await pair.locator(".rejected .label").innerText()).toBe("thinking (never closed)");
    for (const text of ["p2", "first-wrong", TEXT]) await pair.locator(".provenance").getByText(text).first().waitFor();
    await page.keyboard.press("ArrowRight");
    await pair.getByRole("heading", { name: `${TEXT} 2?` }).waitFor();
    for (let i = 0; i < 19; i++) await page.keyboard.press("j");
    await pair.getByRole("heading", { name: `${TEXT} 21?` }).waitFor();
    await page.getByText("21–30 of 30").waitFor();
    await page.keyboard.press("k");
    await page.getByText("1–20 of 30").waitFor();
    await page.getByRole("searchbox").fill("abalone 17?");
    await page.getByText("1 of 30").waitFor();
    await pair.getByRole("heading", { name: `${TEXT} 17?` }).waitFor();
    await page.getByRole("searchbox").fill("no such words");
    await page.getByRole("button", { name: "Show all 30" }).click();
    await page.getByLabel("Round").selectOption("2");
    await page.getByText("15 of 30").waitFor();
    await page.getByLabel("Round").selectOption("");
    await appendFile(join(run.path, "pairs.jsonl"), pairLines(1));
    await page.getByText("31 pairs").waitFor();
    expect(complaints).toEqual([]);
  });

  it("shows recursion as a word diff between rounds, with score and feedback", async () => {
    const { page, complaints } = await show(at("/reasoning"));
    const second = page.locator(".round").nth(1);
    await second.waitFor();
    expect(await second.locator(".thinking ins").allInnerTexts()).toEqual([" and glide"]);
    expect(await second.locator(".answer del").first().innerText()).toContain("It");
    await second.getByText("0.80").waitFor();
    await second.getByText(`Say what ${TEXT} does.`).waitFor();
    await page.getByText("answer, integrated from all rounds").waitFor();
    await page.getByLabel("Compare").selectOption("off");
    expect(await page.locator("ins, del").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it("draws the question graph, tells of a node that is clicked, and has it all as a list", async () => {
    const { page, complaints } = await show(at("/graph"));
    const canvas = page.locator(".graph-canvas canvas").last();
    await canvas.waitFor();
    const drawn = () =>
      page.evaluate(
        "[...document.querySelectorAll('.graph-canvas canvas')].some((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0))",
      );
    await expect.poll(drawn).toBe(true);
    await page.getByRole("button", { name: "List" }).click();
    await page.getByRole("button", { name: `What is ${TEXT}?` }).click();
    const about = page.getByRole("region", { name: "Chosen node" });
    await about.getByText("question, answered right").waitFor();
    await about.getByText("asked 2 times · 100.0 % right").waitFor();
    await about.getByRole("button", { name: "nacre.md" }).click();
    await about.getByRole("heading", { name: "nacre.md 0–90" }).waitFor();
    await page.getByRole("button", { name: "Drawing" }).click();
    await page.locator(".graph-canvas").click({ position: { x: 5, y: 5 } });
    await page.getByText("Choose a node").waitFor();
    await page.getByRole("button", { name: "Fit" }).click();
    await expect.poll(() => placeOf(page, RIGHT)).not.toBeNull();
    await page.locator(".graph-canvas").click({ position: (await placeOf(page, RIGHT))! });
    await about.getByRole("heading", { name: `What is ${TEXT}?` }).waitFor();
    // Chromium's advice about the test's own look at the pixels.
    expect(complaints.filter((text) => !text.includes("willReadFrequently"))).toEqual([]);
  });

  it("is used from the list to a pair's neighbour by keyboard alone", async () => {
    const { page } = await show("/");
    await page.getByRole("link", { name: run.id }).waitFor();
    const tabTo = async (text: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press("Tab");
        if ((await focused(page)).includes(text)) return;
      }
      throw new Error(`${text} is not reached by Tab`);
    };
    await tabTo("Skip to content");
    await page.keyboard.press("Enter");
    await tabTo(run.id);
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    expect(outline).toBe("solid");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: run.id }).waitFor();
    await expect.poll(() => focused(page)).toBe(run.id);
    await tabTo("Pairs");
    await page.keyboard.press("Enter");
    await page.getByRole("article").waitFor();
    await expect.poll(() => focused(page)).toBe("Pairs");
    await page.keyboard.press("ArrowRight");
    await page
      .getByRole("article")
      .getByRole("heading", { name: `${TEXT} 2?` })
      .waitFor();
  });

  it("fits a telephone of 360 pixels in every view", async () => {
    const { page, overflow } = await show("/", { viewport: { width: 360, height: 740 }, hasTouch: true });
    await page.getByRole("link", { name: run.id }).waitFor();
    expect(await overflow()).toBe(0);
    for (const [view, shown] of VIEWS) {
      await page.goto(`${server.url}/#${at(view)}`);
      await page.locator(shown).first().waitFor();
      expect(await overflow(), view).toBe(0);
    }
  });

  it("has no fault that axe finds, in any view, light and dark", async () => {
    const { page, violations, complaints } = await show("/");
    await page.getByRole("link", { name: run.id }).waitFor();
    const faults: string[] = [];
    const views = VIEWS.map(([view, shown]) => [at(view), shown] as const);
    for (const [view, shown] of [["/", ".run-list"] as const, ...views]) {
      await page.goto(`${server.url}/#${view}`);
      await page.locator(shown).first().waitFor();
      if (view.endsWith("/graph")) await page.getByRole("button", { name: "List" }).click();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        faults.push(...(await violations()).map((fault) => `${view} ${colorScheme} ${fault}`));
      }
    }
    expect(faults).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("follows the system's theme until one is chosen, and remembers that", async () => {
    const { page } = await show(at(""), { colorScheme: "dark" });
    const background = (): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
    await page.locator("canvas").first().waitFor();
    const dark = await background();
    const drawnDark = await drawing(page);
    await page.getByLabel("Theme").selectOption("light");
    const light = await background();
    expect(light).not.toBe(dark);
    await expect.poll(() => drawing(page)).not.toBe(drawnDark);
    await page.reload();
    await page.locator("canvas").first().waitFor();
    expect(await background()).toBe(light);
  });

  it("keeps hostile text text, and asks no other host for anything", async () => {
    const { id } = await writeRun(home, { text: HOSTILE, at: "2026-03-03T10:00:00Z" });
    const { page, complaints, requests } = await show(`/runs/${id}`);
    for (const [view, shown] of VIEWS) {
      await page.goto(`${server.url}/#/runs/${id}${view}`);
      await page.locator(shown).first().waitFor();
      await page.getByText("onerror=alert(2)").first().waitFor();
      expect(await page.locator("img[src=x]").count()).toBe(0);
    }
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(server.url) && !url.startsWith("data:"))).toEqual([]);
  });

  it("keeps what it showed where news fail, says what failed where there is nothing yet, and tries again", async () => {
    const { page, violations } = await show(at(""));
    await page.locator("canvas").first().waitFor();
    server.outage = 503;
    server.context.changes.publish(`preflexor://runs/${run.id}`);
    await page.getByText("Not up to date: it is being started").first().waitFor();
    expect(await page.locator("canvas").count()).toBeGreaterThan(5);
    await page.getByRole("link", { name: "Pairs" }).click();
    await page.getByRole("alert").getByText("it is being started").waitFor();
    expect(await violations()).toEqual([]);
    server.outage = undefined;
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).click();
    await page.getByRole("article").waitFor();
  });

  it("catches up after the connection was lost", async () => {
    const { path, id } = await writeRun(home, { at: "2026-03-04T10:00:00Z" });
    const { page } = await show(`/runs/${id}`);
    await page.locator('[data-curve="loss"][data-points="20"]').waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    server.outage = 503;
    server.dropConnections();
    await page.getByText("connecting …").waitFor();
    await appendFile(join(path, "metrics.jsonl"), stepLines(21, 30));
    server.outage = undefined;
    await page.locator('[data-curve="loss"][data-points="30"]').waitFor();
  });

  it("tells of a run that vanished while it was open", async () => {
    const { path, id } = await writeRun(home, { at: "2026-03-05T10:00:00Z" });
    const { page, violations } = await show(`/runs/${id}`);
    await page.locator("canvas").first().waitFor();
    await rm(path, { recursive: true });
    await page.getByRole("alert").getByText("There is no run here").waitFor();
    expect(await violations()).toEqual([]);
    await page.getByRole("alert").getByRole("link", { name: "All runs" }).click();
    await page.getByRole("link", { name: run.id }).waitFor();
  });

  it("works as report.html from a disk, without a server", async () => {
    const file = join(home, "report.html");
    await writeFile(file, await reportHtml(await runReport(home, run.id)));
    const opened = await openPage(browser, pathToFileURL(file).href, { offline: true });
    open.push(opened);
    const { page, complaints, requests, violations } = opened;
    await page.getByRole("heading", { name: run.id }).waitFor();
    await page.locator("canvas").first().waitFor();
    expect(await violations()).toEqual([]);
    await page.getByRole("link", { name: "Pairs" }).click();
    await page.getByText(/^24 of 3\d\spairs, evenly spread/).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("link", { name: "Recursion" }).click();
    await page.locator("ins").first().waitFor();
    await page.getByRole("link", { name: "Questions" }).click();
    await page.locator(".graph-canvas canvas").first().waitFor();
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith("file:") && !url.startsWith("data:"))).toEqual([]);
  });
});
