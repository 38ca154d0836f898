/** Disassembly by iced-x86, which is loaded when it is first needed. */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { Vcpu } from "../vcpu/accelerator.js";
import { hex } from "./format.js";
import { readLinear } from "./linear-memory.js";
import type { SymbolTable } from "./symbols.js";

const MAX_INSTRUCTION = 15;

export interface DisassemblyOptions {
  /** Linear address of the first instruction. */
  address: bigint;
  /** Instructions. */
  count: number;
  bits: 16 | 32 | 64;
  symbols?: SymbolTable | null;
  /** Marked with an arrow: linear address of the current instruction. */
  mark?: bigint;
}

/** One line an instruction: address, bytes, text. Ends early at memory that is not there. */
export async function disassemble(vcpu: Vcpu, memory: GuestMemory, options: DisassemblyOptions): Promise<string[]> {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = await import("iced-x86");
  const { address, count, bits, symbols = null, mark } = options;
  const bytes = readLinear(vcpu, memory, address, count * MAX_INSTRUCTION);
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const lines: string[] = [];
  try {
    decoder.ip = address;
    for (let index = 0; index < count && decoder.canDecode; index++) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const here = address + BigInt(start);
      const code = [...bytes.subarray(start, decoder.position)].map((byte) => hex(byte, 2)).join("");
      const target = instruction.nearBranchTarget;
      const name = target ? symbols?.describe(target) : null;
      const label = symbols?.describe(here);
      if (label && !label.includes("+")) lines.push(`${label}:`);
      const text = `${formatter.format(instruction)}${name ? ` <${name}>` : ""}`;
      lines.push(`${here === mark ? "->" : "  "} ${hex(here, 16)}  ${code.padEnd(24)} ${text}`);
      instruction.free();
    }
  } finally {
    decoder.free();
    formatter.free();
  }
  return lines;
}
