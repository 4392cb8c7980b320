/** @file The rounds of one recursion: what each changed, how it was scored, what it was told to do better. */
import { useMemo, useState } from "preact/hooks";
import type { ReasoningView } from "../tools/views/types.js";
import { Diffed } from "./diffed.js";
import { percent } from "./format.js";
import { keptShare, wordDiff } from "./word-diff.js";

type Round = ReasoningView["rounds"][number];

function Score({ score, best }: { readonly score: number; readonly best: boolean }) {
  return (
    <span class="score">
      <meter min={0} max={1} value={score} aria-label="score" />
      <span class="nums">{score.toFixed(2)}</span>
      {best && <span class="badge">best: its answer is given</span>}
    </span>
  );
}

function Told({ title, text }: { readonly title: string; readonly text: string | undefined }) {
  if (text === undefined || text.trim() === "") return null;
  return (
    <div class="told">
      <span class="label">{title}</span>
      {text}
    </div>
  );
}

interface RoundProps {
  readonly round: Round;
  readonly number: number;
  readonly best: boolean;
  /** The round to compare with. */
  readonly before: Round | undefined;
}

function RoundView({ round, number, best, before }: RoundProps) {
  const kept = useMemo(
    () => (before === undefined ? undefined : keptShare(wordDiff(before.thinking, round.thinking))),
    [before, round],
  );
  const text = (part: "thinking" | "answer") =>
    round[part] === "" ? (
      <span class="soft">(no {part})</span>
    ) : before === undefined ? (
      round[part]
    ) : (
      <Diffed before={before[part]} after={round[part]} />
    );
  return (
    <li class="round">
      <h3>
        Round {number} <Score score={round.score} best={best} />
      </h3>
      <Told title="what the critic said of the round before" text={round.feedback} />
      <div class="thinking">
        <span class="label">thinking{kept !== undefined && `, ${percent(kept)} of its words kept`}</span>
        {text("thinking")}
      </div>
      <Told title="reflection" text={round.reflection} />
      <p class="answer">
        <span class="label">answer</span>
        {text("answer")}
      </p>
    </li>
  );
}

const COMPARISONS = { previous: "with the round before", first: "with round 1", off: "not at all" } as const;
type Comparison = keyof typeof COMPARISONS;

export function ReasoningRounds({ view }: { readonly view: ReasoningView }) {
  const [comparison, setComparison] = useState<Comparison>("previous");
  const { rounds, best, question, answer, integrated } = view;
  const before = (i: number): Round | undefined =>
    i === 0 || comparison === "off" ? undefined : rounds[comparison === "first" ? 0 : i - 1];
  return (
    <article class="reasoning">
      <h2 class="prompt">{question}</h2>
      {rounds.length > 1 && (
        <label class="compare">
          <span>Compare</span>
          <select value={comparison} onChange={(event) => setComparison(event.currentTarget.value as Comparison)}>
            {Object.entries(COMPARISONS).map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </label>
      )}
      <ol class="rounds">
        {rounds.map((round, i) => (
          <RoundView key={i} round={round} number={i + 1} best={best === i + 1} before={before(i)} />
        ))}
      </ol>
      {answer.trim() === rounds[best - 1]?.answer.trim() ? null : (
        <div class="final">
          <span class="label">{integrated ? "answer, integrated from all rounds" : "answer"}</span>
          {answer === "" ? <span class="soft">(no answer)</span> : answer}
        </div>
      )}
    </article>
  );
}
