/** @file The report: complete without a network, and no text of a corpus becomes markup. */
import { describe, expect, it } from "vitest";
import { escapeHtml, type ReportData, renderReport, scriptJson } from "../../src/server/report.js";
import type { PreferencePair } from "../../src/trainer/text/preference-pair.js";

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror=alert(1)>"'&`;
const MARKERS = { start: "<|thinking|>", end: "<|/thinking|>" };

const pair = (text: string): PreferencePair => ({
  prompt: text,
  chosen: `${MARKERS.start}\nbecause ${text}\n${MARKERS.end}\nanswer ${text}`,
  rejected: `${MARKERS.start}\nno end ${text}`,
  provenance: { passages: ["p"], teacher: text, student: text, seed: 1 },
});

const data = (text: string, pairs = 1): ReportData => ({
  title: text,
  table: [[text, text]],
  steps: [1, 2, 3].map((step) => ({
    step,
    round: 1,
    metrics: { loss: 3 - step / 2, "rewards/margins": step, "rewards/accuracies": 0.5 },
  })),
  evaluations: [0, 1].map((round) => ({
    round,
    result: {
      split: text,
      accuracy: 0.25 + round / 2,
      n: 4,
      chance: 0.25,
      byType: [{ type: text, right: 1 + 2 * round, n: 4, chance: 0.25 }],
    },
  })),
  preferenceAccuracies: [],
  pairs: Array.from({ length: pairs }, () => pair(text)),
  reasoning: { question: text, answer: text, rounds: [{ thinking: text, answer: text, score: 0.5 }] },
  markers: MARKERS,
});

describe("hostile text", () => {
  it("stays text, in markup and in the data of the charts", async () => {
    const html = await renderReport(data(HOSTILE));
    expect(html).not.toContain("<script>alert");
    expect(html).not.toContain("<img");
    expect(html).toContain(escapeHtml(HOSTILE));
    // Two scripts that run, one that is data; nothing else opens or closes a script element.
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(html.match(/<\/script/g)).toHaveLength(3);
  });

  it("survives the way through the page's JSON unchanged", () => {
    expect(JSON.parse(scriptJson({ text: `${HOSTILE}\u2028` }))).toEqual({ text: `${HOSTILE}\u2028` });
    expect(scriptJson(HOSTILE)).not.toMatch(/[<>&]/);
  });
});

describe("the page", () => {
  it("loads nothing from anywhere", async () => {
    const html = await renderReport(data("plain"));
    expect(html).not.toMatch(/(?:src|href)=/);
    expect(html).toMatch(/Content-Security-Policy" content="default-src 'none'/);
    expect(html).toContain("prefers-color-scheme");
    expect(html).toContain("width=device-width");
  });

  it("has the curves of loss, margin, accuracies and held-out accuracy", async () => {
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(
      await renderReport(data("unseen")),
    )?.[1];
    const charts = JSON.parse(json ?? "[]") as {
      title: string;
      x: number[];
      series: { label: string; values: number[] }[];
    }[];
    expect(charts.map(({ title }) => title)).toEqual([
      "Loss",
      "Reward margin",
      "Pairs ranked right",
      "Held-out accuracy by round",
    ]);
    expect(charts[0]).toMatchObject({ x: [1, 2, 3], series: [{ label: "loss", values: [2.5, 2, 1.5] }] });
    expect(charts[3]).toMatchObject({
      x: [0, 1],
      series: [
        { label: "unseen", values: [0.25, 0.75] },
        { label: "chance", values: [0.25, 0.25] },
      ],
    });
  });

  it("explains each curve, and calls the splits what the closing table calls them", async () => {
    const html = await renderReport(data("unseen-material"));
    expect(html.match(/<figcaption>[^<]+<span class="note">[^<]{20,}<\/span>/g)).toHaveLength(4);
    expect(html).toContain('"label":"held-out materials"');
    expect(html).toContain("<td>materials</td>");
  });

  it("names the student by its weights and how far they were trained", async () => {
    const one = { ...pair("x"), provenance: { ...pair("x").provenance, student: "4ef3f2a3680a62cb@24" } };
    const html = await renderReport({ ...data("x"), pairs: [one] });
    expect(html).toContain("student 4ef3f2a3 after 24 steps");
  });

  it("leaves out the curves that a run does not have", async () => {
    const html = await renderReport({
      ...data("x"),
      steps: [],
      evaluations: [],
      preferenceAccuracies: [{ round: 0, accuracy: 0.5 }],
    });
    expect(html.match(/<figure>/g)).toHaveLength(1);
  });

  it("sets thinking apart from the answer, also where it never ends", async () => {
    const html = await renderReport(data("why"));
    expect(html).toMatch(
      /class="thinking"><span class="label">thinking<\/span>because why<\/div><p class="answer">answer why/,
    );
    expect(html).toMatch(/thinking \(not closed\)<\/span>no end why<\/div>/);
    expect(html).not.toContain("<|");
  });

  it("shows a dozen of many pairs, and says of how many", async () => {
    const html = await renderReport(data("x", 100));
    expect(html.match(/<h4><span class="dot good">/g)).toHaveLength(12);
    expect(html).toContain("12 of 100");
  });
});
