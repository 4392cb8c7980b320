/** @file One pair: chosen and rejected side by side, and where they came from. */
import type { RunDetail } from "../tools/views/types.js";
import { count } from "./format.js";
import type { Pair } from "./pair-filter.js";
import { Reply } from "./reply.js";
import { studentText, verdictText } from "./reply-parts.js";

function Provenance({ pair: { provenance: from } }: { readonly pair: Pair }) {
  const rows: (readonly [string, string | undefined])[] = [
    ["question", from.question],
    ["topic", from.topic],
    ["teacher", from.teacher],
    ["student", studentText(from.student)],
    ["phase", from.phase],
    ["round", from.round === undefined ? undefined : count(from.round)],
    ["rejected by", from.rule],
    ["sample", from.samples === undefined ? undefined : `${count((from.sample ?? 0) + 1)} of ${count(from.samples)}`],
    ["verdict", from.verdict === undefined ? undefined : verdictText(from.verdict)],
    ["seed", String(from.seed)],
  ];
  return (
    <section class="provenance">
      <h3>Where it came from</h3>
      <dl>
        {rows
          .filter(([, value]) => value !== undefined && value !== "")
          .map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        <div class="passages">
          <dt>passages</dt>
          <dd>
            {from.passages.length === 0 ? (
              "none"
            ) : (
              <ul>
                {from.passages.map((passage) => (
                  <li key={passage}>
                    <code>{passage}</code>
                  </li>
                ))}
              </ul>
            )}
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** A mark for each side, so that no colour is needed to tell them apart. */
const MARKS = {
  chosen: "M3 8.6 6.6 12 13.4 4.8 11.9 3.4 6.5 9.1 4.4 7.1z",
  rejected: "M4.4 3 8 6.6 11.6 3 13 4.4 9.4 8 13 11.6 11.6 13 8 9.4 4.4 13 3 11.6 6.6 8 3 4.4z",
} as const;

type Markers = RunDetail["markers"];

function Side({ of, pair, markers }: { of: keyof typeof MARKS; pair: Pair; markers: Markers }) {
  return (
    <section class={`side ${of}`}>
      <h3>
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <path d={MARKS[of]} />
        </svg>
        {of}
      </h3>
      <Reply text={pair[of]} markers={markers} />
    </section>
  );
}

export function PairView({ pair, markers }: { readonly pair: Pair; readonly markers: Markers }) {
  return (
    <article class="pair" aria-label={`Pair ${pair.index + 1}`}>
      <h2 class="prompt">{pair.prompt}</h2>
      <div class="sides">
        <Side of="chosen" pair={pair} markers={markers} />
        <Side of="rejected" pair={pair} markers={markers} />
      </div>
      <Provenance pair={pair} />
    </article>
  );
}
