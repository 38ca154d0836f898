/**
 * Options of a command: a table says what there is, parsing and help follow from it.
 *
 * `--name VALUE` and `--name=VALUE` mean the same; an option with an optional value takes it only with `=`.
 */
import { UsageError } from "./errors.js";

interface OptionBase {
  /** What the help says about it. */
  readonly help: string;
}

export type OptionSpec =
  | (OptionBase & { readonly kind: "flag" })
  /** Given once at most. `placeholder` stands for the value in the help. */
  | (OptionBase & { readonly kind: "value"; readonly placeholder: string })
  /** Given any number of times. */
  | (OptionBase & { readonly kind: "list"; readonly placeholder: string })
  /** The value may be left out. */
  | (OptionBase & { readonly kind: "optional"; readonly placeholder: string });

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<Spec extends OptionSpec> = Spec["kind"] extends "flag"
  ? boolean
  : Spec["kind"] extends "list"
    ? string[]
    : Spec["kind"] extends "optional"
      ? string | true | undefined
      : string | undefined;

export type ParsedOptions<Table extends OptionTable> = { -readonly [Name in keyof Table]: ValueOf<Table[Name]> };

export interface ParsedArguments<Table extends OptionTable> {
  options: ParsedOptions<Table>;
  /** What is no option, in order. */
  operands: string[];
  /** `--help` or `-h` was among the options. */
  help: boolean;
}

/** @throws UsageError for an option that is not in the table, a value too many or too few, and repetitions */
export function parseArguments<const Table extends OptionTable>(
  table: Table,
  args: readonly string[],
): ParsedArguments<Table> {
  const options: Record<string, boolean | string | string[] | undefined> = {};
  for (const [name, { kind }] of Object.entries(table)) {
    options[name] = kind === "flag" ? false : kind === "list" ? [] : undefined;
  }
  const operands: string[] = [];
  const given = new Set<string>();
  for (let index = 0; index < args.length; index++) {
    const argument = args[index];
    if (argument === "--help" || argument === "-h") {
      return { options: options as ParsedOptions<Table>, operands, help: true };
    }
    if (argument === "--") {
      operands.push(...args.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      operands.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const written = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? null : argument.slice(equals + 1);
    const name = written.slice(2);
    if (!written.startsWith("--") || !Object.hasOwn(table, name)) throw new UsageError(`unknown option ${written}`);
    const { kind } = table[name];
    if (kind !== "list" && given.has(name)) throw new UsageError(`option ${written} is given twice`);
    given.add(name);
    if (kind === "flag") {
      if (inline !== null) throw new UsageError(`option ${written} takes no value`);
      options[name] = true;
    } else if (kind === "optional") {
      if (inline === "") throw new UsageError(`option ${written} has an empty value`);
      options[name] = inline ?? true;
    } else {
      const value = inline ?? args[++index];
      if (value === undefined) throw new UsageError(`option ${written} needs a value`);
      if (kind === "list") (options[name] as string[]).push(value);
      else options[name] = value;
    }
  }
  return { options: options as ParsedOptions<Table>, operands, help: false };
}

const HELP_COLUMN = 30;
const HELP_WIDTH = 100;

/** The table as lines of help. */
export function describeOptions(table: OptionTable): string {
  const lines = Object.entries(table).map(([name, spec]) => {
    if (spec.kind === "flag") return describe(`--${name}`, spec.help);
    if (spec.kind === "optional") return describe(`--${name}[=${spec.placeholder}]`, spec.help);
    return describe(`--${name} ${spec.placeholder}${spec.kind === "list" ? " ..." : ""}`, spec.help);
  });
  return [...lines, describe("--help", "this text")].join("\n");
}

function describe(left: string, help: string): string {
  const lines = [""];
  for (const word of help.split(" ")) {
    const last = lines[lines.length - 1];
    if (last.length + word.length + 1 > HELP_WIDTH - HELP_COLUMN && last !== "") lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  const indent = " ".repeat(HELP_COLUMN);
  const head = `  ${left}`;
  if (head.length >= HELP_COLUMN) return [head, ...lines.map((line) => indent + line)].join("\n");
  return [head.padEnd(HELP_COLUMN) + lines[0], ...lines.slice(1).map((line) => indent + line)].join("\n");
}
