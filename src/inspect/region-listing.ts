/** Translated regions as text: the guest's instructions, and under each the WebAssembly that it became. */
import type { RegionMark, RegionReport } from "../accel/translate/translator/region-report.js";
import { type DisassembledInstruction, disassembleBytes, formatInstruction } from "./disassembly.js";
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
 * The lines of one region: a heading, the function's head, then the body's lines in order. What stands before the first
 * guest instruction enters the region, what stands behind the last leaves it.
 */
export async function listRegion(region: RegionReport, options: RegionListingOptions = {}): Promise<string[]> {
  const { symbols = null, names = {} } = options;
  const name = (address: bigint): string => {
    const symbol = symbols?.describe(address) ?? null;
    return symbol === null ? hex(address, 16) : `${hex(address, 16)} <${symbol}>`;
  };
  const instructions = region.blocks.reduce((sum, block) => sum + block.instructions, 0);
  const what = [
    countOf(region.blocks.length, "block"),
    countOf(instructions, "instruction"),
    `${countOf(region.body.length, "byte")} of wasm`,
  ];
  const lines = [`region ${region.number} at ${name(region.rip)}: ${what.join(", ")}`];
  const { locals, lines: wasm } = wasmFunctionText(region.body, names);
  lines.push(`  locals: ${locals.map(({ count, type }) => `${count} ${type}`).join(", ") || "none"}`);

  const decoded = await Promise.all(region.blocks.map((block) => decode(region, block.offset, block.code, symbols)));
  const marks = [...region.marks].sort((a, b) => a.at - b.at);
  let next = 0;
  let block = -1;
  for (const { offset, depth, text } of wasm) {
    while (next < marks.length && marks[next].at <= offset) {
      const mark = marks[next++];
      if (mark.block !== block || mark.ipOffset === 0) {
        block = mark.block;
        lines.push("", `;; block ${block} at ${name(addressOf(region, mark))}`);
      }
      lines.push(`;; ${instructionAt(decoded[mark.block], addressOf(region, mark))}`);
    }
    lines.push(`  ${"  ".repeat(depth)}${text}`);
  }
  return lines;
}

function addressOf(region: RegionReport, mark: RegionMark): bigint {
  const block = region.blocks[mark.block];
  return BigInt.asUintN(64, region.rip + BigInt(block.offset + mark.ipOffset));
}

function decode(
  region: RegionReport,
  offset: number,
  code: Uint8Array,
  symbols: SymbolTable | null,
): Promise<DisassembledInstruction[]> {
  const address = BigInt.asUintN(64, region.rip + BigInt(offset));
  return disassembleBytes(code, { address, count: code.length, bits: region.bits, symbols });
}

/** Its line, or the address alone where the disassembler sees other instructions than the translator did. */
function instructionAt(instructions: readonly DisassembledInstruction[], address: bigint): string {
  const instruction = instructions.find((one) => one.address === address);
  return instruction === undefined ? `${hex(address, 16)}  (not decoded)` : formatInstruction(instruction);
}
