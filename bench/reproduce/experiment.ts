/** @file One seed of the experiment: incipient model, ORPO, EXO and what it is compared with, recursion; more on the first seed. */
import { type ChoiceScore, scoreChoices, type Verdict } from "../../dist/agents/environments/index.js";
import { replies } from "../../dist/agents/index.js";
import { PROMPT_SUFFIX } from "../../dist/trainer/index.js";
import { Lab, type LabOptions, type Taught } from "./lab.js";
import {
  type BySplit,
  isChoice,
  type Measured,
  measure,
  measureSplits,
  SPLITS,
  type Split,
  singles,
} from "./measure.js";
import * as recipes from "./recipes.js";
import { type Curve, METHODS, type Method, recursionCurve } from "./recursion.js";

type Options = Omit<LabOptions, "choices">;

/** What a training left behind, without its texts. */
export interface TaughtFacts {
  readonly pairs: number;
  readonly steps: number;
  readonly seconds: number;
  readonly heldOut: Taught["heldOut"];
  readonly failures: Readonly<Record<string, number>>;
  /** Pairs whose rejected answer is right, of those with a verdict. */
  readonly rejectedRight: number;
  /** Pairs whose answers are the same where thinking is masked: they have no gradient there. */
  readonly sameAnswers: number;
  /** First and last loss, and the share of pairs with z below -8, where EXO's gradient vanishes. */
  readonly loss: readonly [number, number];
  readonly vanishing: number | null;
}

export interface Condition {
  readonly name: string;
  readonly taught?: TaughtFacts;
  /** Thinking asked for. */
  readonly asked: BySplit;
  /** The bare question. */
  readonly direct?: BySplit;
}

export interface RecursionResult {
  readonly checkpoint: string;
  readonly split: Split;
  readonly curves: readonly Curve[];
}

export interface ChoiceResult {
  readonly taught: TaughtFacts;
  readonly splits: Readonly<Record<Split, ChoiceScore & { readonly measured: Measured }>>;
  /** Questions about one material, of the same model. */
  readonly singles: BySplit;
}

export interface ReflectionResult {
  readonly taught: TaughtFacts;
  readonly asked: BySplit;
  /** Share of replies with a reflection, and of those with a right one. */
  readonly reflects: number;
  readonly reflectionRight: number | null;
  readonly curves: readonly Curve[];
}

export interface SeedResult {
  readonly seed: number;
  readonly conditions: readonly Condition[];
  readonly recursion: readonly RecursionResult[];
  readonly choices?: ChoiceResult;
  readonly ablations?: readonly Condition[];
  readonly reflection?: ReflectionResult;
}

/** Incipient, ORPO, EXO, and recursion of the last by the retrieval critic. */
export async function quickSeed(options: Options, scale = recipes.SCALE): Promise<SeedResult> {
  return withLab(options, false, async (lab) => {
    const conditions = await mainLine(lab, scale);
    await lab.load("exo");
    const recursion: RecursionResult[] = [];
    for (const split of SPLITS) recursion.push(await recursionOf(lab, "EXO", split, ["retrieval critic"]));
    return { seed: options.seed, conditions, recursion };
  });
}

/** Everything that is done for each seed; the first one also carries the ablations and the questions with two candidates. */
export async function fullSeed(options: Options, isFirst: boolean, scale = recipes.SCALE): Promise<SeedResult> {
  const main = await withLab(options, false, async (lab) => {
    const conditions = [
      ...(await mainLine(lab, scale)),
      await after(lab, "orpo", "further ORPO", recipes.furtherOrpo(scale)),
      await after(lab, "orpo", "on-policy ORPO", recipes.onPolicyOrpo(scale)),
    ];
    const recursion = await recursions(lab);
    const more = isFirst
      ? { ablations: await ablations(lab, scale), reflection: await reflectionOf(lab, scale) }
      : undefined;
    return { seed: options.seed, conditions, recursion, ...more };
  });
  if (!isFirst) return main;
  return { ...main, choices: await withLab(options, true, (lab) => choicesOf(lab, scale)) };
}

async function withLab<T>(options: Options, choices: boolean, work: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.open({ ...options, choices });
  try {
    return await work(lab);
  } finally {
    await lab.close();
  }
}

async function mainLine(lab: Lab, scale: recipes.Scale): Promise<Condition[]> {
  await lab.save("base");
  const incipient = await condition(lab, "incipient", undefined, true);
  const taught = await lab.teach("ORPO", recipes.orpo(scale), async (round) => {
    if (round === 1) await lab.save("weak");
  });
  await lab.save("orpo");
  const orpo = await condition(lab, "ORPO", taught, true);
  const exo = await after(lab, "orpo", "EXO", recipes.exo(scale));
  await lab.save("exo");
  return [incipient, orpo, exo];
}

/** Trains on from a checkpoint and measures. */
async function after(lab: Lab, from: string, name: string, settings: recipes.Settings): Promise<Condition> {
  await lab.load(from);
  return condition(lab, name, await lab.teach(name, settings));
}

async function condition(lab: Lab, name: string, taught?: Taught, direct = false): Promise<Condition> {
  const asked = await measureSplits(lab);
  const of = SPLITS.map((split) => `${split} ${percent(asked[split].accuracy.share)}`).join(", ");
  lab.options.say(`${name}: ${of}`);
  return {
    name,
    ...(taught && { taught: factsOf(taught) }),
    asked,
    ...(direct && { direct: await measureSplits(lab, "off") }),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

async function recursions(lab: Lab): Promise<RecursionResult[]> {
  const results: RecursionResult[] = [];
  for (const [name, checkpoint] of [
    ["EXO", "exo"],
    ["ORPO, one round", "weak"],
  ] as const) {
    await lab.load(checkpoint);
    results.push(await recursionOf(lab, name, "unseen-combination", [...METHODS, "assisted critic (upper bound)"]));
    results.push(await recursionOf(lab, name, "unseen-material", ["retrieval critic"]));
  }
  return results;
}

async function recursionOf(
  lab: Lab,
  checkpoint: string,
  split: Split,
  methods: readonly Method[],
): Promise<RecursionResult> {
  const curves: Curve[] = [];
  for (const method of methods) {
    const curve = await recursionCurve(lab, singles(lab, split), method);
    curves.push(curve);
    lab.options.say(
      `  recursion of ${checkpoint}, ${split}, ${method}: ${curve.depths.map(({ accuracy }) => percent(accuracy.share)).join(" → ")}`,
    );
  }
  return { checkpoint, split, curves };
}

/** Each leaves out one thing of the recipe. */
async function ablations(lab: Lab, scale: recipes.Scale): Promise<Condition[]> {
  const fromBase: readonly (readonly [string, recipes.Settings])[] = [
    ["ORPO, static pairs", recipes.orpo(scale, { generate_each_iteration: false })],
    ["ORPO, no retrieval for answers", recipes.orpo(scale, { retrieve_for_answers: false })],
    ["ORPO, rejected from the teacher", recipes.orpo(scale, REJECTED_FROM_TEACHER)],
    ["ORPO, no replay", recipes.orpo(scale, { replay_share: 0 })],
  ];
  const fromOrpo: readonly (readonly [string, recipes.Settings])[] = [
    ["EXO, answers alone compared", recipes.exo(scale, { dynamic_answer_comparison: true })],
    [
      "EXO, 20 % of thinking tokens masked",
      recipes.exo(scale, { mask_thinking_tokens: true, thinking_token_mask_percentage: 0.2 }),
    ],
    [
      "EXO, right answers too",
      recipes.exo(scale, { only_include_wrong_answers: false, student_samples: 1, rejected_rule: "first" }),
    ],
  ];
  const results: Condition[] = [];
  for (const [from, list] of [
    ["base", fromBase],
    ["orpo", fromOrpo],
  ] as const) {
    for (const [name, settings] of list) results.push(await attempted(lab, from, name, settings));
  }
  return results;
}

const REJECTED_FROM_TEACHER = { get_rejected_from_trained_model: false };

/** A round with too few pairs ends a run; the model is then measured as it is. */
async function attempted(lab: Lab, from: string, name: string, settings: recipes.Settings): Promise<Condition> {
  try {
    return await after(lab, from, name, settings);
  } catch (error) {
    if (!/preference pairs/.test((error as Error).message)) throw error;
    lab.options.say(`  ${name}: ${(error as Error).message.slice(0, 200)}`);
    return condition(lab, `${name} (stopped: too few pairs)`);
  }
}

async function choicesOf(lab: Lab, scale: recipes.Scale): Promise<ChoiceResult> {
  const taught = await lab.teach("two candidates", recipes.choices(scale));
  const score = async (split: Split) => {
    const questions = lab.world.questions(split).filter(isChoice);
    const measured = await measure(lab, questions);
    const verdicts = [...measured.verdicts].map(Number);
    const scored = scoreChoices(lab.world.goldPosition, questions, verdicts);
    lab.options.say(`two candidates, ${split}: couples ${scored.couples.right} of ${scored.couples.n}`);
    return { ...scored, measured };
  };
  return {
    taught: factsOf(taught),
    splits: {
      "unseen-combination": await score("unseen-combination"),
      "unseen-material": await score("unseen-material"),
    },
    singles: await measureSplits(lab),
  };
}

/** Variant B of recursion: a phase teaches the model to reflect, and its reflection is the feedback. */
async function reflectionOf(lab: Lab, scale: recipes.Scale): Promise<ReflectionResult> {
  await lab.load("orpo");
  const taught = await lab.teach("reflection", recipes.reflection(scale));
  const asked = await measureSplits(lab);
  const questions = singles(lab, "unseen-combination");
  const verdicts = await reflections(lab);
  const curves: Curve[] = [];
  for (const method of ["own reflection", "retrieval critic"] as const)
    curves.push(await recursionCurve(lab, questions, method));
  const reflecting = verdicts.filter(({ reflectionRight }) => reflectionRight !== undefined);
  return {
    taught: factsOf(taught),
    asked,
    reflects: reflecting.length / verdicts.length,
    reflectionRight:
      reflecting.length === 0 ? null : reflecting.filter((v) => v.reflectionRight === true).length / reflecting.length,
    curves,
  };
}

async function reflections(lab: Lab): Promise<Verdict[]> {
  const questions = singles(lab, "unseen-combination");
  const turns = questions.map(({ text }) => ({ prompt: text + PROMPT_SUFFIX, seed: 0 }));
  const found = await replies(lab.student, turns, { maxNewTokens: 192, temperature: 0, topP: 1 });
  return questions.map((question, i) => lab.world.check(question, found[i]?.text ?? ""));
}

function factsOf({ pairs, steps, seconds, heldOut, failures }: Taught): TaughtFacts {
  const share = (list: readonly unknown[], all: readonly unknown[]): number =>
    all.length === 0 ? 0 : list.length / all.length;
  const judged = pairs.filter(({ provenance }) => provenance.verdict !== undefined);
  const isRight = (verdict: unknown): boolean => (verdict as { rejected?: Verdict }).rejected?.right === true;
  const vanishing = steps.flatMap((step) => step["exo/vanishing"] ?? []);
  return {
    pairs: pairs.length,
    steps: steps.length,
    seconds,
    heldOut,
    failures,
    rejectedRight: share(
      judged.filter(({ provenance }) => isRight(provenance.verdict)),
      judged,
    ),
    sameAnswers: share(
      pairs.filter(({ chosen, rejected }) => answerPart(chosen) === answerPart(rejected)),
      pairs,
    ),
    loss: [steps[0]?.["loss"] ?? Number.NaN, steps.at(-1)?.["loss"] ?? Number.NaN],
    vanishing: vanishing.length === 0 ? null : vanishing.reduce((a, b) => a + b, 0) / vanishing.length,
  };
}

const answerPart = (reply: string): string => reply.slice(reply.lastIndexOf("|>") + 2).trim();
