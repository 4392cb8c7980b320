/** @file The curves of a run, and its held-out accuracy by question type. */
import { useMemo } from "preact/hooks";
import type { RunMetrics } from "../tools/views/types.js";
import { AccuracyByType } from "./accuracy-by-type.js";
import { curvesOf } from "./curves.js";
import { counted } from "./format.js";
import { Plot } from "./plot.js";
import { Empty, WithData } from "./states.js";
import { uriOf, useData } from "./use-data.js";

/** More than a wide screen has pixels for. */
const POINTS = 2000;

function Drawn({ metrics }: { readonly metrics: RunMetrics }) {
  const curves = useMemo(() => curvesOf(metrics), [metrics]);
  if (curves.length === 0) {
    return (
      <Empty title="No step yet">
        <p>Curves begin with the first optimizer step. Before it, pairs are made: see “Pairs”.</p>
      </Empty>
    );
  }
  const { steps, totalSteps } = metrics;
  return (
    <>
      {steps.length < totalSteps && (
        <p class="soft">
          Shown: {counted(steps.length, "step")} of {counted(totalSteps, "step")}, evenly spread.
        </p>
      )}
      <div class="plots">
        {curves.map((curve) => (
          <Plot key={curve.key} curve={curve} />
        ))}
      </div>
      <AccuracyByType evaluations={metrics.evaluations} />
    </>
  );
}

export function CurvesView({ id }: { readonly id: string }) {
  const load = useData(`metrics ${id}`, uriOf(id, "metrics"), (source) => source.metrics(id, POINTS));
  return (
    <WithData what="metrics" load={load}>
      {(metrics) => <Drawn metrics={metrics} />}
    </WithData>
  );
}
