/** @file Blind pairwise judging with judges that play fair, that do not, and that fail. */
import { describe, expect, it } from "vitest";
import { answerOf, type Bout, judgeReplies, type PairJudge } from "../../../src/agents/evaluation/judge-replies.js";

type Input = Parameters<PairJudge["comparePair"]>[0];

const judge = (compare: (input: Input) => Awaited<ReturnType<PairJudge["comparePair"]>>): PairJudge => ({
  name: "scripted",
  comparePair: async (input) => compare(input),
});

/** As a judge does that asks both ways round: what depends on the place is a tie. */
const bothWays = (first: (input: Input) => "a" | "b"): PairJudge =>
  judge((input) => {
    const straight = first(input);
    const turned = first({ ...input, a: input.b, b: input.a });
    return { winner: straight === turned ? "tie" : straight };
  });

const bouts = (n: number): Bout[] =>
  Array.from({ length: n }, (_, i) => ({
    question: `q${i}`,
    ours: `<|thinking|>\nsecret ${i}\n<|/thinking|>\nlong answer ${i}`,
    theirs: `short ${i}`,
  }));

describe("judging", () => {
  it("counts wins and losses whatever side the answers are shown on", async () => {
    const seen: Input[] = [];
    const longer = judge((input) => {
      seen.push(input);
      return { winner: input.a.length > input.b.length ? "a" : "b" };
    });
    const result = await judgeReplies(longer, bouts(20), { seed: 7 });
    expect(result).toMatchObject({ judge: "scripted", n: 20, wins: 20, losses: 0, ties: 0, unjudged: 0 });
    expect(result.winRate).toMatchObject({ count: 20, n: 20 });
    expect(result.p).toBeCloseTo(2 / 2 ** 20, 12);
    const first = result.bouts.filter(({ shownFirst }) => shownFirst === "ours").length;
    expect(first).toBeGreaterThan(3);
    expect(first).toBeLessThan(17);
  });
  it("shows no thinking and no name, and the reference where there is one", async () => {
    const seen: Input[] = [];
    const looks = judge((input) => {
      seen.push(input);
      return { winner: "tie" };
    });
    const [bout] = bouts(1) as [Bout];
    await judgeReplies(looks, [{ ...bout, reference: "long" }], { seed: 7 });
    expect(Object.keys(seen[0]!).sort()).toEqual(["a", "b", "question", "reference"]);
    expect([seen[0]!.a, seen[0]!.b].sort()).toEqual(["long answer 0", "short 0"]);
  });
  it("a judge that always prefers the first place, asked both ways round, yields ties and no win rate", async () => {
    const result = await judgeReplies(
      bothWays(() => "a"),
      bouts(9),
      { seed: 7 },
    );
    expect(result).toMatchObject({ wins: 0, losses: 0, ties: 9, winRate: null, p: 1 });
  });
  it("the drawn order alone makes such a judge a coin where it does not ask both ways round", async () => {
    const biased = judge(() => ({ winner: "a" }));
    const { winRate } = await judgeReplies(biased, bouts(200), { seed: 7 });
    expect(winRate!.low).toBeLessThan(0.5);
    expect(winRate!.high).toBeGreaterThan(0.5);
  });
  it("a judge that throws leaves its bout unjudged, counted and out of the win rate", async () => {
    const flaky = judge((input) => {
      if (input.question === "q1") throw new Error("overloaded");
      if (input.question === "q2") return { winner: "unjudged", reason: "will not say" };
      return { winner: input.a.startsWith("long") ? "a" : "b" };
    });
    const result = await judgeReplies(flaky, bouts(4), { seed: 7 });
    expect(result).toMatchObject({ n: 4, wins: 2, losses: 0, unjudged: 2 });
    expect(result.winRate).toMatchObject({ count: 2, n: 2 });
    expect(result.bouts[1]).toMatchObject({ outcome: "unjudged", reason: "overloaded" });
  });
  it("asks nobody where answers are the same or missing", async () => {
    const never = judge(() => {
      throw new Error("asked");
    });
    const result = await judgeReplies(
      never,
      [
        { question: "q", ours: "same", theirs: "<|thinking|>x<|/thinking|> same " },
        { question: "q", ours: "<|thinking|>never ends", theirs: "an answer" },
        { question: "q", ours: "an answer", theirs: "" },
        { question: "q", ours: "", theirs: " " },
      ],
      { seed: 7 },
    );
    expect(result.bouts.map(({ outcome }) => outcome)).toEqual(["tie", "loss", "win", "tie"]);
    expect(result.withoutJudge).toBe(4);
  });
  it("ends with an abort and does not count it as a failing judge", async () => {
    const controller = new AbortController();
    const stops = judge(() => {
      controller.abort(new Error("stopped"));
      throw new Error("socket closed");
    });
    await expect(judgeReplies(stops, bouts(1), { seed: 7, signal: controller.signal })).rejects.toThrow("stopped");
  });
  it("the same seed shows the same order", async () => {
    const orders = async (seed: number) =>
      (
        await judgeReplies(
          judge(() => ({ winner: "tie" })),
          bouts(16),
          { seed },
        )
      ).bouts.map((bout) => bout.shownFirst);
    expect(await orders(1)).toEqual(await orders(1));
    expect(await orders(1)).not.toEqual(await orders(2));
  });
});

describe("the answer of a reply", () => {
  it.each([
    ["plain", "plain"],
    ["<|thinking|>t<|/thinking|>\nanswer", "answer"],
    ["<|thinking|>t<|/thinking|><|reflect|>r<|/reflect|>answer", "answer"],
    ["<|thinking|>t<|/thinking|> a <|reflect|>r", ""],
    ["before <|thinking|>open", ""],
    ["t<|/thinking|>answer", "answer"],
  ])("of %j is %j", (reply, answer) => {
    expect(answerOf(reply)).toBe(answer);
  });
});
