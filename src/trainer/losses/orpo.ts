/** @file The odds-ratio term of ORPO (Hong et al. 2024, arXiv 2403.07691, eq. 7). */
import type { GraphBuilder, Value } from "../graph/index.js";
import { log1mexp, logSigmoid } from "./log-terms.js";

export interface OrpoTerm {
  /** Σ w · -β log σ(log odds), scalar. */
  readonly loss: Value;
  /** (c - r) - [log(1 - e^c) - log(1 - e^r)], [pairs] */
  readonly logOdds: Value;
  /** log σ(log odds), [pairs]; TRL reports its mean as log_odds_ratio. */
  readonly logSigmoidOdds: Value;
}

/**
 * @param chosen mean log-probability of each chosen reply, [pairs]
 * @param rejected the same of the rejected replies
 * @param weights [pairs]; 1 / (pairs of the whole step) makes it the mean
 * @param beta scalar, the paper's lambda
 */
export function orpoTerm(g: GraphBuilder, chosen: Value, rejected: Value, weights: Value, beta: Value): OrpoTerm {
  return g.scope("orpo", () => {
    const logOdds = g.sub(g.sub(chosen, rejected), g.sub(log1mexp(g, chosen), log1mexp(g, rejected)));
    const logSigmoidOdds = logSigmoid(g, logOdds);
    const loss = g.neg(g.mul(beta, g.sumAll(g.mul(weights, logSigmoidOdds))));
    return { loss, logOdds, logSigmoidOdds };
  });
}
