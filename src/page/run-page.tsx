/** @file One run: how it stands, and the views of it. */
import type { RunDetail } from "../tools/views/types.js";
import { Ago } from "./ago.js";
import { CurvesView } from "./curves-view.js";
import { Facts } from "./facts.js";
import { count, decimal } from "./format.js";
import { GraphView } from "./graph-view.js";
import { PairsView } from "./pairs-view.js";
import { ReasoningView } from "./reasoning-view.js";
import { Link, pathOf, useRoute } from "./router.js";
import { SettingsView } from "./settings-view.js";
import { WithData } from "./states.js";
import { Activity, Status } from "./status.js";
import { useTitle } from "./title.js";
import { uriOf, useData, useSource } from "./use-data.js";

const TABS = [
  ["curves", "Curves"],
  ["pairs", "Pairs"],
  ["reasoning", "Recursion"],
  ["graph", "Questions"],
  ["settings", "Settings"],
] as const;
type Tab = (typeof TABS)[number][0];

function Head({ run }: { readonly run: RunDetail }) {
  return (
    <div class="run-head">
      <p class="soft">
        {run.kind}
        {run.model !== undefined && ` · ${run.model}`}
      </p>
      <Activity run={run} />
      <Facts
        facts={[
          ["status", <Status key="status" status={run.status} />],
          run.phase !== undefined && ["phase", run.phase],
          run.round !== undefined && ["round", count(run.round)],
          run.step !== undefined && ["optimizer steps", count(run.step)],
          ["pairs", count(run.pairs)],
          run.loss !== undefined && ["last loss", decimal(run.loss)],
          ["changed", <Ago key="ago" at={run.changed} />],
        ]}
      />
    </div>
  );
}

function View({ tab, run, rest }: { readonly tab: Tab; readonly run: RunDetail; readonly rest: readonly string[] }) {
  if (tab === "pairs") return <PairsView run={run} at={rest[0]} />;
  if (tab === "reasoning") return <ReasoningView run={run} at={rest[0]} />;
  if (tab === "graph") return <GraphView run={run} at={rest[0]} />;
  if (tab === "settings") return <SettingsView run={run} />;
  return <CurvesView id={run.id} />;
}

export function RunPage({ id }: { readonly id: string }) {
  const { parts } = useRoute();
  const source = useSource();
  const title = source.title ?? id;
  const heading = useTitle(title);
  const load = useData(`run ${id}`, uriOf(id), (from) => from.run(id));
  const tab = TABS.find(([name]) => name === parts[2])?.[0] ?? "curves";
  return (
    <>
      {source.only === undefined && (
        <p class="crumb">
          <Link to="/">← All runs</Link>
        </p>
      )}
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <WithData what="run" load={load}>
        {(run) => (
          <>
            <Head run={run} />
            <nav class="tabs" aria-label="Views of this run">
              {TABS.map(([name, title]) => (
                <Link key={name} to={pathOf("runs", id, name)} current={name === tab}>
                  {title}
                </Link>
              ))}
            </nav>
            <View tab={tab} run={run} rest={parts.slice(3)} />
          </>
        )}
      </WithData>
    </>
  );
}
