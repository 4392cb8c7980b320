/** @file One token from one row of logits. */

export interface SamplingRule {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Smallest set of most likely tokens whose probability reaches this; 1 keeps all. */
  readonly topP: number;
}

export interface SampledToken {
  readonly id: number;
  /** Log-probability at temperature 1, before any truncation. */
  readonly logp: number;
}

/** Draws a token by inverse CDF with `noise` in [0, 1); ties and greedy choice go to the smaller id. */
export function sampleToken(logits: Float32Array, { temperature, topP }: SamplingRule, noise: number): SampledToken {
  const best = indexOfMax(logits);
  const max = logits[best] as number;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const logp = (id: number): number => (logits[id] as number) - max - Math.log(sum);
  if (temperature === 0) return { id: best, logp: logp(best) };

  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - max) / temperature));
  const id = topP < 1 ? drawFromNucleus(weights, topP, noise) : draw(weights, noise);
  return { id, logp: logp(id) };
}

function indexOfMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

function draw(weights: Float64Array, noise: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let rest = noise * total;
  let last = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const weight = weights[i] as number;
    if (weight === 0) continue;
    last = i;
    rest -= weight;
    if (rest < 0) return i;
  }
  return last; // rounding used up the sum
}

/** Nucleus sampling (Holtzman et al. 2019, arXiv 1904.09751): tokens by falling weight, ties by id. */
function drawFromNucleus(weights: Float64Array, topP: number, noise: number): number {
  const order = Array.from(weights, (_, i) => i).sort(
    (a, b) => (weights[b] as number) - (weights[a] as number) || a - b,
  );
  const total = weights.reduce((a, b) => a + b, 0);
  let kept = 0;
  let mass = 0;
  while (kept < order.length && mass < topP * total) {
    mass += weights[order[kept] as number] as number;
    kept += 1;
  }
  let rest = noise * mass;
  for (const id of order.slice(0, kept)) {
    rest -= weights[id] as number;
    if (rest < 0) return id;
  }
  return order[kept - 1] as number;
}
