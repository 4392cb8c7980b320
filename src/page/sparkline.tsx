/** @file The loss of a run as a small line. */
import { decimal } from "./format.js";

const WIDTH = 160;
const HEIGHT = 36;
const EDGE = 3;

export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  if (values.length < 2) return <span class="sparkline none" />;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (i: number): number => EDGE + (i * (WIDTH - 2 * EDGE)) / (values.length - 1);
  const y = (value: number): number =>
    high === low ? HEIGHT / 2 : EDGE + ((high - value) * (HEIGHT - 2 * EDGE)) / (high - low);
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const last = values.length - 1;
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${label} from ${decimal(values[0]!)} to ${decimal(values[last]!)}`}
    >
      <polyline points={points} />
      <circle cx={x(last)} cy={y(values[last]!)} r="2.6" />
    </svg>
  );
}
