/** @file A teach config: one reading of keys for all phases, the paper's defaults, rates by the size of the model, all problems at once. */
import { describe, expect, test } from "vitest";
import { createMaterialsWorld } from "../../../src/agents/environments/index.js";
import { parseTeachConfig, scaledRate, teachPlan } from "../../../src/agents/teaching/teach-config.js";
import { phaseSchema, runSchema } from "../../../src/agents/teaching/teach-settings.js";
import { isOfLoss, parseTrainConfig } from "../../../src/trainer/loop/index.js";

/** The model that the paper trained. */
const LLAMA = { parameters: 3.2e9 };
const planOf = (input: unknown, facts: Parameters<typeof teachPlan>[1] = LLAMA) =>
  teachPlan(parseTeachConfig(input), facts);
const problemsOf = (input: unknown): string[] => {
  try {
    parseTeachConfig(input);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n  - ").slice(1);
  }
};

describe("without settings", () => {
  // Buehler 2024 (arXiv 2410.12375), its table of hyper-parameters and its notebooks.
  test("the plan is the published one: ORPO, then EXO", () => {
    const { phases, ...run } = planOf({});
    expect(phases.map(({ name, loss }) => [name, loss])).toEqual([
      ["orpo", "orpo"],
      ["exo_pair", "exo_pair"],
    ]);
    for (const phase of phases)
      expect(phase).toMatchObject({
        topics: 50,
        questionsForEach: 1,
        contextPassages: 3,
        samples: 1,
        rejectedRule: "first",
        rejectedFromStudent: true,
        onlyWrong: false,
        onTheFly: true,
        batchPairs: 2,
        warmupSteps: 0,
        reference: "phase_start",
        maxPromptLength: 512,
        maxLength: 2048,
        markers: { start: "<|thinking|>", end: "<|/thinking|>" },
        promptSuffix: " Use <|thinking|>.",
        rollBack: false,
        patience: 0,
      });
    expect(phases[0]).toMatchObject({ askToThink: false, step: { learningRate: 5e-5, beta: 0.1, maxGradNorm: 1 } });
    expect(phases[1]).toMatchObject({
      askToThink: true,
      step: { learningRate: 5e-7, beta: 0.1, labelSmoothing: 5e-3, maxGradNorm: 0.3 },
    });
    expect(run).toMatchObject({ seed: 42, heldOutPairs: 0, demoPrompts: [], evaluateEvery: 1 });
  });
});

describe("a learning rate", () => {
  test("that was published is the same for the published size, and grows with the root of how much smaller a model is", () => {
    expect(scaledRate(5e-5, 3.2e9)).toBe(5e-5);
    expect(scaledRate(5e-7, 3.2e9)).toBe(5e-7);
    expect(scaledRate(5e-5, 0.8e9)).toBe(1e-4); // a quarter of the size, twice the rate
    expect(scaledRate(5e-5, 135e6)).toBe(2.4e-4); // √(3200 / 135) = 4.87
    expect(scaledRate(5e-7, 1e6)).toBe(2.8e-5);
  });

  test("is scaled where it is a default, and taken as it is where it is given", () => {
    const rates = planOf(
      { phases: ["orpo", { loss_type: "orpo", learning_rate: 3e-5 }] },
      { parameters: 0.8e9 },
    ).phases;
    expect(rates.map(({ step }) => step.learningRate)).toEqual([1e-4, 3e-5]);
  });
});

describe("phases", () => {
  test("take from the top level what they do not set", () => {
    const { phases } = planOf({
      topics: ["nacre"],
      n_questions_for_each: 2,
      max_length: 700,
      phases: ["orpo", { loss_type: "exo_pair", topics: 7, n_steps: 3 }],
    });
    expect(
      phases.map(({ topics, questionsForEach, maxLength, steps }) => [topics, questionsForEach, maxLength, steps]),
    ).toEqual([
      [["nacre"], 2, 700, undefined],
      [7, 2, 700, 3],
    ]);
  });

  test("take from the top level only what means something to them", () => {
    const { phases } = planOf({
      beta: 0.3,
      label_smoothing: 0.02,
      nll_over: "chosen",
      reference: "base",
      temperature: 0.4,
      only_include_wrong_answers: true,
      phases: ["sft", "orpo", "exo_pair", { loss_type: "orpo", get_rejected_from_trained_model: false }],
    });
    expect(phases.map(({ step }) => [step.beta, step.labelSmoothing, step.nllOver])).toEqual([
      [0.1, 0, "chosen"],
      [0.3, 0, "chosen"],
      [0.3, 0.02, "prompt+chosen"],
      [0.3, 0, "chosen"],
    ]);
    expect(phases.map(({ reference }) => reference)).toEqual(["phase_start", "phase_start", "base", "phase_start"]);
    expect(phases.map(({ onlyWrong, sampling }) => [onlyWrong, sampling.temperature])).toEqual([
      [true, 0.4],
      [true, 0.4],
      [true, 0.4],
      [false, 1],
    ]);
  });

  test("are called by their loss, with a number where that is taken, or as they say", () => {
    const names = (phases: unknown[]) => parseTeachConfig({ phases }).phases.map(({ name }) => name);
    expect(names(["sft", "orpo", "orpo"])).toEqual(["sft", "orpo", "orpo-2"]);
    expect(
      names(["orpo", { loss_type: "orpo", name: "again" }, { loss_type: "exo_pair", name: "orpo-2" }, "orpo"]),
    ).toEqual(["orpo", "again", "orpo-2", "orpo-3"]);
  });

  test("are one where only a loss is given", () => {
    expect(planOf({ loss_type: "sft" }).phases.map(({ loss }) => loss)).toEqual(["sft"]);
  });
});

test.each(["sft", "orpo", "sigmoid", "robust", "hinge", "ipo", "exo_pair", "sigmoid_norm", "simpo"] as const)(
  "the trainer refuses for %s exactly those settings of losses that are not of it",
  (loss_type) => {
    const given = { beta: 0.2, label_smoothing: 0.01, simpo_gamma: 1, reference: "base", nll_over: "chosen" } as const;
    const common = { loss_type, model: "m", output_dir: "o", pairs: "p" };
    for (const [name, value] of Object.entries(given)) {
      const read = () => parseTrainConfig({ ...common, [name]: value });
      const fits = isOfLoss(name as keyof typeof given, loss_type);
      if (fits) expect(read, name).not.toThrow();
      else expect(read, name).toThrow(new RegExp(`${name}: .*(?:no effect|no label smoothing)`));
    }
  },
);

describe("the settings of a run", () => {
  test("make held-out pairs where a phase looks at them, and none where nobody does", () => {
    expect(planOf({ roll_back: true }).heldOutPairs).toBe(16);
    expect(planOf({ phases: ["orpo", { early_stopping_patience: 2 }] }).heldOutPairs).toBe(16);
    expect(planOf({ roll_back: true, held_out_pairs: 5 }).heldOutPairs).toBe(5);
    expect(planOf({ held_out_pairs: 5 }).heldOutPairs).toBe(5);
  });

  test("cut held-out questions to so many of each split", () => {
    const world = createMaterialsWorld({ seed: 3, materials: 24 });
    const evaluationQuestions = [...world.questions("unseen-combination"), ...world.questions("unseen-material")];
    const splits = planOf({ evaluation_questions: 3 }, { ...LLAMA, evaluationQuestions }).evaluationQuestions.map(
      ({ split }) => split,
    );
    expect(splits).toEqual([...Array(3).fill("unseen-combination"), ...Array(3).fill("unseen-material")]);
  });

  test("say what is trained", () => {
    expect(parseTeachConfig({ full_finetuning: true }).trainable).toEqual({ kind: "full" });
    expect(parseTeachConfig({ lora_r: 4, lora_alpha: 8, target_modules: ["q_proj"] }).trainable).toEqual({
      kind: "lora",
      r: 4,
      loraAlpha: 8,
      targetModules: ["q_proj"],
    });
  });

  test("that are null count as absent, as YAML and Python write them", () => {
    expect(
      planOf({ n_steps: null, topics: null, phases: [{ loss_type: "orpo", topics: null }] }).phases[0],
    ).toMatchObject({
      topics: 50,
    });
  });

  test("and those of a phase are told apart, but for none that is both", () => {
    expect(Object.keys(runSchema.shape).filter((key) => Object.hasOwn(phaseSchema.shape, key))).toEqual([]);
  });
});

test("masks, markers and the words that ask for thinking follow the settings", () => {
  const [phase] = planOf({
    phases: ["orpo"],
    think_start_token: "<think>",
    think_end_token: "</think>",
    dynamic_answer_comparison: true,
    include_thinking_token_in_labels: false,
  }).phases;
  expect(phase).toMatchObject({
    mask: "dynamic-answer",
    includeThinkingTokenInLabels: false,
    markers: { start: "<think>", end: "</think>" },
    promptSuffix: " Use <think>.",
  });
  expect(planOf({ mask_thinking_tokens: true, seed: 5 }).phases[0]?.mask).toEqual({ thinkingShare: 0.2, seed: 5 });
  expect(planOf({ prompt_suffix: "" }).phases[0]?.promptSuffix).toBe("");
});

describe("problems", () => {
  test("are told all at once, with place, expectation and what was found", () => {
    expect(
      problemsOf({
        topics: 0,
        seeds: 3,
        seed: "x",
        demo_prompts: "one",
        rejected_rule: "best",
        phases: [
          { loss_type: "orp" },
          { loss_type: "exo_pair", label_smoothing: 0, topic: 4, model: "m" },
          7,
          { loss_type: "orpo", beta: -1, label_smoothing: 0.1, top_p: 0 },
        ],
      }),
    ).toEqual([
      "topics: expected a whole number from 1, found 0",
      'unknown key "seeds": did you mean "seed"?',
      'seed: expected a whole number from 0, found "x"',
      'demo_prompts: expected a list of prompts, found "one"',
      'rejected_rule: expected one of first, wrong-first, most-similar, least-similar, found "best"',
      'phases[0].loss_type: expected one of sft, orpo, sigmoid, robust, hinge, ipo, exo_pair, sigmoid_norm, simpo, found "orp": did you mean "orpo"?',
      'unknown key "phases[1].topic": did you mean "topics"?',
      "phases[1].model: holds for the whole run; give it beside phases, not in one",
      "phases[2]: expected the name of a loss or an object of settings, found 7",
      "phases[3].beta: expected a number above 0, found -1",
      "phases[3].top_p: expected a number above 0, at most 1, found 0",
      "phases[1].label_smoothing: expected a number above 0 and below 1 (say 1e-3) for exo_pair, found 0",
      "phases[3].label_smoothing: has no effect, orpo is not of the DPO family; leave it out",
    ]);
  });

  test("name the source and count", () => {
    expect(() => parseTeachConfig({ topics: 0, seed: -1 }, "teach.json")).toThrow(
      /^teach\.json: 2 problems\n {2}- topics/,
    );
    expect(() => parseTeachConfig({ topics: 0 }, "teach.json")).toThrow(/^teach\.json: 1 problem\n/);
  });

  test.each([
    [[], "expected an object of settings, found []"],
    ["orpo", 'expected an object of settings, found "orpo"'],
    [null, "expected an object of settings, found null"],
    [
      { topics: ["nacre", "3"] },
      'topics: expected topics in words, or a number of examples alone, found ["nacre","3"]',
    ],
    [{ phases: [] }, "phases: expected a list of losses or of phases, found []"],
    [{ phases: "orpo" }, 'phases: expected a list of losses or of phases, found "orpo"'],
    [
      { max_length: 512, phases: ["orpo"], max_prompt_length: 512 },
      /phases\[0\]\.max_prompt_length: expected less than/,
    ],
    [{ lora_r: 8, full_finetuning: true }, "lora_r: has no effect, full_finetuning trains all weights; leave it out"],
    [{ simpo_gamma: 1 }, "simpo_gamma: has no effect, no phase has a loss with it; leave it out"],
    [
      { loss_type: "sft", phases: ["orpo", "exo_pair"] },
      "loss_type: has no effect, every phase has its own; leave it out, or change phases",
    ],
    [
      { phases: [{ get_rejected_from_trained_model: false, student_samples: 4 }] },
      "phases[0].student_samples: has no effect, the rejected reply is the teacher's; leave it out",
    ],
    [{ phases: [{ name: "a" }, { name: "a" }] }, 'phases: expected a name of its own for each, found "a" twice'],
    [
      { phases: ["orpo"], dynamic_answer_comparison: true, mask_thinking_tokens: true },
      "phases[0].dynamic_answer_comparison and mask_thinking_tokens: exclude each other; choose one",
    ],
  ])("%j: %s", (input, problem) => {
    const found = problemsOf(input);
    expect(found).toHaveLength(1);
    if (typeof problem === "string") expect(found).toEqual([problem]);
    else expect(found[0]).toMatch(problem);
  });
});
