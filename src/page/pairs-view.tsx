/** @file The pair browser: a list that can be searched and paged, and the pair that is read. */
import { useEffect, useState } from "preact/hooks";
import type { RunDetail } from "../tools/views/types.js";
import { count, counted } from "./format.js";
import { filterChoices, filterPairs, isFiltering, NO_FILTER, type Pair } from "./pair-filter.js";
import { PairFilterForm } from "./pair-filter-form.js";
import { PAGE, PairList } from "./pair-list.js";
import { PairView } from "./pair-view.js";
import { Link, pathOf, useRoute } from "./router.js";
import { Empty, Failed, Loading } from "./states.js";
import { useSource } from "./use-data.js";
import { useKeys } from "./use-keys.js";
import { usePairs } from "./use-pairs.js";

/** Pages that are read: the one that is shown, and the next. */
const AHEAD = 2;

/** Rows of the page that the pair at `place` is on. */
const pageAt = (place: number): number => Math.floor(Math.max(0, place) / PAGE);

export function PairsView({ run, at }: { readonly run: RunDetail; readonly at: string | undefined }) {
  const { go } = useRoute();
  const { sampled } = useSource();
  const asked = at !== undefined && /^\d+$/.test(at) ? Number(at) - 1 : undefined;
  const [filter, setFilter] = useState(NO_FILTER);
  const [page, setPage] = useState(pageAt(asked ?? 0));
  const filtering = isFiltering(filter);
  const { pairs, total, error, complete, retry } = usePairs(
    run.id,
    filtering ? Number.POSITIVE_INFINITY : (Math.max(page, pageAt(asked ?? 0)) + AHEAD) * PAGE,
  );

  const shown = filterPairs(pairs, filter);
  const known = filtering ? shown.length : (total ?? 0);
  const place = shown.findIndex(({ index }) => index === asked);
  const selected: Pair | undefined =
    shown[place] ?? (asked === undefined || filtering ? shown[page * PAGE] : undefined);
  // A pair that is still on its way has its place already.
  const now = selected !== undefined ? shown.indexOf(selected) : asked !== undefined && asked < known ? asked : -1;
  const show = (next: number): void => {
    const clamped = Math.max(0, Math.min(next, known - 1));
    setPage(pageAt(clamped));
    // What is not read yet is gone to by its place.
    go(pathOf("runs", run.id, "pairs", (shown[clamped]?.index ?? clamped) + 1));
  };
  useKeys(
    { ArrowRight: () => show(now + 1), ArrowLeft: () => show(now - 1), j: () => show(now + 1), k: () => show(now - 1) },
    known > 0,
  );
  useEffect(() => {
    if (place >= 0) setPage(pageAt(place));
  }, [place]);

  if (error !== undefined && pairs.length === 0) return <Failed what="pairs" error={error} retry={retry} />;
  if (total === undefined) return <Loading what="pairs" />;
  if (total === 0) {
    return (
      <Empty title="No pair yet">
        <p>
          Pairs are made at the beginning of each round: a question from the texts, a chosen reply by the teacher, a
          rejected one by the student. An assistant makes single ones with the tool{" "}
          <code>generate-preference-pair</code>.
        </p>
      </Empty>
    );
  }
  return (
    <div class="pair-browser" data-selected={asked !== undefined}>
      <div class="pair-side">
        <PairFilterForm
          filter={filter}
          choices={filterChoices(pairs)}
          onChange={(next) => {
            setFilter(next);
            setPage(0);
          }}
        />
        <p class="soft" role="status">
          {filtering
            ? `${count(shown.length)} of ${counted(total, "pair")}${complete ? "" : " · still reading"}`
            : sampled && total < run.pairs
              ? `${count(total)} of ${counted(run.pairs, "pair")}, evenly spread over the run`
              : counted(total, "pair")}
        </p>
        <PairList
          run={run.id}
          pairs={shown.slice(page * PAGE, (page + 1) * PAGE)}
          selected={selected?.index}
          total={known}
          page={page}
          onPage={setPage}
        />
      </div>
      <div class="pair-main">
        <p class="pair-steps">
          <span class="narrow-only">
            <Link to={pathOf("runs", run.id, "pairs")}>All pairs</Link>
          </span>
          <button type="button" disabled={now <= 0} onClick={() => show(now - 1)}>
            ← Previous
          </button>
          <button type="button" disabled={now < 0 || now >= known - 1} onClick={() => show(now + 1)}>
            Next →
          </button>
          {selected !== undefined && <span class="soft nums">pair {count(selected.index + 1)}</span>}
          <span class="soft keys">
            keys <kbd>←</kbd> <kbd>→</kbd>
          </span>
        </p>
        {selected === undefined ? (
          filtering || complete ? (
            <Empty title={filtering ? "No pair matches" : "There is no such pair"}>
              <p>
                {filtering ? (
                  <button type="button" onClick={() => setFilter(NO_FILTER)}>
                    Show all {count(total)} pairs
                  </button>
                ) : (
                  <Link to={pathOf("runs", run.id, "pairs", 1)}>Go to the first</Link>
                )}
              </p>
            </Empty>
          ) : (
            <Loading what="pair" />
          )
        ) : (
          <PairView pair={selected} markers={run.markers} />
        )}
      </div>
    </div>
  );
}
