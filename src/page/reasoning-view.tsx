/** @file Questions that were answered recursively within a run. */
import type { ReasoningView as Reasoning, RunDetail } from "../tools/views/types.js";
import { Ago } from "./ago.js";
import { counted } from "./format.js";
import { ReasoningRounds } from "./reasoning-rounds.js";
import { Link, pathOf } from "./router.js";
import { Empty, WithData } from "./states.js";
import { uriOf, useData } from "./use-data.js";

function List({ run, views, at }: { readonly run: string; readonly views: readonly Reasoning[]; readonly at: number }) {
  if (views.length < 2) return null;
  return (
    <ul class="pair-list reasoning-list">
      {views.map(({ question, rounds, at: time }, i) => (
        <li key={`${time} ${question}`}>
          <Link to={pathOf("runs", run, "reasoning", i + 1)} current={i === at}>
            <span class="pair-prompt">{question}</span>
            <span class="soft">
              {counted(rounds.length, "round")} · <Ago at={time} />
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

export function ReasoningView({ run, at }: { readonly run: RunDetail; readonly at: string | undefined }) {
  const load = useData(`reasoning ${run.id}`, uriOf(run.id, "reasoning"), (source) => source.reasoning(run.id));
  return (
    <WithData what="recursion" load={load}>
      {(views) => {
        const asked = Number(at ?? 1) - 1;
        const place = views[asked] === undefined ? 0 : asked;
        const view = views[place];
        if (view === undefined) {
          return (
            <Empty title="Nothing was reasoned recursively yet">
              <p>
                Recursion answers a question, has its thinking judged, and answers again with better thinking. An
                assistant starts it with the tool <code>recursive-reason</code>.
              </p>
            </Empty>
          );
        }
        return (
          <div class={views.length > 1 ? "reasoning-browser" : undefined}>
            <List run={run.id} views={views} at={place} />
            <ReasoningRounds key={`${view.at} ${view.question}`} view={view} />
          </div>
        );
      }}
    </WithData>
  );
}
