/** Cases out of an instruction table: a register file, data pages, and a sequence of one to eight instructions. */
import type { Random } from "../random.js";
import { encode, littleEndian, type MemoryOperand } from "./encode.js";
import type { FlagEffect, Spec } from "./instruction.js";
import { fillWithValues, float80, integer64 } from "./values.js";
import {
  CASE,
  CODE_BASE,
  CODE_BYTES,
  type CodeBits,
  DATA_BASE,
  DATA_BYTES,
  FPU_MXCSR,
  FPU_ST,
  FPU_XMM,
  FS_BASE,
  GS_BASE,
  PAGE,
  WRITABLE_BYTES,
  YMM_BYTES,
} from "./wire.js";

export interface GeneratedInstruction {
  spec: Spec;
  bytes: Uint8Array;
  /** Linear address. */
  address: number;
  effect: Required<FlagEffect>;
}

export interface GeneratedCase {
  record: Buffer;
  instructions: GeneratedInstruction[];
}

const RAX = 0;
const RCX = 1;
const RSP = 4;

/** Contents for the data pages of a batch. */
export function generateData(random: Random): Buffer {
  const data = Buffer.alloc(DATA_BYTES);
  fillWithValues(random, data);
  return data;
}

export function generateCase(
  random: Random,
  table: readonly Spec[],
  totalWeight: number,
  bits: CodeBits,
): GeneratedCase {
  return new CaseBuilder(random, bits).build(table, totalWeight);
}

/** The instruction as code of this size has it, if it does: 64-bit operands stay out, or are 32-bit by default. */
export function forBits(spec: Spec, bits: CodeBits): Spec[] {
  if (spec.bits !== undefined && spec.bits !== bits) return [];
  if (bits === 64) return [spec];
  const [first = 0, second = 0] = spec.opcode;
  // REX, and REX behind another prefix.
  if (
    !spec.opcodeRegister &&
    ((first & 0xf0) === 0x40 || ([0x66, 0xf0, 0xf2, 0xf3].includes(first) && (second & 0xf0) === 0x40))
  )
    return [];
  if (!spec.sizes) return [spec];
  const sizes = spec.default64 ? spec.sizes.map((size) => Math.min(size, 4)) : spec.sizes.filter((size) => size < 8);
  return sizes.length > 0 ? [{ ...spec, sizes, default64: false }] : [];
}

/** One instruction given as bytes, from random registers. */
export function generateEncoding(random: Random, bits: CodeBits, spec: Spec, effect: FlagEffect): GeneratedCase {
  return new CaseBuilder(random, bits).buildOne(spec, effect);
}

/** The case with only one of its instructions, from the same registers. */
export function keepInstructions(from: GeneratedCase, kept: readonly number[]): GeneratedCase {
  const record = Buffer.from(from.record);
  const start = Number(record.readBigUInt64LE(CASE.codeAddress));
  record.fill(0x90, CASE.code, CASE.code + record.readUInt32LE(CASE.codeLength));
  const instructions = from.instructions.filter((_, index) => kept.includes(index));
  // Instructions stay where they are (their bytes may depend on it); NOPs replace the others.
  for (const instruction of instructions) record.set(instruction.bytes, CASE.code + instruction.address - start);
  record[CASE.code + record.readUInt32LE(CASE.codeLength) - 1] = 0xcc;
  return { record, instructions };
}

class CaseBuilder {
  private readonly record = Buffer.alloc(CASE.bytes);
  /** Registers whose value is known where the next instruction stands. */
  private readonly known = new Map<number, bigint>();
  private readonly instructions: GeneratedInstruction[] = [];
  private code: number[] = [];
  private undefinedFlags = 0;
  /** Instructions that a branch may skip: what they define does not count. */
  private shadow = 0;

  private readonly wide: boolean;

  constructor(
    private readonly random: Random,
    bits: CodeBits,
  ) {
    this.wide = bits === 64;
  }

  build(table: readonly Spec[], totalWeight: number): GeneratedCase {
    const random = this.random;
    this.makeRegisters();
    this.makeFpu();
    const start = this.startAddress();
    const count = random.chance(0.4) ? 1 : 1 + random.int(8);
    let approximate = false;
    for (let attempts = 0; this.instructions.length < count && attempts < 40 && !approximate; attempts++) {
      const spec = pickWeighted(random, table, totalWeight);
      if ((spec.reads ?? 0) & this.undefinedFlags) continue;
      this.add(spec, start);
      // What follows would see a value that is known only roughly.
      approximate = spec.approximate ?? false;
    }
    return this.finish(start);
  }

  buildOne(spec: Spec, effect: FlagEffect): GeneratedCase {
    this.makeRegisters();
    this.makeFpu();
    const start = this.startAddress();
    this.append(spec, Uint8Array.from(spec.opcode), start, effect);
    return this.finish(start);
  }

  private finish(start: number): GeneratedCase {
    this.code.push(0xcc);
    this.record.writeBigUInt64LE(BigInt(start), CASE.rip);
    this.record.writeBigUInt64LE(BigInt(start), CASE.codeAddress);
    const room = Math.min(CASE.codeMax, CODE_BASE + CODE_BYTES - start);
    const code = this.code.slice(0, room);
    this.record.writeUInt32LE(code.length, CASE.codeLength);
    this.record.set(code, CASE.code);
    return { record: this.record, instructions: this.instructions };
  }

  // Mostly in the first page; now and then over the page boundary, or running into the unmapped page.
  private startAddress(): number {
    const kind = this.random.int(40);
    if (kind === 0) return CODE_BASE + CODE_BYTES - 1 - this.random.int(24);
    if (kind < 4) return CODE_BASE + PAGE - 1 - this.random.int(24);
    return CODE_BASE + this.random.int(PAGE);
  }

  private makeRegisters(): void {
    const random = this.random;
    for (let register = 0; register < 16; register++) {
      let value: bigint;
      const kind = random.int(10);
      if (register === RSP)
        value = BigInt(DATA_BASE + PAGE + (random.int(PAGE) & (random.chance(0.9) ? 0xff8 : 0xfff)));
      else if (kind < 4) value = BigInt(DATA_BASE + random.int(WRITABLE_BYTES));
      else if (kind === 4) value = BigInt(random.int(64));
      else value = BigInt.asUintN(this.wide ? 64 : 32, integer64(random));
      if (register >= 8 && !this.wide) value = 0n;
      else this.known.set(register, value);
      this.record.writeBigUInt64LE(value, CASE.gpr + register * 8);
    }
    // CF PF AF ZF SF OF, seldom DF and AC.
    const flags = (random.u32() & 0x8d5) | (random.chance(0.1) ? 0x400 : 0) | (random.chance(0.03) ? 0x40000 : 0);
    this.record.writeBigUInt64LE(BigInt(flags), CASE.rflags);
  }

  private makeFpu(): void {
    const random = this.random;
    const fpu = this.record.subarray(CASE.fpu);
    // Mostly the initial control word; else rounding and precision at random, seldom unmasked exceptions.
    const precision = random.pick([0, 0x200, 0x300]);
    const masks = random.chance(0.8) ? 0x3f : random.int(64);
    const control = random.chance(0.6) ? 0x37f : 0x40 | (random.u32() & 0xc00) | precision | masks;
    fpu.writeUInt16LE(control, 0);
    const top = random.int(8);
    const status = (top << 11) | (random.u32() & 0x4700) | (random.chance(0.7) ? 0 : random.u32() & control & 0x3f);
    fpu.writeUInt16LE(status, 2);
    fpu[4] = random.chance(0.7) ? 0xff : random.u32();
    for (let index = 0; index < 8; index++) float80(random, fpu, FPU_ST + index * 16);
    // MXCSR: default, or any rounding, DAZ, FTZ and flags; seldom unmasked exceptions.
    let mxcsr = 0x1f80;
    if (random.chance(0.5)) mxcsr = 0x1f80 | (random.u32() & 0x607f) | (random.chance(0.3) ? 0x8000 : 0);
    if (random.chance(0.1)) mxcsr &= ~(random.u32() & 0x1f80);
    fpu.writeUInt32LE(mxcsr, FPU_MXCSR);
    fillWithValues(random, fpu.subarray(FPU_XMM, FPU_XMM + 256));
    // As after VZEROUPPER, or in use.
    if (random.chance(0.7)) fillWithValues(random, this.record.subarray(CASE.ymm, CASE.ymm + YMM_BYTES));
  }

  private add(spec: Spec, start: number): void {
    const random = this.random;
    const size = random.pick(spec.sizes ?? [4]);
    for (const [register, choose] of Object.entries(spec.needs ?? {})) {
      this.addMove(Number(register), BigInt.asUintN(this.wide ? 64 : 32, choose(random)), start);
    }
    const address = start + this.code.length;
    const prefixes: number[] = [];
    const rexW = size === 8 && !spec.default64;
    const vexW = spec.vex?.w === undefined ? rexW : spec.vex.w === 1;
    if (size === 2 && spec.prefix !== 0x66) prefixes.push(0x66);
    if (spec.repeat && random.chance(0.7)) prefixes.push(random.pick(spec.repeat));
    let rexForced = this.wide && random.chance(0.1);
    const opcode = [...spec.opcode];
    if (spec.byteForm && size !== 1) opcode[opcode.length - 1]! += 1;

    const written: number[] = [...(spec.clobbers ?? [])];
    let reg: number | undefined;
    let rm: number | MemoryOperand | undefined;
    let opcodeRegister: number | undefined;
    let isMemory = false;
    const { modrm } = spec;
    if (modrm) {
      isMemory = modrm.memory !== null && (modrm.rm === null || random.chance(0.45));
      reg = typeof modrm.reg === "number" ? modrm.reg : this.pickRegister(modrm.reg, spec.writes?.includes("reg"));
      if (isMemory) {
        const bytes = modrm.memory || size;
        // A byte access through a register number of 4-7 without REX is another register: no matter here.
        rm = this.memoryOperand(bytes, modrm.aligned ?? false);
      } else {
        rm = this.pickRegister(modrm.rm ?? "r", spec.writes?.includes("rm"));
      }
      if (spec.writes?.includes("reg") && modrm.reg === "r") written.push(reg);
      if (spec.writes?.includes("rm") && typeof rm === "number" && modrm.rm === "r") written.push(rm);
    }
    if (spec.opcodeRegister) {
      opcodeRegister = this.pickRegister("r", spec.writes?.includes("opcode"));
      if (spec.writes?.includes("opcode")) written.push(opcodeRegister);
    }
    let vvvv: number | undefined;
    if (spec.vex?.vvvv) {
      vvvv = this.pickRegister(spec.vex.vvvv, spec.writes?.includes("vvvv"));
      if (spec.writes?.includes("vvvv") && spec.vex.vvvv === "r") written.push(vvvv);
    }
    // Without REX, byte registers 4-7 are AH-BH.
    if (size === 1 || modrm?.rmSize === 1) {
      for (const register of [...written]) if (register >= 4 && register < 8) written.push(register - 4);
    }
    if (spec.lock && isMemory ? random.chance(0.2) : spec.lock && random.chance(0.01)) prefixes.push(0xf0);
    if (!spec.plain && random.chance(0.03)) prefixes.push(random.pick([0x26, 0x2e, 0x36, 0x3e]));
    random.shuffle(prefixes);
    if (spec.prefix !== undefined) prefixes.push(spec.prefix);
    // A REX prefix that other prefixes follow is ignored.
    if (this.wide && !spec.plain && prefixes.length > 0 && random.chance(0.01)) prefixes.unshift(0x40 | random.int(16));

    const immediateBytes = immediateSize(spec, size);
    let immediate = this.immediate(immediateBytes);
    if (spec.immediateMax !== undefined) immediate %= BigInt(spec.immediateMax + 1);
    const parts = { prefixes, rexW, rexForced, opcode, immediate: littleEndian(immediate, immediateBytes) };
    if (spec.branch) {
      // To the next instruction: what it skips is decided by chance, and comes after.
      parts.immediate = littleEndian(0n, spec.branch === "relative8" ? 1 : 4);
      rexForced = false;
    }
    const vex = spec.vex && { ...spec.vex, w: vexW, vvvv: vvvv ?? 0 };
    const bytes = encode({ ...parts, rexForced, reg, rm, opcodeRegister, vex }, address);
    const effect = typeof spec.flags === "function" ? spec.flags({ size, immediate: Number(immediate) }) : spec.flags;
    this.append(spec, bytes, address, effect);
    for (const register of written) this.known.delete(register);
    if (spec.branch && random.chance(0.7)) this.addSkipped(bytes, spec.branch === "relative8" ? 1 : 4, start);
  }

  // The branch before gets an instruction to jump over: it leaves a mark in a register.
  private addSkipped(branch: Uint8Array, width: number, start: number): void {
    this.shadow = 1;
    const before = this.code.length;
    this.addMove(this.random.pick(this.wide ? [RAX, RCX, 8, 9] : [RAX, RCX]), integer64(this.random), start, false);
    const skipped = this.code.length - before;
    this.code.splice(before - width, width, ...littleEndian(BigInt(skipped), width));
    branch.set(littleEndian(BigInt(skipped), width), branch.length - width);
  }

  private addMove(register: number, value: bigint, start: number, certain = true): void {
    const bytes = encode(
      {
        prefixes: [],
        rexW: this.wide,
        rexForced: false,
        opcode: [0xb8],
        opcodeRegister: register,
        immediate: littleEndian(value, this.wide ? 8 : 4),
      },
      start + this.code.length,
    );
    this.append(MOVE, bytes, start + this.code.length, {});
    if (certain) this.known.set(register, BigInt.asUintN(this.wide ? 64 : 32, value));
    else this.known.delete(register);
  }

  private append(spec: Spec, bytes: Uint8Array, address: number, effect: FlagEffect = {}): void {
    const sure = this.shadow > 0 ? 0 : (effect.defines ?? 0);
    if (this.shadow > 0) this.shadow--;
    const complete = { defines: sure, undefines: effect.undefines ?? 0 };
    this.undefinedFlags = (this.undefinedFlags & ~complete.defines) | complete.undefines;
    this.instructions.push({ spec, bytes, address, effect: complete });
    this.code.push(...bytes);
  }

  private pickRegister(kind: "r" | "x" | "q", written = false): number {
    const random = this.random;
    if (kind === "q") return random.int(8);
    if (kind === "x") return !this.wide || random.chance(0.7) ? random.int(8) : random.int(16);
    for (let attempt = 0; attempt < 4; attempt++) {
      const register = random.int(this.wide ? 16 : 8);
      // Pointers stay whole mostly, so that later instructions have addresses.
      const value = this.known.get(register);
      const pointer = value !== undefined && value >= DATA_BASE && value < DATA_BASE + DATA_BYTES;
      if (written && (register === RSP || (pointer && random.chance(0.8)))) continue;
      return register;
    }
    return RAX;
  }

  private immediate(bytes: number): bigint {
    return BigInt.asUintN(64, integer64(this.random)) & ((1n << BigInt(8 * bytes)) - 1n);
  }

  private memoryOperand(bytes: number, aligned: boolean): MemoryOperand {
    const random = this.random;
    const target = this.target(bytes, aligned);
    const operand: MemoryOperand = {
      mod: 0,
      rm: 4,
      displacement: target,
      displacementBytes: 4,
      rexX: 0,
      rexB: 0,
      narrow: false,
      ripRelative: false,
    };
    // Sixteen bits reach the data only by FS and GS.
    if (!this.wide && random.chance(0.06)) return this.narrowOperand(target);
    let rest = target;
    const segment = random.int(20);
    if (segment === 0) {
      operand.segment = 0x64;
      rest -= FS_BASE;
    } else if (segment === 1) {
      operand.segment = 0x65;
      rest -= GS_BASE;
    } else {
      if (segment === 2) operand.segment = random.pick([0x26, 0x2e, 0x36, 0x3e]);
      // In 32-bit code the offset is absolute.
      if (random.chance(0.08)) return { ...operand, rm: 5, displacement: rest, ripRelative: this.wide };
    }
    operand.narrow = this.wide && random.chance(0.05) && operand.segment !== 0x64 && operand.segment !== 0x65;
    const usable = [...this.known].filter(([, value]) => {
      if (!this.wide) return true;
      const distance = BigInt.asIntN(64, BigInt(rest) - value);
      return distance >= -0x8000_0000n && distance < 0x8000_0000n;
    });
    const scale = random.int(4);
    const small = [...this.known].filter(([register, value]) => register !== RSP && value < 0x1000n);
    const index = random.chance(0.3) && small.length > 0 ? random.pick(small) : null;
    if (index) rest -= Number(index[1]) << scale;
    const base = random.chance(0.95) && usable.length > 0 ? random.pick(usable) : null;
    if (base) rest -= Number(BigInt.asIntN(64, base[1]));
    if (!this.wide) rest |= 0;
    else if (rest < -0x8000_0000 || rest > 0x7fff_ffff) rest = random.u32() | 0;
    operand.displacement = rest;
    const short = rest >= -128 && rest < 128 && random.chance(0.95);
    if (base) {
      const none = rest === 0 && (base[0] & 7) !== 5 && random.chance(0.9);
      operand.mod = none ? 0 : short ? 1 : 2;
      operand.displacementBytes = none ? 0 : short ? 1 : 4;
      operand.rexB = base[0] >> 3;
    }
    if (index || !base || (base[0] & 7) === 4 || random.chance(0.05)) {
      operand.sib = {
        scale: index ? scale : random.int(4),
        index: index ? index[0] & 7 : 4,
        base: base ? base[0] & 7 : 5,
      };
      operand.rexX = index ? index[0] >> 3 : 0;
    } else {
      operand.rm = base[0] & 7;
    }
    return operand;
  }

  // 16-bit addressing: BX or BP with SI or DI, one register, or an offset alone.
  private narrowOperand(target: number): MemoryOperand {
    const random = this.random;
    const segment = random.int(3);
    const rest = target - (segment === 0 ? FS_BASE : segment === 1 ? GS_BASE : 0);
    const form = random.int(9);
    const [rm, registers] = NARROW_FORMS[form]!;
    const sum = registers.reduce((total, register) => total + Number(this.known.get(register) ?? 0n), 0);
    const displacement = ((rest - sum) << 16) >> 16;
    const short = displacement >= -128 && displacement < 128;
    return {
      mod: form === 8 ? 0 : short ? 1 : 2,
      rm,
      displacement,
      displacementBytes: form === 8 || !short ? 2 : 1,
      rexX: 0,
      rexB: 0,
      narrow: true,
      ripRelative: false,
      ...(segment === 0 ? { segment: 0x64 } : segment === 1 ? { segment: 0x65 } : {}),
    };
  }

  // Where a memory operand lies: mostly aligned in the writable pages, else at the places where something special happens.
  private target(bytes: number, aligned: boolean): number {
    const random = this.random;
    const kind = random.int(100);
    const unit = aligned ? Math.max(16, bytes) : Math.min(16, bytes);
    if (kind < (aligned ? 88 : 70)) return DATA_BASE + random.int(WRITABLE_BYTES / unit) * unit;
    if (kind < 91) return DATA_BASE + random.int(WRITABLE_BYTES);
    if (kind < 94) return DATA_BASE + PAGE - random.int(Math.max(2, bytes));
    if (kind < 96) return DATA_BASE + WRITABLE_BYTES - random.int(Math.max(2, bytes));
    if (kind < 97) return DATA_BASE + WRITABLE_BYTES + random.int(PAGE);
    if (kind < 98) return DATA_BASE + DATA_BYTES - random.int(Math.max(2, bytes));
    if (kind < 99) return DATA_BASE - 1 - random.int(bytes + 8);
    return random.u32() | 0;
  }
}

/** rm, and the registers that it adds; the last is an offset alone. */
const NARROW_FORMS: readonly (readonly [number, readonly number[]])[] = [
  [0, [3, 6]],
  [1, [3, 7]],
  [2, [5, 6]],
  [3, [5, 7]],
  [4, [6]],
  [5, [7]],
  [6, [5]],
  [7, [3]],
  [6, []],
];

const MOVE: Spec = { name: "mov", opcode: [0xb8] };

function immediateSize(spec: Spec, size: number): number {
  if (spec.immediate === "z") return size === 1 ? 1 : size === 2 ? 2 : 4;
  if (spec.immediate === "v") return size;
  return spec.immediate ?? 0;
}

function pickWeighted(random: Random, table: readonly Spec[], totalWeight: number): Spec {
  let left = random.int(totalWeight * 16) / 16;
  for (const spec of table) {
    left -= spec.weight ?? 1;
    if (left < 0) return spec;
  }
  return table[table.length - 1]!;
}
