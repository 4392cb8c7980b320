/** @file A run in the list. */
import type { RunItem } from "../tools/views/types.js";
import { Ago } from "./ago.js";
import { Facts } from "./facts.js";
import { bytes, count, decimal } from "./format.js";
import { Link, pathOf } from "./router.js";
import { Sparkline } from "./sparkline.js";
import { Activity, Status } from "./status.js";
import { uriOf, useData } from "./use-data.js";

/** As many points as a small line can show. */
const SPARK_POINTS = 60;

export function RunRow({ run }: { readonly run: RunItem }) {
  const { loaded } = useData(`spark ${run.id}`, uriOf(run.id, "metrics"), (source) =>
    source.metrics(run.id, SPARK_POINTS),
  );
  const steps = loaded.state === "ready" ? loaded.data.steps : [];
  const losses = steps.map(({ metrics }) => metrics["loss"]).filter((loss) => loss !== undefined);
  return (
    <li class="run-row">
      <div class="run-row-name">
        <h2>
          <Link to={pathOf("runs", run.id)}>{run.id}</Link>
        </h2>
        <p class="soft">
          {run.kind}
          {run.model !== undefined && ` · ${run.model}`}
        </p>
      </div>
      <Status status={run.status} />
      <div class="run-row-loss">
        <Sparkline values={losses} label="loss" />
        {run.loss !== undefined && <span class="nums">loss {decimal(run.loss)}</span>}
      </div>
      <Facts
        facts={[
          run.phase !== undefined && ["phase", run.phase],
          run.round !== undefined && ["round", count(run.round)],
          run.step !== undefined && ["steps", count(run.step)],
          ["pairs", count(run.pairs)],
          ["on disk", bytes(run.bytes)],
          ["changed", <Ago key="ago" at={run.changed} />],
        ]}
      />
      <Activity run={run} />
    </li>
  );
}
