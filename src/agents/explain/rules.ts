/** @file Rules over the curves of one stretch of training: each looks for one thing, and says it with the numbers it found. */
import { type CurvePoint, type Ends, ends, mean, median, type Stretch, valuesOf } from "./curves.js";
import { type Finding, num } from "./finding.js";

type Rule = (stretch: Stretch) => Finding | undefined;

/** Below this share a change is noise. */
const NOISE = 0.02;
/** With fewer steps a curve says nothing. */
const LEAST_STEPS = 4;

const isDown = ({ first, change }: Ends): boolean => change < -NOISE * Math.max(1e-3, Math.abs(first));
const way = ({ first, last }: Ends): string => `${num(first)} → ${num(last)}`;

/** Chosen falls by more than this share of itself: the model loses the good replies too. */
const MUCH = 0.1;

const displacement: Rule = ({ kind, points }) => {
  const [chosen, rejected, margin] = [
    ends(points, "logps/chosen"),
    ends(points, "logps/rejected"),
    ends(points, "rewards/margins"),
  ];
  if (kind === "sft" || !chosen || !rejected || !margin || !isDown(chosen) || !isDown(rejected)) return undefined;
  const what = `logps/chosen ${way(chosen)}, logps/rejected ${way(rejected)}, rewards/margins ${way(margin)}`;
  const advice = [
    "set replay_chosen: true (with replay_weight 0.2 to 1): the likelihood of the chosen replies then is a part of the loss",
    "raise beta: it holds the model nearer to the reference",
    "lower learning_rate, or take fewer steps a round (n_steps)",
    "drop pairs whose replies are almost the same (rejected_rule: least-similar): they displace most",
  ];
  if (margin.change <= 0) {
    return {
      id: "both-fall",
      level: "problem",
      metrics: ["logps/chosen", "logps/rejected", "rewards/margins"],
      what,
      why: "Both replies become unlikelier and the chosen one does not win: the model loses its language instead of learning the preference.",
      advice: [
        "lower learning_rate to a third",
        ...advice.slice(0, 2),
        "begin again from the checkpoint before (roll_back: true does so by itself)",
      ],
    };
  }
  const isMuch = -chosen.change > MUCH * Math.abs(chosen.first);
  return {
    id: "likelihood-displacement",
    level: isMuch ? "warning" : "note",
    metrics: ["logps/chosen", "logps/rejected", "rewards/margins"],
    what,
    why:
      "What is trained is the margin alone: it grows also where both log-probabilities fall, as long as the rejected one falls faster. " +
      "Replies that share tokens pull each other down, and the probability goes to texts that stand in no pair: likelihood displacement " +
      "(Razin et al. 2024, arXiv 2410.08847; Pal et al. 2024, DPO-Positive, arXiv 2402.13228). " +
      (isMuch
        ? "Here the chosen replies lose much of theirs, so the model's own replies may come apart."
        : "Here it is small, which is usual and does no harm by itself."),
    advice: isMuch ? advice : ["nothing, as long as held-out accuracy does not fall; else set replay_chosen: true"],
  };
};

const separating: Rule = ({ kind, points }) => {
  const [chosen, margin] = [ends(points, "logps/chosen"), ends(points, "rewards/margins")];
  if (kind === "sft" || !chosen || !margin || isDown(chosen) || !(margin.change > 0)) return undefined;
  return {
    id: "margin-grows",
    level: "good",
    metrics: ["logps/chosen", "rewards/margins"],
    what: `rewards/margins ${way(margin)} while logps/chosen ${way(chosen)}`,
    why: "The preference is learned without the chosen replies becoming unlikelier.",
    advice: [],
  };
};

const marginCollapsed: Rule = ({ kind, points }) => {
  const margins = valuesOf(points, "rewards/margins");
  const span = ends(points, "rewards/margins");
  const highest = Math.max(...margins);
  if (kind === "sft" || span === undefined || points.length < LEAST_STEPS) return undefined;
  const fell = highest > 0 && span.last < highest / 2 && span.change < 0;
  if (span.last > 0 && !fell) return undefined;
  if (span.last <= 0 && span.change > 0) return undefined;
  return {
    id: "margins-collapsed",
    level: "problem",
    metrics: ["rewards/margins"],
    what: `rewards/margins ${way(span)}, at most ${num(highest)}`,
    why: "The chosen replies no longer win over the rejected ones: what was learned is lost again, as with a rate that is too high or pairs that contradict each other.",
    advice: [
      "lower learning_rate to a third",
      "set roll_back: true, which goes back to the best weights",
      "look at the pairs (prompt review-pairs): chosen and rejected may be mixed up",
    ],
  };
};

const saturated: Rule = ({ kind, points }) => {
  const accuracies = valuesOf(points, "rewards/accuracies");
  const half = points.slice(Math.floor(points.length / 2));
  const loss = ends(half, "loss");
  if (kind === "sft" || accuracies.length < LEAST_STEPS || loss === undefined) return undefined;
  const late = mean(accuracies.slice(-Math.ceil(accuracies.length / 2)));
  if (late < 0.99 || !isDown(loss)) return undefined;
  return {
    id: "saturated",
    level: "warning",
    metrics: ["rewards/accuracies", "loss"],
    what: `rewards/accuracies is ${num(late)} over the second half, and loss still falls there: ${way(loss)}`,
    why: "Every pair is ranked right already; what still lowers the loss only makes the margin larger. The model grows surer, not better, and drifts from where it was good.",
    advice: [
      "take fewer steps: a smaller n_steps or num_train_epochs",
      "make new pairs against the model as it is (another round, generate_each_iteration: true)",
      "set only_include_wrong_answers: true, so that pairs stay hard",
      "raise beta",
    ],
  };
};

const notLearning: Rule = ({ kind, points }) => {
  const accuracies = valuesOf(points, "rewards/accuracies");
  const loss = ends(points, "loss");
  if (kind === "sft" || accuracies.length < 10 || loss === undefined) return undefined;
  const late = mean(accuracies.slice(-Math.ceil(accuracies.length / 3)));
  if (Math.abs(late - 0.5) > 0.1 || isDown(loss)) return undefined;
  return {
    id: "not-learning",
    level: "warning",
    metrics: ["rewards/accuracies", "loss"],
    what: `rewards/accuracies is ${num(late)} over the last third of ${points.length} steps, and loss ${way(loss)}`,
    why: "Chosen and rejected are told apart no better than by chance: the rate is too low, or the replies of a pair hardly differ.",
    advice: [
      "raise learning_rate threefold",
      "look at the pairs (prompt review-pairs): do chosen and rejected differ in what matters?",
      "a larger lora_r, or more steps",
    ],
  };
};

const lossRises: Rule = ({ points }) => {
  const loss = ends(points, "loss");
  if (loss === undefined || points.length < LEAST_STEPS || loss.change <= 0.05 * Math.max(0.05, Math.abs(loss.first)))
    return undefined;
  return {
    id: "loss-rises",
    level: "problem",
    metrics: ["loss"],
    what: `loss ${way(loss)}`,
    why: "The loss of the pairs that are trained on should fall. It rises where the rate is too high for the model, or where every round brings harder pairs.",
    advice: [
      "lower learning_rate to a third",
      "more warmup_steps",
      "if only the first step of each round is high: nothing, its pairs are new",
    ],
  };
};

const PEAK = 10;
const GROWTH = 3;

const exploding: Rule = ({ points }) => {
  const norms = valuesOf(points, "grad_norm");
  const span = ends(points, "grad_norm");
  if (span === undefined || norms.length < LEAST_STEPS) return undefined;
  const [highest, usual] = [Math.max(...norms), median(norms)];
  const at = points.find(({ metrics }) => metrics["grad_norm"] === highest)?.step;
  const grows = span.last > GROWTH * span.first;
  if (highest <= PEAK * usual && !grows) return undefined;
  return {
    id: "grad-norm-explodes",
    level: "warning",
    metrics: ["grad_norm"],
    what: `grad_norm ${way(span)}, usually ${num(usual)}, ${num(highest)} at step ${at}`,
    why: "Gradients that grow, or single peaks far above the rest, throw the weights further than the step was meant to go; clipping only shortens them.",
    advice: [
      "lower learning_rate to a third",
      "set max_grad_norm to about the usual value",
      "look at the pairs of that step: an empty or very long reply does this",
    ],
  };
};

const noGradient: Rule = ({ points }) => {
  const norms = valuesOf(points, "grad_norm");
  if (norms.length < LEAST_STEPS || norms.some((norm) => norm > 1e-7)) return undefined;
  return {
    id: "no-gradient",
    level: "problem",
    metrics: ["grad_norm"],
    what: `grad_norm is at most ${num(Math.max(...norms))} in all ${norms.length} steps`,
    why: "Nothing is learned: the replies of the pairs are the same, everything is masked, or the weights are frozen.",
    advice: ["look at the pairs (prompt review-pairs)", "set dynamic_answer_comparison: false", "check target_modules"],
  };
};

const exoVanishing: Rule = ({ kind, points }) => {
  const span = ends(points, "exo/vanishing");
  if (kind !== "exo_pair" || span === undefined || span.last < 0.1) return undefined;
  return {
    id: "exo-vanishing",
    level: "warning",
    metrics: ["exo/vanishing"],
    what: `exo/vanishing ${way(span)}`,
    why: "exo_pair's gradient vanishes for pairs that are ranked very badly, so these are never mended.",
    advice: [
      "train a phase of orpo first, or longer",
      "a smaller beta makes z smaller, so that these pairs count again",
    ],
  };
};

const nllRises: Rule = ({ kind, points }) => {
  const nll = ends(points, "nll_loss");
  if (kind !== "orpo" || nll === undefined || points.length < LEAST_STEPS || nll.change <= 0.05 * Math.abs(nll.first))
    return undefined;
  return {
    id: "nll-rises",
    level: "warning",
    metrics: ["nll_loss"],
    what: `nll_loss ${way(nll)}`,
    why: "The chosen replies become more surprising: the part of the loss that compares wins over the part that teaches the form.",
    advice: ["lower beta: it weights the comparison in orpo", "lower learning_rate"],
  };
};

const onlyWarmup: Rule = ({ points }) => {
  const rates = valuesOf(points, "learning_rate");
  const rising = rates.length > 2 && rates.every((rate, i) => i === 0 || rate > (rates[i - 1] as number));
  if (!rising) return undefined;
  return {
    id: "only-warmup",
    level: "note",
    metrics: ["learning_rate"],
    what: `learning_rate still rises at the last of ${rates.length} steps: ${num(rates[0] as number)} → ${num(rates.at(-1) as number)}`,
    why: "The steps ended before the warm-up did, so most of them were taken at a rate below the one that was asked for.",
    advice: ["fewer warmup_steps, or more steps"],
  };
};

const manyPasses: Rule = ({ points }) => {
  const most = Math.max(...valuesOf(points, "epoch"));
  if (!(most > MOST_PASSES)) return undefined;
  return {
    id: "many-passes",
    level: "warning",
    metrics: ["epoch"],
    what: `epoch reaches ${num(most)}`,
    why: "The same pairs were seen so often that they are learned by heart rather than what they have in common.",
    advice: [
      "more topics, so more pairs in a round",
      "fewer num_train_epochs or n_steps, and more iterations with new pairs",
    ],
  };
};

const MOST_PASSES = 5;

/** Steps whose loss was no number are written without it. */
const notFinite: Rule = ({ points }) => {
  const bad: CurvePoint | undefined = points.find(({ metrics }) => metrics["loss"] === undefined);
  if (bad === undefined) return undefined;
  return {
    id: "loss-not-finite",
    level: "problem",
    metrics: ["loss"],
    what: `from step ${bad.step} on there are steps without a loss, of ${points.length}`,
    why: "The loss became infinite or no number, and every weight after it is spoilt.",
    advice: [
      "begin again from a checkpoint before that step",
      "lower learning_rate to a tenth",
      "set precision: float32",
    ],
  };
};

export const STRETCH_RULES: readonly Rule[] = [
  notFinite,
  displacement,
  separating,
  marginCollapsed,
  saturated,
  notLearning,
  lossRises,
  exploding,
  noGradient,
  nllRises,
  exoVanishing,
  onlyWarmup,
  manyPasses,
];
