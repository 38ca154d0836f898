/**
 * runc's command line, which engines speak: options before operands, one dash or two, `--name=value` or `--name value`.
 * What comes after the first operand is the operands', dashes or not (`exec ID ls -l`).
 */
import { ContainerError } from "../../container/errors.js";

export interface OptionSpec {
  /** `flag` takes a value only as `--name=true`; `list` may be given several times. */
  readonly kind: "flag" | "value" | "list";
  /** Other names, of one letter. */
  readonly short?: string;
  readonly help: string;
  /** Of the value, in the help. */
  readonly placeholder?: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

type ValueOf<Spec extends OptionSpec> = Spec["kind"] extends "flag"
  ? boolean
  : Spec["kind"] extends "list"
    ? string[]
    : string | undefined;

export type Options<Table extends OptionTable> = { -readonly [Name in keyof Table]: ValueOf<Table[Name]> };

export interface Parsed<Table extends OptionTable> {
  readonly options: Options<Table>;
  readonly operands: string[];
  readonly help: boolean;
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  t: true,
  false: false,
  "0": false,
  f: false,
};

/** @throws ContainerError `USAGE` */
export function parse<const Table extends OptionTable>(table: Table, args: readonly string[]): Parsed<Table> {
  const options: Record<string, boolean | string | string[] | undefined> = {};
  for (const [name, { kind }] of Object.entries(table)) {
    options[name] = kind === "flag" ? false : kind === "list" ? [] : undefined;
  }
  const byShort = new Map(
    Object.entries(table).flatMap(([name, { short }]) => (short ? [[short, name]] : [])) as [string, string][],
  );
  const usage = (problem: string) => new ContainerError("USAGE", problem);
  let index = 0;
  for (; index < args.length; index++) {
    const argument = args[index];
    if (argument === "--") {
      index++;
      break;
    }
    if (!argument.startsWith("-") || argument === "-") break;
    const [, written, inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(argument) as RegExpExecArray;
    if (written === "help" || written === "h") return { options: options as Options<Table>, operands: [], help: true };
    const name = byShort.get(written) ?? written;
    if (!Object.hasOwn(table, name)) throw usage(`flag provided but not defined: -${written}`);
    const { kind } = table[name];
    if (kind === "flag") {
      if (inline !== undefined && !Object.hasOwn(BOOLEANS, inline)) {
        throw usage(`invalid boolean value ${JSON.stringify(inline)} for -${written}`);
      }
      options[name] = inline === undefined ? true : BOOLEANS[inline];
      continue;
    }
    const value = inline ?? args[++index];
    if (value === undefined) throw usage(`flag needs an argument: -${written}`);
    if (kind === "list") (options[name] as string[]).push(value);
    else options[name] = value;
  }
  return { options: options as Options<Table>, operands: args.slice(index), help: false };
}

const COLUMN = 34;

export function describe(table: OptionTable): string {
  return Object.entries(table)
    .map(([name, { kind, short, help, placeholder = "VALUE" }]) => {
      const left = `--${name}${short ? `, -${short}` : ""}${kind === "flag" ? "" : ` ${placeholder}`}`;
      return `  ${left.padEnd(COLUMN)} ${help}`;
    })
    .join("\n");
}

/** @throws ContainerError `USAGE` for a number of operands that the verb does not take */
export function expectOperands(verb: string, operands: readonly string[], min: number, max = min): void {
  if (operands.length >= min && operands.length <= max) return;
  const count = min === max ? `exactly ${min}` : `from ${min} to ${max}`;
  throw new ContainerError("USAGE", `${verb}: ${count} argument(s) expected, not ${operands.length}`);
}
