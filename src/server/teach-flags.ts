/** @file The settings of a self-teaching run as flags of the command line. */
import { type TeachSettingName, teachSchemas } from "../agents/index.js";
import { BOOLEAN, type Flag, type FlagTable, type SettingFlags, tableFlags } from "./flag-table.js";
import { TRAIN_FLAGS } from "./setting-flags.js";

const RUN = "The run:";
const PAIRS = "How pairs are made:";
const STUDENT = "The student's samples:";
const TRAINING = "Training of a round:";
const KEEPING = "Held-out loss, evaluation, keeping:";

const flag = (group: string, value: string, help: string): Flag => ({ group, value, help });

type Shared = Exclude<Extract<TeachSettingName, keyof typeof TRAIN_FLAGS>, "output_dir">;

/** What only self-teaching has; the rest is the trainer's. */
const OWN: Readonly<Record<Exclude<TeachSettingName, Shared>, Flag>> = {
  output_dir: flag(RUN, "<directory>", "the run's directory, new or empty (default: one below runs/ in the home)"),
  corpus: flag(RUN, "<path>", "a folder, a file, a glob, or materials-world (default)"),
  teacher: flag(
    RUN,
    "<model>",
    "builtin, extractive, self, provider:model, or preflexor:<checkpoint> (default: PREFLEXOR_TEACHER, or builtin)",
  ),
  teacher_base_url: flag(RUN, "<url>", "of an OpenAI-compatible server that has the teacher"),
  judge: flag(RUN, "<model>", "says whether an answer is right where nothing can check it: lexical, or as --teacher"),
  offline: flag(RUN, BOOLEAN, "refuses everything that would send text or fetch a model from elsewhere"),
  concurrency: flag(RUN, "<number>", "teacher calls at once (8)"),
  token_budget: flag(RUN, "<tokens>", "of all teacher calls together"),
  timeout_seconds: flag(RUN, "<seconds>", "of one teacher call"),
  push_to_hub: flag(RUN, "<owner/name>", "uploads adapter, log and pairs after every round (HF_TOKEN)"),
  name: flag(PAIRS, "<name>", "of a phase"),
  iterations: flag(PAIRS, "<rounds>", "of a phase: pairs, steps, evaluation"),
  topics: flag(
    PAIRS,
    "<list or number>",
    "examples of these topics, or so many from passages that the graph picks (50)",
  ),
  n_questions_for_each: flag(PAIRS, "<number>", "questions for each topic of a list"),
  number_nodes_to_get: flag(PAIRS, "<passages>", "joined as a question's context (3)"),
  retrieval_k: flag(PAIRS, "<passages>", "of one retrieval of the agents (3)"),
  retrieve_for_answers: flag(PAIRS, BOOLEAN, "whether the answer writer may retrieve (true)"),
  reflection: flag(PAIRS, BOOLEAN, "asks for a <|reflect|> section between thinking and answer"),
  get_rejected_from_trained_model: flag(PAIRS, BOOLEAN, "false: the teacher writes a wrong answer without reasoning"),
  only_include_wrong_answers: flag(PAIRS, BOOLEAN, "drops a question that the student answers right"),
  generate_each_iteration: flag(PAIRS, BOOLEAN, "false: all pairs of a phase are made when it begins"),
  min_pairs: flag(PAIRS, "<number>", "a round with fewer ends the run (1)"),
  prompt_suffix: flag(PAIRS, "<text>", "behind a question that asks for thinking"),
  student_samples: flag(STUDENT, "<k>", "for each question"),
  rejected_rule: flag(STUDENT, "<rule>", "which of them is rejected: first, wrong-first, most-similar, least-similar"),
  think_for_rejected: flag(STUDENT, BOOLEAN, "asks the student to think (published: not in orpo, in exo_pair)"),
  max_new_tokens: flag(STUDENT, "<tokens>", "of one sample"),
  temperature: flag(STUDENT, "<number>", "of the samples (1)"),
  top_p: flag(STUDENT, "<share>", "of the samples (1)"),
  n_steps: flag(TRAINING, "<steps>", "of a round, in place of passes over its pairs"),
  replay_share: flag(TRAINING, "<share>", "other texts of a step, as a share of its pairs"),
  replay_chosen: flag(
    TRAINING,
    BOOLEAN,
    "the chosen replies are among these texts: an anchor for losses that only compare",
  ),
  replay_weight: flag(TRAINING, "<number>", "of their NLL in the loss (1)"),
  roll_back: flag(KEEPING, BOOLEAN, "goes back where a round raised the loss on the held-out pairs"),
  early_stopping_patience: flag(KEEPING, "<rounds>", "without a lower held-out loss, then the phase ends (0: never)"),
  held_out_pairs: flag(KEEPING, "<number>", "pairs that are made first and never trained on"),
  evaluate_every: flag(KEEPING, "<rounds>", "between two evaluations (1; 0: never)"),
  evaluation_questions: flag(KEEPING, "<number>", "of each split of an environment, at most"),
  demo_prompts: flag(KEEPING, "<list>", "prompts whose replies are kept after every round"),
  demo_tokens: flag(KEEPING, "<tokens>", "of such a reply"),
};

/** `phases` is a list of losses on the command line; in a file each may be an object of its own. */
const TABLE: FlagTable<TeachSettingName> = {
  flags: { ...(TRAIN_FLAGS as Readonly<Record<Shared, Flag>>), ...OWN },
  schemas: teachSchemas,
  short: { output_dir: "output", loss_type: "loss" },
};

const NAMES = Object.keys(teachSchemas) as readonly TeachSettingName[];

export const teachFlags = (): SettingFlags => tableFlags(TABLE, NAMES);
