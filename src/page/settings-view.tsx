/** @file What a run was asked for, what came of it, and where it lies. */
import type { RunDetail } from "../tools/views/types.js";
import { bytes, count, moment } from "./format.js";
import { useSource } from "./use-data.js";

type Rows = readonly (readonly [label: string, value: string])[];

function Table({ title, rows }: { readonly title: string; readonly rows: Rows }) {
  if (rows.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <table class="pairs-table">
        <tbody>
          {rows.map(([label, value]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const settingText = (value: unknown): string =>
  typeof value === "string" ? value : value === null ? "none" : (JSON.stringify(value) ?? "–");

export function SettingsView({ run }: { readonly run: RunDetail }) {
  const { reportUrl } = useSource();
  const where: Rows = [
    ["directory", run.directory],
    ...(run.adapter === undefined ? [] : [["trained weights", run.adapter] as const]),
    ["checkpoints", run.checkpoints.length === 0 ? "none" : `after step ${run.checkpoints.map(count).join(", ")}`],
    ["on disk", bytes(run.bytes)],
    ["created", moment(run.created)],
    ["last written", moment(run.changed)],
  ];
  return (
    <>
      <Table title="Results" rows={run.table} />
      {reportUrl !== undefined && (
        <p>
          <a href={reportUrl(run.id)} download={`${run.id}.html`}>
            Download this run as one HTML file
          </a>{" "}
          <span class="soft">that works without a server</span>
        </p>
      )}
      <Table title="Asked for" rows={Object.entries(run.request).map(([name, value]) => [name, settingText(value)])} />
      <Table
        title="Came to nothing, by reason"
        rows={Object.entries(run.failures).map(([reason, n]) => [reason, count(n)])}
      />
      <Table title="Where it lies" rows={where} />
    </>
  );
}
