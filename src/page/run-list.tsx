/** @file All runs, the one that was written last first. */
import { useState } from "preact/hooks";
import type { RunList as Runs } from "../tools/views/types.js";
import { counted } from "./format.js";
import { RunRow } from "./run-row.js";
import { Empty, WithData } from "./states.js";
import { useTitle } from "./title.js";
import { useData } from "./use-data.js";

/** Fewer than this are seen at a glance. */
const RUNS_BEFORE_SEARCH = 6;

function NoRuns() {
  return (
    <Empty title="No run yet">
      <p>This page shows each run as it works. To begin one:</p>
      <ul class="hints">
        <li>
          <code>npx preflexor demo</code> lets the small built-in model teach itself; it takes about a minute and needs
          nothing else.
        </li>
        <li>
          <code>npx preflexor teach --corpus ./my-texts --model HuggingFaceTB/SmolLM2-135M-Instruct</code> begins with
          texts of your own.
        </li>
        <li>
          From an assistant that is connected to this server: the tools <code>ingest-corpus</code> and then{" "}
          <code>start-run</code>.
        </li>
      </ul>
    </Empty>
  );
}

function Broken({ broken }: { readonly broken: Runs["broken"] }) {
  if (broken.length === 0) return null;
  return (
    <details class="broken">
      <summary>{counted(broken.length, "folder")} that cannot be read as a run</summary>
      <dl>
        {broken.map(({ id, problem }) => (
          <div key={id}>
            <dt>{id}</dt>
            <dd>{problem}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function Listed({ runs, broken }: Runs) {
  const [text, setText] = useState("");
  if (runs.length === 0 && broken.length === 0) return <NoRuns />;
  const shown = runs.filter(({ id, kind, status, model = "" }) =>
    `${id} ${kind} ${status} ${model}`.toLowerCase().includes(text.trim().toLowerCase()),
  );
  return (
    <>
      {runs.length >= RUNS_BEFORE_SEARCH && (
        <label class="search">
          <span>Find a run</span>
          <input
            type="search"
            value={text}
            placeholder="name, model or status"
            onInput={(e) => setText(e.currentTarget.value)}
          />
        </label>
      )}
      <p class="soft" role="status">
        {shown.length === runs.length
          ? counted(runs.length, "run")
          : `${shown.length} of ${counted(runs.length, "run")}`}
      </p>
      <ul class="run-list">
        {shown.map((run) => (
          <RunRow key={run.id} run={run} />
        ))}
      </ul>
      <Broken broken={broken} />
    </>
  );
}

export function RunList() {
  const heading = useTitle("Runs");
  const load = useData("runs", "preflexor://runs", (source) => source.runs());
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        Runs
      </h1>
      <WithData what="list of runs" load={load}>
        {(list) => <Listed {...list} />}
      </WithData>
    </>
  );
}
