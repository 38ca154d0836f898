/** Instructions of a section in order, as relocatable items. */
import { encode, type InstructionParts, littleEndian, type MemoryOperand } from "../differential/encode.js";
import type { CodeBits, Fixup, Item } from "./program.js";

/** A memory operand, and what in it is to be filled in when places are known. */
export interface Operand {
  operand: MemoryOperand;
  /** Its displacement is the target's address: relative to the instruction's end, or as the kind says. */
  target?: { kind: Fixup["kind"]; target: Fixup["target"]; addend: number };
}

export class SectionBuilder {
  readonly items: Item[] = [];
  /** Bytes pushed by the constructs that are open. */
  pushed = 0;

  constructor(readonly bits: CodeBits) {}

  raw(...bytes: number[]): void {
    this.items.push({ bytes });
  }

  place(label: number): void {
    this.items.push({ bytes: [], label });
  }

  jcc(condition: number, target: number, long = false): void {
    this.branch(target, long ? undefined : [0x70 + condition], [0x0f, 0x80 + condition]);
  }

  jmp(target: number, long = false): void {
    this.branch(target, long ? undefined : [0xeb], [0xe9]);
  }

  call(target: number): void {
    this.branch(target, undefined, [0xe8]);
  }

  /** LOOPNE, LOOPE, LOOP or JCXZ: 0xe0 to 0xe3. Where it does not reach, it is left out. */
  loop(opcode: number, target: number): void {
    this.branch(target, [opcode], undefined);
  }

  private branch(target: number, short?: readonly number[], near?: readonly number[]): void {
    this.items.push({ bytes: [], branch: { short, near, target } });
  }

  /** An instruction out of its parts; a memory operand may refer to labels. */
  op(parts: Omit<Partial<InstructionParts>, "rm"> & { opcode: readonly number[] }, rm?: number | Operand): void {
    const memory = typeof rm === "object" ? rm : undefined;
    const immediate = parts.immediate ?? new Uint8Array();
    const bytes = encode(
      {
        prefixes: [],
        rexW: false,
        rexForced: false,
        ...parts,
        immediate,
        rm: memory ? memory.operand : (rm as number),
      },
      0,
    );
    const fixups: Fixup[] = [];
    if (memory?.target) {
      const size = memory.operand.displacementBytes as 2 | 4;
      fixups.push({ at: bytes.length - immediate.length - size, size, ...memory.target });
    }
    this.items.push({ bytes: [...bytes], fixups });
  }

  /** MOV of a constant of the register's full width, or of 32 bits. */
  constant(register: number, value: bigint, wide = this.bits === 64): void {
    const bytes = wide ? 8 : 4;
    this.op({
      prefixes: this.bits === 16 ? [0x66] : [],
      rexW: wide,
      opcode: [0xb8],
      opcodeRegister: register,
      immediate: littleEndian(BigInt.asUintN(8 * bytes, value), bytes),
    });
  }

  /** MOV of the linear address of a label, or of its offset in the window. */
  address(register: number, target: Fixup["target"], addend = 0, kind: Fixup["kind"] = "absolute"): void {
    const size = this.bits === 16 ? 2 : this.bits === 32 ? 4 : 8;
    this.op({
      rexW: this.bits === 64,
      opcode: [0xb8],
      opcodeRegister: register,
      immediate: littleEndian(0n, size),
    });
    const item = this.items.pop()!;
    this.items.push({ ...item, fixups: [{ at: item.bytes.length - size, kind, size, target, addend }] });
  }

  /** PUSH imm32 of the low half of an address, which is whole where the base has 31 bits. */
  register(opcode: readonly number[], digit: number, register: number, wide = false): void {
    this.op({ rexW: wide, opcode, reg: digit }, register);
  }
}
