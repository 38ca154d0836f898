/** Translated regions as text: the guest's instructions, and under each the WebAssembly that it became. */
import type { RegionReport, ReportedInstruction } from "../accel/translate/translator/region-report.js";
import { disassembleBytes, formatInstruction } from "./disassembly.js";
import { hex } from "./format.js";
import type { SymbolTable } from "./symbols.js";
import { type WasmNames, wasmFunctionText } from "./wasm-text.js";

export interface RegionListingOptions {
  readonly symbols?: SymbolTable | null;
  /** Names of locals, functions and constants in the regions' bodies. */
  readonly names?: WasmNames;
}

const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/**
 * The lines of one region: a heading, then the body's lines in order. What stands before the first guest instruction
 * enters the region, what stands behind the last one's code leaves it.
 */
export async function listRegion(region: RegionReport, options: RegionListingOptions = {}): Promise<string[]> {
  const { symbols = null, names = {} } = options;
  const name = (address: bigint): string => {
    const symbol = symbols?.describe(address) ?? null;
    return symbol === null ? hex(address, 16) : `${hex(address, 16)} <${symbol}>`;
  };
  const { instructions, body } = region;
  const blocks = instructions.filter(({ first }) => first).length;
  const what = [countOf(blocks, "block"), countOf(instructions.length, "instruction"), `${body.length} bytes of wasm`];
  const { locals, lines: wasm } = wasmFunctionText(body, names);
  const lines = [
    `region ${region.number} at ${name(region.rip)}: ${what.join(", ")}`,
    `  locals: ${locals.map(({ count, type }) => `${count} ${type}`).join(", ") || "none"}`,
  ];
  let next = 0;
  for (const { offset, depth, text } of wasm) {
    for (; next < instructions.length && instructions[next].at <= offset; next++) {
      const instruction = instructions[next];
      const address = BigInt.asUintN(64, region.rip + BigInt(instruction.offset));
      if (instruction.first) lines.push("", `;; block at ${name(address)}`);
      lines.push(`;; ${await guestLine(region, instruction, address, symbols)}`);
    }
    lines.push(`  ${"  ".repeat(depth)}${text}`);
  }
  return lines;
}

async function guestLine(
  { bits }: RegionReport,
  { code }: ReportedInstruction,
  address: bigint,
  symbols: SymbolTable | null,
): Promise<string> {
  const [instruction] = await disassembleBytes(code, { address, count: 1, bits, symbols });
  return instruction === undefined ? `${hex(address, 16)}  (not decoded)` : formatInstruction(instruction);
}
