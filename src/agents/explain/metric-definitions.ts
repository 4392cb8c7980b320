/** @file What each metric of a run means, under TRL's names. */

const DEFINITIONS: Readonly<Record<string, string>> = {
  loss: "What the optimizer lowers: the mean over the pairs of a step. Values of different losses cannot be compared",
  grad_norm:
    "Length of the gradient before it is clipped to max_grad_norm. Steady is good; growth or single peaks are not",
  learning_rate: "Rate of the step: it rises over warmup_steps and then stays",
  epoch: "Passes over the pairs of the round so far",
  nll_loss:
    "Negative log-likelihood of the chosen replies (orpo, sft) or of the replayed texts, in nats a token: how surprising they are to the model",
  "rewards/chosen":
    "With a reference: beta times how much likelier the chosen replies are than under the reference. Without one (orpo, simpo): beta times their mean log-probability",
  "rewards/rejected": "The same of the rejected replies",
  "rewards/margins": "rewards/chosen minus rewards/rejected: what a preference loss makes larger",
  "rewards/accuracies": "Share of the pairs of a step whose chosen reply has the larger reward; 0.5 is chance",
  "logps/chosen":
    "Log-probability of the chosen replies: summed over tokens where the loss has a reference, else the mean a token",
  "logps/rejected": "The same of the rejected replies",
  log_odds_chosen:
    "orpo: log of the odds of the chosen reply over those of the rejected one; above 0 the chosen one is likelier",
  log_odds_ratio: "orpo: log sigmoid of log_odds_chosen; it rises towards 0",
  "exo/vanishing": "exo_pair: share of the pairs ranked so badly that they hardly give a gradient",
};

/** Undefined where there is no such metric. `eval_` stands before what was measured on held-out pairs. */
export function metricDefinition(name: string): string | undefined {
  const plain = name.replace(/^eval_/, "");
  const found = Object.hasOwn(DEFINITIONS, plain) ? DEFINITIONS[plain] : undefined;
  return found === undefined || plain === name ? found : `On held-out pairs, which are never trained on. ${found}`;
}

export const METRIC_NAMES: readonly string[] = Object.keys(DEFINITIONS);
