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

export interface DisassembledInstruction {
  /** Linear. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** With the symbol that a near branch goes to, in angle brackets. */
  readonly text: string;
}

/** The instructions in `bytes`, `count` at most. */
export async function disassembleBytes(
  bytes: Uint8Array,
  { address, count, bits, symbols = null }: Omit<DisassemblyOptions, "mark">,
): Promise<DisassembledInstruction[]> {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = await import("iced-x86");
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instructions: DisassembledInstruction[] = [];
  try {
    decoder.ip = address;
    for (let index = 0; index < count && decoder.canDecode; index++) {
      const start = decoder.position;
      const instruction = decoder.decode();
      const target = instruction.nearBranchTarget;
      const name = target ? symbols?.describe(target) : null;
      instructions.push({
        address: address + BigInt(start),
        bytes: bytes.subarray(start, decoder.position),
        text: `${formatter.format(instruction)}${name ? ` <${name}>` : ""}`,
      });
      instruction.free();
    }
  } finally {
    decoder.free();
    formatter.free();
  }
  return instructions;
}

/** Address, bytes, text. */
export function formatInstruction({ address, bytes, text }: DisassembledInstruction): string {
  const code = [...bytes].map((byte) => hex(byte, 2)).join("");
  return `${hex(address, 16)}  ${code.padEnd(24)} ${text}`;
}

/** One line an instruction, with a line before it where a symbol begins. Ends early at memory that is not there. */
export async function disassemble(vcpu: Vcpu, memory: GuestMemory, options: DisassemblyOptions): Promise<string[]> {
  const { address, count, symbols, mark } = options;
  const bytes = readLinear(vcpu, memory, address, count * MAX_INSTRUCTION);
  return (await disassembleBytes(bytes, options)).flatMap((instruction) => {
    const label = symbols?.describe(instruction.address);
    const line = `${instruction.address === mark ? "->" : "  "} ${formatInstruction(instruction)}`;
    return label && !label.includes("+") ? [`${label}:`, line] : [line];
  });
}
