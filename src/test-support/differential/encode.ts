/** Instruction bytes from their parts, for 64-bit code, and for 32-bit code where no part needs REX. Intel SDM volume 2, chapter 2. */

/** A memory operand's parts as they are encoded. */
export interface MemoryOperand {
  mod: number;
  /** Low bits of rm; 4 has a SIB byte. */
  rm: number;
  sib?: { scale: number; index: number; base: number };
  displacement: number;
  displacementBytes: 0 | 1 | 2 | 4;
  rexX: number;
  rexB: number;
  /** A 67 prefix: 32-bit addresses, or 16-bit ones in 32-bit code. */
  narrow: boolean;
  /** Segment override prefix. */
  segment?: number;
  /** The displacement is a linear address, to be made relative to the instruction's end. */
  ripRelative: boolean;
}

export interface InstructionParts {
  /** Legacy prefixes in order, without those of the memory operand. */
  prefixes: number[];
  rexW: boolean;
  /** A REX prefix even if no bit of it is needed: byte registers 4-7 are then SPL-DIL. */
  rexForced: boolean;
  opcode: readonly number[];
  /** Numbers 0-15; the high bits go to REX. */
  reg?: number;
  rm?: number | MemoryOperand;
  opcodeRegister?: number;
  immediate: Uint8Array;
  /** A VEX prefix takes the place of REX and of the opcode's first bytes. */
  vex?: { map: number; prefix: number; l: number; w: boolean; vvvv: number };
}

/** @param address linear address of the instruction */
export function encode(parts: InstructionParts, address: number): Uint8Array {
  const memory = typeof parts.rm === "object" ? parts.rm : null;
  const bytes = [...parts.prefixes];
  if (memory?.segment !== undefined) bytes.unshift(memory.segment);
  if (memory?.narrow) bytes.unshift(0x67);
  const reg = parts.reg ?? 0;
  const rmRegister = typeof parts.rm === "number" ? parts.rm : (parts.opcodeRegister ?? 0);
  const b = memory ? memory.rexB : rmRegister >> 3;
  const rex = (parts.rexW && !parts.vex ? 8 : 0) | ((reg >> 3) << 2) | ((memory?.rexX ?? 0) << 1) | b;
  if (parts.vex) bytes.push(...vexPrefix(parts.vex, rex & 7, parts.rexForced));
  else if (rex !== 0 || parts.rexForced) bytes.push(0x40 | rex);
  const opcode = [...parts.opcode];
  if (parts.opcodeRegister !== undefined) opcode[opcode.length - 1]! |= parts.opcodeRegister & 7;
  bytes.push(...opcode);
  let displacementAt = -1;
  if (memory) {
    bytes.push((memory.mod << 6) | ((reg & 7) << 3) | memory.rm);
    if (memory.sib) bytes.push((memory.sib.scale << 6) | (memory.sib.index << 3) | memory.sib.base);
    displacementAt = bytes.length;
    for (let index = 0; index < memory.displacementBytes; index++)
      bytes.push((memory.displacement >> (8 * index)) & 0xff);
  } else if (parts.rm !== undefined) {
    bytes.push(0xc0 | ((reg & 7) << 3) | (rmRegister & 7));
  }
  bytes.push(...parts.immediate);
  if (memory?.ripRelative) {
    const relative = (memory.displacement - (address + bytes.length)) | 0;
    for (let index = 0; index < 4; index++) bytes[displacementAt + index] = (relative >> (8 * index)) & 0xff;
  }
  return Uint8Array.from(bytes);
}

// The short form where it says all; `long` asks for the other one. rxb: the high bits of reg, index and base, not inverted.
function vexPrefix(vex: NonNullable<InstructionParts["vex"]>, rxb: number, long: boolean): number[] {
  const low = ((~vex.vvvv & 15) << 3) | (vex.l << 2) | vex.prefix;
  if (vex.map === 1 && !vex.w && (rxb & 3) === 0 && !long) return [0xc5, (rxb & 4 ? 0 : 0x80) | low];
  return [0xc4, ((~rxb & 7) << 5) | vex.map, (vex.w ? 0x80 : 0) | low];
}

export function littleEndian(value: bigint, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}
