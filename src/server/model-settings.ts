/** @file The settings of teacher, critic and judge, and whether text may leave this machine for them. */
import { disclosureOf, isLoopback } from "../agents/models/disclosure.js";
import { type ModelRole, type ModelSpec, parseModelSpec } from "../agents/models/model-spec.js";

export interface ModelSettings {
  /** Who teaches, criticises and compares instead of the built-in ones; see MODEL_SPEC_FORMS. */
  readonly teacher?: string;
  readonly critic?: string;
  readonly judge?: string;
  /** Of the OpenAI-compatible server that `openai:` models without a URL of their own are served by. */
  readonly teacherBaseUrl?: string;
  /** Nothing leaves this machine: no remote model, no client's model, no hub. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Take = (name: string, expected: string, good: (text: string) => boolean) => string | undefined;

export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** The words that Python's Hugging Face library takes for yes. */
const isYes = (text: string): boolean => /^(?:1|on|yes|true)$/i.test(text);
const isNo = (text: string): boolean => /^(?:0|off|no|false)$/i.test(text);

const ROLES: readonly ModelRole[] = ["teacher", "critic", "judge"];

/** `take` gives a variable's value where it is set and good. What is wrong besides goes to `problems`. */
export function modelSettings(env: Environment, take: Take, problems: string[]): ModelSettings {
  const offline = isYes(take("PREFLEXOR_OFFLINE", "1 or 0", (text) => isYes(text) || isNo(text)) ?? "");
  const ours = take("PREFLEXOR_TEACHER_BASE_URL", "an http or https URL", isHttpUrl);
  // What OpenAI's own libraries read.
  const teacherBaseUrl = ours ?? take("OPENAI_BASE_URL", "an http or https URL", isHttpUrl);
  const endpoint = teacherBaseUrl === undefined ? {} : { baseUrl: teacherBaseUrl };
  const settings: Partial<Record<ModelRole, string>> = {};
  const specs: ModelSpec[] = [];
  for (const role of ROLES) {
    const name = `PREFLEXOR_${role.toUpperCase()}`;
    const text = env[name];
    if (text === undefined || text === "") continue;
    try {
      const spec = parseModelSpec(text);
      specs.push(spec);
      settings[role] = text;
      const { leaves, sentence } = disclosureOf(spec, { role, ...endpoint });
      if (offline && leaves) problems.push(`${name}: ${sentence} ${FORBIDDEN}`);
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (offline) problems.push(...onlineSettings(env));
  const takesUrl = specs.some((spec) => spec.kind === "provider" && spec.provider === "openai");
  if (ours !== undefined && specs.length > 0 && !takesUrl) {
    problems.push("PREFLEXOR_TEACHER_BASE_URL: goes with openai:<model>, which nothing here names: unset it");
  }
  return { ...settings, ...(teacherBaseUrl !== undefined && { teacherBaseUrl }), offline };
}

const FORBIDDEN = "PREFLEXOR_OFFLINE forbids it: unset one of the two";

/** LangSmith's tracing sends every prompt, whatever the model. */
const TRACING = ["LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"];

/** Settings beside those of the models that send text off this machine. */
function onlineSettings(env: Environment): string[] {
  const chroma = env["PREFLEXOR_CHROMA_URL"] ?? "";
  const tracing = TRACING.filter((name) => env[name] === "true");
  return [
    ...tracing.map((name) => `${name}: sends every prompt to LangSmith. ${FORBIDDEN}`),
    ...(isHttpUrl(chroma) && !isLoopback(chroma)
      ? [`PREFLEXOR_CHROMA_URL: sends passages off this machine. ${FORBIDDEN}`]
      : []),
  ];
}
