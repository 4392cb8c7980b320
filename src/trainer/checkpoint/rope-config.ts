/** @file Rotary settings in both spellings: rope_theta beside rope_scaling, or all inside rope_parameters. */
import { z } from "zod";
import type { RawConfig } from "./raw-config.js";
import type { RopeConfig } from "./types.js";

export const LAYER_TYPES = ["full_attention", "sliding_attention"] as const;
export type LayerType = (typeof LAYER_TYPES)[number];

const factor = z.number().positive();
const scalingSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("default") }),
  z.object({ type: z.literal("linear"), factor }),
  z.object({
    type: z.literal("llama3"),
    factor,
    low_freq_factor: factor,
    high_freq_factor: factor,
    original_max_position_embeddings: z.number().int().positive(),
  }),
]);
const SCALINGS = scalingSchema.options.map((option) => option.shape.type.value);

type Settings = Readonly<Record<string, unknown>>;

/** The one rope of a family whose layers do not differ in it. */
export function readRope(raw: RawConfig, problems: string[]): RopeConfig {
  const key = raw.rope_scaling ? "rope_scaling" : "rope_parameters";
  const settings = raw.rope_scaling ?? raw.rope_parameters ?? {};
  const nested = LAYER_TYPES.filter((type) => type in settings);
  if (nested.length > 0)
    problems.push(`${key}: ${nested.join(" and ")}: ${raw.model_type} has one rope for all layers`);
  return readSettings(key, settings, raw.rope_theta, problems);
}

/**
 * The ropes of a family whose full and sliding layers differ in it. In the older spelling rope_scaling is about full
 * layers alone, and rope_local_base_freq is the base of the sliding ones.
 */
export function readRopePerLayerType(raw: RawConfig, problems: string[]): { readonly [K in LayerType]: RopeConfig } {
  const nested = raw.rope_parameters ?? {};
  const stray = Object.keys(nested).filter((key) => !LAYER_TYPES.some((type) => type === key));
  if (stray.length > 0) {
    problems.push(`rope_parameters: expected ${LAYER_TYPES.join(" and ")} and nothing else, found ${stray.join(", ")}`);
  }
  const of = (type: LayerType, older: Settings, base: number | null | undefined): RopeConfig => {
    const found = z.record(z.string(), z.unknown()).nullish().safeParse(nested[type]);
    const key = `rope_parameters.${type}`;
    if (!found.success) problems.push(`${key}: expected an object`);
    const scaled = Object.keys(older).length > 0;
    return readSettings(scaled ? "rope_scaling" : key, { ...found.data, ...older }, base, problems);
  };
  return {
    full_attention: of("full_attention", raw.rope_scaling ?? {}, raw.rope_theta),
    sliding_attention: of("sliding_attention", {}, raw.rope_local_base_freq),
  };
}

/** `base` holds where the settings have no rope_theta of their own. */
function readSettings(
  key: string,
  settings: Settings,
  base: number | null | undefined,
  problems: string[],
): RopeConfig {
  const theta = z.number().positive().nullish().safeParse(settings["rope_theta"]);
  if (!theta.success) problems.push(`${key}.rope_theta: expected a positive number`);
  const rope = { theta: theta.data ?? base ?? 10_000 };
  const partial = settings["partial_rotary_factor"] ?? 1;
  if (partial !== 1) problems.push(`${key}.partial_rotary_factor: expected 1, found ${JSON.stringify(partial)}`);
  const type = settings["rope_type"] ?? settings["type"] ?? "default";
  if (!SCALINGS.some((known) => known === type)) {
    const known = SCALINGS.map((name) => `"${name}"`).join(", ");
    problems.push(`${key}: type ${JSON.stringify(type)} is not supported; expected one of ${known}`);
    return rope;
  }
  const scaling = scalingSchema.safeParse({ ...settings, type });
  if (!scaling.success) {
    for (const issue of scaling.error.issues) problems.push(`${key}.${issue.path.join(".")}: ${issue.message}`);
    return rope;
  }
  const { data } = scaling;
  if (data.type === "default") return rope;
  if (data.type === "linear") return { ...rope, scaling: { type: "linear", factor: data.factor } };
  return {
    ...rope,
    scaling: {
      type: "llama3",
      factor: data.factor,
      lowFreqFactor: data.low_freq_factor,
      highFreqFactor: data.high_freq_factor,
      originalMaxPositionEmbeddings: data.original_max_position_embeddings,
    },
  };
}
