/** @file Held-out accuracy by type of question, before training and last. */
import type { RunMetrics } from "../tools/views/types.js";
import { splitName } from "./curves.js";
import { count, percent } from "./format.js";
import { Scroll } from "./scroll.js";

type Evaluations = RunMetrics["evaluations"];

interface Row {
  readonly split: string;
  readonly type: string;
  readonly before: string;
  readonly after: string;
  readonly chance: string;
  readonly n: string;
}

const share = (one: { readonly right: number; readonly n: number } | undefined): string =>
  one === undefined || one.n === 0 ? "–" : percent(one.right / one.n);

export function rowsByType(evaluations: Evaluations): Row[] {
  const splits = [...new Set(evaluations.map(({ result }) => result.split))];
  return splits.flatMap((split) => {
    const own = evaluations.filter(({ result }) => result.split === split).toSorted((a, b) => a.round - b.round);
    const [first, last] = [own[0]!.result, own.at(-1)!.result];
    return last.byType.map((after) => ({
      split: splitName(split),
      type: after.type.replaceAll("-", " "),
      before: share(first.byType.find(({ type }) => type === after.type)),
      after: share(after),
      chance: percent(after.chance),
      n: count(after.n),
    }));
  });
}

export function AccuracyByType({ evaluations }: { readonly evaluations: Evaluations }) {
  const rows = rowsByType(evaluations);
  if (rows.length === 0) return null;
  const rounds = evaluations.map(({ round }) => round);
  return (
    <section>
      <h2>Held-out accuracy by question type</h2>
      <Scroll label="Held-out accuracy by question type">
        <table>
          <thead>
            <tr>
              <th scope="col">held out</th>
              <th scope="col">question type</th>
              <th scope="col" class="number">
                round {Math.min(...rounds)}
              </th>
              <th scope="col" class="number">
                round {Math.max(...rounds)}
              </th>
              <th scope="col" class="number">
                chance
              </th>
              <th scope="col" class="number">
                questions
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ split, type, before, after, chance, n }) => (
              <tr key={`${split} ${type}`}>
                <td>{split}</td>
                <td>{type}</td>
                <td class="number">{before}</td>
                <td class="number">
                  <b>{after}</b>
                </td>
                <td class="number soft">{chance}</td>
                <td class="number soft">{n}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
