/** @file Rules over a whole run: its pairs, what came to nothing, and what held-out questions and pairs say. */
import { ends } from "./curves.js";
import type { RunCurves } from "./explain-run.js";
import { type Finding, num } from "./finding.js";

type Rule = (run: RunCurves) => Finding | undefined;

const percent = (share: number): string => `${num(100 * share)} %`;

const FEW_PAIRS = 16;

const fewPairs: Rule = ({ pairs, steps }) =>
  pairs >= FEW_PAIRS || (pairs === 0 && steps.length === 0)
    ? undefined
    : {
        id: "few-pairs",
        level: "warning",
        metrics: ["epoch"],
        what: `${pairs} pair${pairs === 1 ? "" : "s"} in all`,
        why: "So few pairs are learned by heart, and their metrics jump from step to step.",
        advice: [
          "more topics (start-run), or generate-preference-pair with a larger count",
          "ingest more text: call ingest-corpus",
        ],
      };

const MANY_FAILURES = 0.3;

const manyFailures: Rule = ({ pairs, failures }) => {
  const counts = Object.entries(failures).sort(([, a], [, b]) => b - a);
  const lost = counts.reduce((sum, [, count]) => sum + count, 0);
  if (lost === 0 || lost < MANY_FAILURES * (lost + pairs)) return undefined;
  const shown = counts.slice(0, 3).map(([reason, count]) => `${count} × ${reason}`);
  const isLong = counts.some(([reason]) => /long|max_length|truncat|cut/i.test(reason));
  return {
    id: "many-failures",
    level: "warning",
    metrics: [],
    what: `${lost} questions or pairs came to nothing beside ${pairs} pairs: ${shown.join(", ")}`,
    why: "What is left out costs time and makes the pairs one-sided: only what fits and passes is trained on.",
    advice: [
      ...(isLong ? ["raise max_length (and max_new_tokens), or lower max_new_tokens so that replies end in time"] : []),
      "look at the reasons: repeated questions want more text (ingest-corpus), unsupported answers another teacher",
    ],
  };
};

const noHeldOut: Rule = ({ steps, heldOut, evaluations, preferenceAccuracies }) =>
  steps.length === 0 || heldOut.length + evaluations.length + preferenceAccuracies.length > 0
    ? undefined
    : {
        id: "no-held-out",
        level: "warning",
        metrics: ["eval_loss"],
        what: `${steps.length} steps, and no held-out pair or question was ever looked at`,
        why: "The loss of what is trained on falls also where nothing general is learned; only what was held out can tell.",
        advice: [
          "set held_out_pairs: 16 or more, and roll_back: true",
          "call evaluate with on: world, or with a file of pairs",
        ],
      };

const overfitting: Rule = ({ steps, heldOut }) => {
  const losses = heldOut
    .map(({ round, metrics }) => ({ round, loss: metrics["eval_loss"] }))
    .filter((one) => one.loss !== undefined);
  const best = losses.reduce<(typeof losses)[number] | undefined>(
    (a, b) => (a === undefined || (b.loss as number) < (a.loss as number) ? b : a),
    undefined,
  );
  const last = losses.at(-1);
  const trained = ends(steps, "loss");
  if (best?.loss === undefined || last?.loss === undefined || best === last || trained === undefined) return undefined;
  if (last.loss <= 1.02 * best.loss || trained.change >= 0) return undefined;
  return {
    id: "overfitting",
    level: "problem",
    metrics: ["eval_loss", "loss"],
    what: `eval_loss is ${num(last.loss)} after round ${last.round}, and was ${num(best.loss)} after round ${best.round}; loss on what is trained on ${num(trained.first)} → ${num(trained.last)}`,
    why: "The model gets better on the pairs that it trains on and worse on those it does not: it learns them by heart.",
    advice: [
      "set roll_back: true: a round that raises eval_loss is taken back",
      "set early_stopping_patience: 1",
      "fewer num_train_epochs or n_steps, more topics",
    ],
  };
};

const staleRounds: Rule = ({ heldOut }) => {
  const losses = heldOut.flatMap(({ round, metrics }) =>
    metrics["eval_loss"] === undefined ? [] : [{ round, loss: metrics["eval_loss"] }],
  );
  const best = losses.findIndex(({ loss }) => loss === Math.min(...losses.map((one) => one.loss)));
  const since = losses.length - 1 - best;
  if (losses.length === 0 || since < 2) return undefined;
  return {
    id: "stale-rounds",
    level: "note",
    metrics: ["eval_loss"],
    what: `${since} rounds in turn did not lower eval_loss below the ${num(losses[best]?.loss as number)} of round ${losses[best]?.round}`,
    why: "More rounds of the same kind bring nothing more.",
    advice: [
      "set early_stopping_patience: 2, so that such a phase ends",
      "another phase: exo_pair after orpo, with only_include_wrong_answers: true",
      "other text or other topics",
    ],
  };
};

const accuracyMoved: Rule = ({ evaluations }) => {
  const splits = [...new Set(evaluations.map(({ split }) => split))];
  const moves = splits.flatMap((split) => {
    const all = evaluations.filter((one) => one.split === split);
    const [first, last] = [all[0], all.at(-1)];
    return first === undefined || last === undefined || first === last ? [] : [{ split, first, last }];
  });
  const [move] = moves;
  if (move === undefined) return undefined;
  const what = moves
    .map(
      ({ split, first, last }) =>
        `${split}: ${percent(first.accuracy)} → ${percent(last.accuracy)} (± ${percent(last.ci95)}, n ${last.n}, chance ${percent(last.chance)})`,
    )
    .join("; ");
  const clear = (sign: number): boolean =>
    moves.some(({ first, last }) => sign * (last.accuracy - first.accuracy) > Math.max(first.ci95, last.ci95));
  if (clear(-1))
    return {
      id: "held-out-accuracy-falls",
      level: "problem",
      metrics: [],
      what,
      why: "The model answers fewer held-out questions right than before, by more than chance explains.",
      advice: [
        "export an earlier checkpoint (export-adapter with step)",
        "lower learning_rate",
        "set replay_share: 1 or replay_chosen: true, so that what it knew is kept",
      ],
    };
  return {
    id: clear(1) ? "held-out-accuracy-rises" : "held-out-accuracy-unclear",
    level: clear(1) ? "good" : "note",
    metrics: [],
    what,
    why: clear(1)
      ? "The gain is larger than its interval: the training helps on questions that it never saw."
      : "The change is within its interval, so it may be chance.",
    advice: clear(1) ? [] : ["more questions: a larger evaluation_questions, or evaluate with a larger limit"],
  };
};

export const RUN_RULES: readonly Rule[] = [accuracyMoved, overfitting, staleRounds, noHeldOut, fewPairs, manyFailures];
