/** Where a guest spends its instructions: a table of hot code, by piece of code and by symbol. */
import type { CodeProfileEntry } from "../accel/translate/code-profile.js";
import { hex } from "./format.js";
import type { SymbolTable } from "./symbols.js";

export interface ProfileOptions {
  readonly symbols?: SymbolTable | null;
  /** All instructions of the run. What the entries do not account for is said in the heading. */
  readonly total: number;
  /** Rows of each table. */
  readonly rows?: number;
}

const DEFAULT_ROWS = 200;

const percent = (part: number, whole: number): string =>
  `${whole === 0 ? "0.00" : ((part / whole) * 100).toFixed(2)} %`;

/** Columns as wide as their widest cell, two spaces apart; numbers to the right. */
function table(head: readonly string[], right: readonly boolean[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line);
}

/** The tables, hottest first; ends with a newline. */
export function formatProfile(entries: readonly CodeProfileEntry[], options: ProfileOptions): string {
  const { symbols = null, total, rows = DEFAULT_ROWS } = options;
  const sum = (list: readonly CodeProfileEntry[]) => list.reduce((all, { instructions }) => all + instructions, 0);
  const translated = sum(entries.filter(({ tier }) => tier === "translate"));
  const counted = sum(entries);
  const hottest = [...entries].sort((a, b) => b.instructions - a.instructions).slice(0, rows);
  const lines = [
    `${total} instructions: ${percent(translated, total)} in regions, ${percent(counted - translated, total)} in blocks of the interpreter listed here`,
    "",
    ...table(
      ["share", "instructions", "executions", "tier", "address", "symbol"],
      [true, true, true, false, false, false],
      hottest.map(({ address, tier, executions, instructions }) => [
        percent(instructions, total),
        `${instructions}`,
        `${executions}`,
        tier,
        hex(address, 16),
        symbols?.describe(address) ?? "",
      ]),
    ),
  ];
  if (symbols !== null) lines.push("", ...bySymbol(entries, symbols, total, rows));
  return `${lines.join("\n")}\n`;
}

/** A region's instructions count for the symbol of its entry, though it may have others inlined. */
function bySymbol(entries: readonly CodeProfileEntry[], symbols: SymbolTable, total: number, rows: number): string[] {
  const groups = new Map<string, { interpret: number; translate: number }>();
  for (const { address, tier, instructions } of entries) {
    const name = symbols.describe(address)?.replace(/\+0x[0-9a-f]+$/, "") ?? "(no symbol)";
    const group = groups.get(name) ?? { interpret: 0, translate: 0 };
    group[tier] += instructions;
    groups.set(name, group);
  }
  const sorted = [...groups].map(([name, group]) => ({ name, ...group, all: group.interpret + group.translate }));
  sorted.sort((a, b) => b.all - a.all);
  return table(
    ["share", "in regions", "interpreted", "symbol"],
    [true, true, true, false],
    sorted
      .slice(0, rows)
      .map(({ name, interpret, translate, all }) => [
        percent(all, total),
        percent(translate, total),
        percent(interpret, total),
        name,
      ]),
  );
}
