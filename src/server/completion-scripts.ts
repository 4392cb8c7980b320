/** @file The completion scripts of bash, zsh and fish, written from what Tab may offer. */
import type { CompletedCommand, CompletedFlag, Values } from "./completion-tree.js";

export type Shell = "bash" | "zsh" | "fish";

export const SHELLS: Readonly<Record<Shell, (tree: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const lines = (parts: readonly string[]): string => parts.filter((part) => part !== "").join("\n");
const key = ({ path }: CompletedCommand): string => path.join(" ");
/** The first sentence, on one line. */
const brief = (help: string): string => help.split("\n")[0]?.split(/[:;.] /)[0] ?? "";

function bashValues(values: Values): string {
  switch (values.kind) {
    case "words":
      return `_preflexor_words ${quoted(values.words.join(" "))}`;
    case "files":
      return "_preflexor_files -f";
    case "directories":
      return "_preflexor_files -d";
    case "runs":
      return "_preflexor_runs";
    case "none":
      return "COMPREPLY=()";
  }
}

/** For bash from 3.2 on, without the bash-completion package. */
function bashScript(tree: readonly CompletedCommand[]): string {
  const steps = tree.filter(({ path }) => path.length > 0);
  const valued = (command: CompletedCommand) =>
    command.flags.flatMap(({ names, values }) =>
      values === undefined
        ? []
        : [`    ${names.map((name) => quoted(`${key(command)}:${name}`)).join("|")}) ${bashValues(values)}; return ;;`],
    );
  const flags = (command: CompletedCommand) =>
    `      ${quoted(key(command))}) _preflexor_words ${quoted(command.flags.flatMap(({ names }) => names).join(" "))} ;;`;
  const operands = (command: CompletedCommand) => {
    const { subcommands, argument } = command;
    if (subcommands.length > 0)
      return `      ${quoted(key(command))}) _preflexor_words ${quoted(subcommands.map(({ name }) => name).join(" "))} ;;`;
    return argument === undefined ? "" : `      ${quoted(key(command))}) ${bashValues(argument)} ;;`;
  };
  return `# bash completion of preflexor: source <(preflexor completion bash)
_preflexor_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
_preflexor_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$cur"))
}
# A run is named by its folder's name, or by a path.
_preflexor_runs() {
  case "$cur" in
    */*) _preflexor_files -d ;;
    *) _preflexor_words "$("\${COMP_WORDS[0]}" completion --runs 2>/dev/null)" ;;
  esac
}
_preflexor() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" place="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
${lines(steps.map(({ path }) => `      ${quoted(`${path.slice(0, -1).join(" ")} ${path.at(-1)}`)}) place=${quoted(path.join(" "))} ;;`))}
    esac
  done
  case "$place:$prev" in
${lines(tree.flatMap(valued))}
  esac
  case "$cur" in
    -*) case "$place" in
${lines(tree.map(flags))}
    esac ;;
    *) case "$place" in
${lines(tree.map(operands))}
    esac ;;
  esac
}
complete -F _preflexor preflexor
`;
}

/** In single quotes, as bash, zsh and (but for backslashes) fish read them. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zshValues(values: Values): string {
  switch (values.kind) {
    case "words":
      return `(${values.words.join(" ")})`;
    case "files":
      return "_files";
    case "directories":
      return "_files -/";
    case "runs":
      return "_preflexor_runs";
    case "none":
      return "";
  }
}

/** Brackets and colons have a meaning in a specification of _arguments. */
const zshText = (text: string): string => brief(text).replaceAll(/[[\]:\\]/g, "\\$&");

function zshScript(tree: readonly CompletedCommand[]): string {
  const flag = ({ names, help, values }: CompletedFlag): readonly string[] =>
    names.map((name) =>
      quoted(`${name}[${zshText(help)}]${values === undefined ? "" : `:value:${zshValues(values)}`}`),
    );
  const own = (command: CompletedCommand): string => {
    const { subcommands, argument } = command;
    const operand =
      subcommands.length > 0
        ? quoted(
            `1:command:((${subcommands.map(({ name, help }) => `${name}\\:${JSON.stringify(zshText(help))}`).join(" ")}))`,
          )
        : argument === undefined
          ? ""
          : quoted(`*:value:${zshValues(argument)}`);
    const words = [...command.flags.flatMap(flag), ...(operand === "" ? [] : [operand])];
    return `    ${quoted(key(command))}) _arguments ${words.join(" \\\n      ")} ;;`;
  };
  return `#compdef preflexor
# zsh completion of preflexor: source <(preflexor completion zsh)
_preflexor_runs() { compadd -- \${(f)"$(preflexor completion --runs 2>/dev/null)"}; _files -/ }
_preflexor() {
  local place="" word skip=0
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
${lines(
  tree
    .filter(({ path }) => path.length > 0)
    .map(
      ({ path }) =>
        `      ${quoted(`${path.slice(0, -1).join(" ")} ${path.at(-1)}`)}) place=${quoted(path.join(" "))}; skip=${path.length} ;;`,
    ),
)}
    esac
  done
  # _arguments takes the first word for the command's name.
  (( skip > 0 )) && { shift $skip words; (( CURRENT -= skip )); }
  case "$place" in
${lines(tree.map(own))}
  esac
}
if [ "$funcstack[1]" = "_preflexor" ]; then _preflexor "$@"; else compdef _preflexor preflexor; fi
`;
}

function fishValues(values: Values): string {
  switch (values.kind) {
    case "words":
      return ` -x -a ${fishQuoted(values.words.join(" "))}`;
    case "files":
      return " -r -F";
    case "directories":
      return " -x -a '(__fish_complete_directories)'";
    case "runs":
      return " -x -a '(preflexor completion --runs 2>/dev/null; __fish_complete_directories)'";
    case "none":
      return " -x";
  }
}

const fishQuoted = (text: string): string => `'${text.replaceAll(/[\\']/g, "\\$&")}'`;

function fishScript(tree: readonly CompletedCommand[]): string {
  const condition = ({ path, subcommands }: CompletedCommand): string => {
    if (path.length === 0) return "__fish_use_subcommand";
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const deeper = subcommands.map(({ name }) => name).join(" ");
    return [...seen, ...(deeper === "" ? [] : [`not __fish_seen_subcommand_from ${deeper}`])].join("; and ");
  };
  const rules = tree.flatMap((command) => {
    const when = `complete -c preflexor -n ${fishQuoted(condition(command))}`;
    return [
      ...command.subcommands.map(({ name, help }) => `${when} -f -a ${name} -d ${fishQuoted(brief(help))}`),
      ...command.flags.map(({ names, help, values }) => {
        const words = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
        return `${when} ${words.join(" ")}${values === undefined ? "" : fishValues(values)} -d ${fishQuoted(brief(help))}`;
      }),
      ...(command.argument === undefined ? [] : [`${when}${fishValues(command.argument)}`]),
    ];
  });
  return `# fish completion of preflexor: preflexor completion fish | source\ncomplete -c preflexor -f\n${rules.join("\n")}\n`;
}
