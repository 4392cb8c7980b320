/** @file Settings of a schema as flags of the command line: the same names with hyphens, checked by the same rules. */
import { InvalidArgumentError, Option } from "commander";
import { z } from "zod";

export interface Flag {
  readonly group: string;
  /** What stands behind the flag in the help. */
  readonly value: string;
  readonly help: string;
}

export interface FlagTable<Name extends string> {
  readonly flags: Readonly<Record<Name, Flag>>;
  readonly schemas: Readonly<Record<Name, z.ZodType>>;
  /** Short names beside the long ones. */
  readonly short: Readonly<Partial<Record<Name, string>>>;
}

export interface SettingFlags {
  readonly options: readonly Option[];
  /** Settings of what commander parsed; flags that were not given are absent. */
  read(parsed: Readonly<Record<string, unknown>>): Record<string, unknown>;
}

/** A switch; false turns off what a config file turned on. */
export const BOOLEAN = "[true|false]";

/** Not commander's own choices, which would check before the schema does, and in other words. */
const CHOICES = new WeakMap<Option, readonly string[]>();

/** The words that a setting's flag takes, where they are all known. */
export const choicesOf = (option: Option): readonly string[] | undefined => CHOICES.get(option);

function wordsOf(schema: z.ZodType): readonly string[] | undefined {
  if (schema instanceof z.ZodEnum) return schema.options.map(String);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return wordsOf(schema.unwrap() as z.ZodType);
  return undefined;
}

/** Flags of these settings. The short name of a setting is shown, the long one understood. */
export function tableFlags<Name extends string>(table: FlagTable<Name>, names: readonly Name[]): SettingFlags {
  const byAttribute = new Map<string, Name>();
  const options = names.flatMap((name) => {
    const long = name.replaceAll("_", "-");
    const short = table.short[name];
    const shown = [short ?? long, ...(short === undefined ? [] : [long])];
    return shown.map((word, i) => {
      const { group, value, help } = table.flags[name];
      const option = new Option(`--${word} ${value}`, help)
        .argParser((text) => readSetting(table.schemas[name], text))
        .helpGroup(group);
      const words = wordsOf(table.schemas[name]);
      if (words !== undefined) CHOICES.set(option, words);
      byAttribute.set(option.attributeName(), name);
      return i === 0 ? option : option.hideHelp();
    });
  });
  const read = (parsed: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(parsed).flatMap(([attribute, value]) => {
        const name = byAttribute.get(attribute);
        return name === undefined || value === undefined ? [] : [[name, value]];
      }),
    );
  return { options, read };
}

/** The text as what the schema takes: a number, a truth value, a list, or text. */
export function readSetting(schema: z.ZodType, text: string): unknown {
  const list = text.split(",").map((part) => part.trim());
  const numbers = list.map((part) => (part === "" ? Number.NaN : Number(part)));
  const readings: unknown[] = [
    ...(text === "true" || text === "false" ? [text === "true"] : []),
    ...(Number.isNaN(numbers[0]) ? [] : [numbers[0]]),
    text,
    numbers,
    list,
  ];
  for (const reading of readings) {
    const result = schema.safeParse(reading);
    if (result.success) return result.data;
  }
  const best = schema.safeParse(readings[0]);
  throw new InvalidArgumentError(best.error?.issues[0]?.message ?? "is not valid");
}
