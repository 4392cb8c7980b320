/** @file What Tab may offer: commands, flags and their values, read off the tree of commands. Knows no shell. */
import type { Argument, Command, Option } from "commander";
import { choicesOf } from "./flag-table.js";

/** `none`: a text or a number, for which nothing can be offered. */
export type Values =
  | { readonly kind: "files" | "directories" | "runs" | "none" }
  | { readonly kind: "words"; readonly words: readonly string[] };

export interface CompletedFlag {
  /** As typed: "--loss", "-h". */
  readonly names: readonly string[];
  readonly help: string;
  /** Absent where the flag takes no value. */
  readonly values?: Values;
}

export interface CompletedCommand {
  /** Words behind the program's name; none for the program itself. */
  readonly path: readonly string[];
  readonly help: string;
  readonly flags: readonly CompletedFlag[];
  readonly subcommands: readonly { readonly name: string; readonly help: string }[];
  readonly argument?: Values;
}

/** The program first, then every command below it. */
export function completionTree(command: Command, path: readonly string[] = []): CompletedCommand[] {
  const helper = command.createHelp();
  const subcommands = helper.visibleCommands(command);
  const [argument] = command.registeredArguments;
  const own: CompletedCommand = {
    path,
    help: command.description(),
    flags: helper.visibleOptions(command).map(flagOf),
    subcommands: subcommands.map((one) => ({ name: one.name(), help: one.description() })),
    ...(argument !== undefined && { argument: valuesOf(argument.name(), argument) }),
  };
  return [own, ...subcommands.flatMap((one) => completionTree(one, [...path, one.name()]))];
}

function flagOf(option: Option): CompletedFlag {
  const names = [option.short, option.long].filter((name) => name != null);
  const takesValue = option.required || option.optional;
  return { names, help: option.description, ...(takesValue && { values: valuesOf(placeholder(option), option) }) };
}

/** What stands in the brackets behind the flag. */
const placeholder = ({ flags }: Option): string => /[<[]([^>\]]*)[>\]]$/.exec(flags)?.[1] ?? "";

/** A value's name says what it is, as in the help. */
function valuesOf(name: string, of: Option | Argument): Values {
  const words = of.argChoices ?? ("long" in of ? choicesOf(of) : undefined);
  if (words !== undefined) return { kind: "words", words };
  if (name === "true|false") return { kind: "words", words: ["true", "false"] };
  if (/^runs?(?:\.\.\.)?$/.test(name) || ("long" in of && /^--(?:run|resume)$/.test(of.long ?? "")))
    return { kind: "runs" };
  if (/^(?:directory|checkpoint)$/.test(name)) return { kind: "directories" };
  if (/^(?:file|path|model)$/.test(name)) return { kind: "files" };
  return { kind: "none" };
}
