/** @file What an evaluation was asked for, as flags and as a plan whose parts fit together. */
import { extname } from "node:path";
import type { SamplingPlan, ThinkingMode } from "../agents/index.js";
import type { DeviceChoice, RolloutWeights } from "../trainer/index.js";

export interface EvalOptions {
  readonly model?: string;
  /** At most one of these three says what was trained. */
  readonly adapter?: string;
  readonly checkpoint?: string;
  readonly run?: string;
  readonly against?: string;
  readonly environment?: string;
  readonly worldSeed: number;
  readonly pairs?: string;
  readonly questions?: string;
  readonly limit?: number;
  readonly thinking: readonly ThinkingMode[];
  readonly k?: readonly number[];
  readonly samples?: number;
  readonly temperature: number;
  readonly topP: number;
  readonly rounds?: readonly number[];
  readonly maxNewTokens?: number;
  readonly judge?: string;
  readonly seed: number;
  readonly weights?: RolloutWeights;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly output?: string;
  readonly replies?: string;
  readonly json: boolean;
  readonly verbose: boolean;
  /** What was typed. */
  readonly invocation: string;
}

export interface EvalPlan {
  /** Undefined where only files are evaluated. */
  readonly environment: string | undefined;
  readonly sampling: SamplingPlan | undefined;
  /** Ascending; empty without recursion. */
  readonly depths: readonly number[];
  /** Undefined where nothing is judged. */
  readonly judge: string | undefined;
}

export const LEXICAL = "lexical";
const ENVIRONMENTS = ["materials-world"];
const OUTPUTS = [".json", ".md"];

/** Throws one error with everything that does not fit together; opens nothing. */
export function planOf(options: EvalOptions): EvalPlan {
  const { pairs, questions, against, rounds = [], thinking } = options;
  const onlyFiles = options.environment === undefined && (pairs !== undefined || questions !== undefined);
  const environment = onlyFiles ? undefined : (options.environment ?? ENVIRONMENTS[0]);
  const sampling = samplingOf(options);
  const judge = options.judge ?? (questions !== undefined && against !== undefined ? LEXICAL : undefined);
  const problems = [
    ...(environment === undefined || ENVIRONMENTS.includes(environment)
      ? []
      : [`--environment: expected ${ENVIRONMENTS.join(" or ")}, found ${environment}`]),
    ...(sampling === undefined ? [] : samplingProblems(sampling, environment)),
    ...(rounds.length > 0 && environment === undefined
      ? ["--rounds: only an environment has passages to reason by"]
      : []),
    ...(rounds.length > 0 && !thinking.includes("on")
      ? ["--rounds: recursion asks for thinking: add --thinking on"]
      : []),
    ...judgeProblems(options, environment),
    ...outputProblems(options),
  ];
  if (problems.length > 0) throw new Error(problems.join("\n  "));
  return { environment, sampling, depths: rounds.toSorted((a, b) => a - b), judge };
}

/** Without k and samples nothing is drawn. */
function samplingOf({ k, samples, temperature, topP }: EvalOptions): SamplingPlan | undefined {
  if (k === undefined && samples === undefined) return undefined;
  const ks = k ?? [...new Set([1, samples ?? 1])];
  return { samples: samples ?? Math.max(...ks), ks, temperature, topP };
}

function samplingProblems({ samples, ks, temperature }: SamplingPlan, environment: string | undefined): string[] {
  const most = Math.max(...ks);
  return [
    ...(most > samples ? [`--k: expected at most the ${samples} of --samples, found ${most}`] : []),
    ...(temperature === 0 ? ["--temperature: at 0 all samples are the same; expected more than 0"] : []),
    ...(environment === undefined ? ["--k and --samples: only an environment can mark samples"] : []),
  ];
}

function judgeProblems({ judge, against, pairs, questions }: EvalOptions, environment: string | undefined): string[] {
  if (against === undefined)
    return judge === undefined ? [] : ["--judge: expected --against, whose replies to compare with"];
  const asks = environment !== undefined || questions !== undefined;
  return [
    ...(judge === LEXICAL && questions === undefined
      ? [
          "--judge lexical: it compares with references, which only --questions has; name a chat model as provider:model",
        ]
      : []),
    ...(!asks && pairs !== undefined && against !== "base"
      ? ["--against: pairs are compared with the base model alone: expected base"]
      : []),
    ...(judge !== undefined && !asks
      ? ["--judge: expected --environment or --questions; pairs are scored, not judged"]
      : []),
    ...(judge === undefined || judge === LEXICAL || /^[\w-]+:.+$/.test(judge)
      ? []
      : [`--judge: expected ${LEXICAL}, or a chat model as provider:model, found ${judge}`]),
  ];
}

function outputProblems({ output }: EvalOptions): string[] {
  if (output === undefined || OUTPUTS.includes(extname(output))) return [];
  return [`--output: expected a file that ends in ${OUTPUTS.join(" or ")}, found ${output}`];
}
