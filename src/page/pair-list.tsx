/** @file A page of pairs, by their prompts. */
import { count } from "./format.js";
import type { Pair } from "./pair-filter.js";
import { Link, pathOf } from "./router.js";

/** Pairs in a page. */
export const PAGE = 20;

interface Props {
  readonly run: string;
  readonly pairs: readonly Pair[];
  readonly selected: number | undefined;
  readonly total: number;
  readonly page: number;
  onPage(page: number): void;
}

export function PairList({ run, pairs, selected, total, page, onPage }: Props) {
  const first = page * PAGE + 1;
  const last = Math.min(total, (page + 1) * PAGE);
  return (
    <>
      <ul class="pair-list">
        {pairs.map(({ index, prompt, provenance }) => (
          <li key={index}>
            <Link to={pathOf("runs", run, "pairs", index + 1)} current={index === selected}>
              <span class="pair-number nums">{count(index + 1)}</span>
              <span class="pair-prompt">{provenance.question ?? prompt}</span>
              <span class="soft">
                {[provenance.topic, provenance.round === undefined ? undefined : `round ${provenance.round}`]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {total > PAGE && (
        <nav class="pager" aria-label="Pages of pairs">
          <button type="button" disabled={page === 0} onClick={() => onPage(page - 1)}>
            Earlier
          </button>
          <span class="soft nums">
            {count(first)}–{count(last)} of {count(total)}
          </span>
          <button type="button" disabled={last >= total} onClick={() => onPage(page + 1)}>
            Later
          </button>
        </nav>
      )}
    </>
  );
}
