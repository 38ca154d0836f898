/**
 * What all translations of instructions share: the locals of a region's function, registers, flags, memory accesses and
 * the ways out. The order within an instruction is the core's: accesses first (each may leave the region before the
 * instruction), then registers and flags.
 */
import * as L from "../layout.js";
import type { Instruction } from "./instruction.js";
import { ARITHMETIC, F_EA_SPECIAL, TLB_ADDEND, TLB_READ, TLB_WRITE } from "./operations.js";
import {
  IMPORT_CALL,
  IMPORT_CARRY,
  IMPORT_CONDITION,
  IMPORT_EXECUTE,
  IMPORT_READ,
  IMPORT_WRITE,
} from "./region-module.js";
import { VectorFacts } from "./vector-facts.js";
import { type Label, WasmCode } from "./wasm-code.js";
import * as W from "./wasm-opcodes.js";
import { V128_LOAD, V128_STORE, v128 } from "./wasm-simd.js";

// ---- Locals. Parameters first: the state block, and RIP at the entry.
export const CPU = 0;
export const BASE = 1;
export const TLB = 2;
export const ENTRY = 3;
/** Where the last access that `access` made is in wasm memory. */
export const HOST = 4;
export const CC_OP = 5;
/** What the function answers: 0 RIP is the next block's, 1 left before an instruction. */
export const STATUS = 6;
export const I32_A = 7;
export const I32_B = 8;
export const I32_C = 9;
export const REMAINING = 10;
export const RIP = 11;
export const CC_RESULT = 12;
export const CC_SRC1 = 13;
export const CC_SRC2 = 14;
/** The linear address of the last access. */
export const LINEAR = 15;
export const I64_A = 16;
export const I64_B = 17;
export const I64_C = 18;
export const I64_D = 19;
export const GPR = 20;
export const F64_A = 36;
export const F64_B = 37;
export const F64_C = 38;
export const F32_A = 39;
export const F32_B = 40;
export const F32_C = 41;
export const XMM = 42;
/** The upper halves of YMM registers. */
export const YMM_HIGH = 58;
export const V128_A = 74;
export const V128_B = 75;
export const V128_C = 76;
export const V128_D = 77;
export const V128_E = 78;
export const V128_F = 79;

const LOCAL_GROUPS: readonly (readonly [count: number, type: number])[] = [
  [8, W.TYPE_I32],
  [26, W.TYPE_I64],
  [3, W.TYPE_F64],
  [3, W.TYPE_F32],
];
const VECTOR_LOCALS = 38;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

/** Kinds of flags that only a region has: the core gets flags of these in RFLAGS. CC_SRC1 and CC_SRC2 are compared doubles. */
export const CC_FLOAT = 8;
/** CC_SRC1 has the flags as RFLAGS has them. */
export const CC_BITS = 9;

/** How the arithmetic flags follow from CC_RESULT, CC_SRC1 and CC_SRC2: as CC_OP says, known when translating. */
export interface StaticFlags {
  /** CC_* of core/flags.ts, or of this file. */
  readonly kind: number;
  /** Log2 of the operand size in bytes. */
  readonly log: number;
  /** A sum without a carry in. */
  readonly plain?: boolean;
}

/** Registers by number, one bit each: general, vector, and upper halves of YMM. */
export interface RegisterSets {
  readonly used: number;
  readonly written: number;
  readonly vectorsUsed: number;
  readonly vectorsWritten: number;
  readonly highUsed: number;
  readonly highWritten: number;
  /** Whether flags of kinds that only a region has are anywhere. */
  readonly ownFlags: boolean;
}

/** Thrown where a region cannot be translated. */
export class Untranslatable extends Error {}

export class Emitter implements RegisterSets {
  readonly code = new WasmCode();
  /** Registers used and written, bits by number: general, then vector, then upper halves. */
  used = 0;
  written = 0;
  vectorsUsed = 0;
  vectorsWritten = 0;
  highUsed = 0;
  highWritten = 0;
  usesVectors = false;
  /** What is known of the flags here; null: CC_OP knows. */
  flags: StaticFlags | null = null;
  ownFlags = false;
  /** Whether what the whole region uses has to be known before it is written. */
  get needsSets(): boolean {
    return this.callOuts > 0 || this.zeroesHigh;
  }
  private zeroesHigh = false;
  /** What is known of vector registers and MXCSR here. */
  facts = new VectorFacts();
  /** Whether somebody may look at the flags that the instruction under way sets. */
  flagsLive = true;
  /** Offset of the block under way from the region's entry. */
  blockOffset = 0;
  /** Offset in the body, and the instruction whose code starts there, with its offset from the region's entry. */
  readonly marks: { readonly at: number; readonly rec: number; readonly offset: number }[] = [];
  /** Instructions that the core executes. */
  callOuts = 0;
  private exitLabel: Label = 0;
  private leaveLabel: Label = 0;

  /**
   * @param truncates addresses are 32 bits wide
   * @param sets the registers that the whole region uses, as an emitter of the same code found them; a region without
   * call-outs needs none
   */
  constructor(
    readonly truncates: boolean,
    private readonly sets: RegisterSets | null,
  ) {}

  // ---- The function around the code.

  /** Opens the blocks that the ways out branch to. */
  begin(): void {
    this.leaveLabel = this.code.block();
    this.exitLabel = this.code.block();
  }

  /** What the region uses, for writing it again. */
  get foundSets(): RegisterSets {
    const { used, written, vectorsUsed, vectorsWritten, highUsed, ownFlags } = this;
    const highWritten = this.zeroesHigh ? highUsed : this.highWritten;
    return { used, written, vectorsUsed, vectorsWritten, highUsed, highWritten, ownFlags };
  }

  /** Closes them, and answers the function's body. The code must not fall through its end. */
  finish(): { body: Uint8Array; codeOffset: number } {
    const { code } = this;
    code.op(W.UNREACHABLE);
    code.end();
    code.get(CPU);
    code.get(RIP);
    code.memory(W.I64_STORE, L.RIP);
    code.get(CPU);
    code.get(REMAINING);
    code.memory(W.I64_STORE, L.REMAINING);
    code.i32(0);
    code.set(STATUS);
    // Only those that left before an instruction come here with STATUS 1: it is set where they branch from.
    code.end();
    this.storeRegisters(this.written, this.vectorsWritten, this.highWritten);
    this.storeFlags();
    code.get(STATUS);
    code.op(W.END);

    const head = new WasmCode();
    const groups = this.usesVectors ? [...LOCAL_GROUPS, [VECTOR_LOCALS, W.TYPE_V128] as const] : LOCAL_GROUPS;
    head.unsigned(groups.length);
    for (const [count, type] of groups) {
      head.unsigned(count);
      head.byte(type);
    }
    const load = (opcode: number, offset: number, local: number) => {
      head.get(CPU);
      head.memory(opcode, offset);
      head.set(local);
    };
    load(W.I32_LOAD, L.TLB, TLB);
    load(W.I64_LOAD, L.REMAINING, REMAINING);
    load(W.I32_LOAD, L.CC_OP, CC_OP);
    load(W.I64_LOAD, L.CC_RESULT, CC_RESULT);
    load(W.I64_LOAD, L.CC_SRC1, CC_SRC1);
    load(W.I64_LOAD, L.CC_SRC2, CC_SRC2);
    this.loadRegisters(head, this.used, this.vectorsUsed, this.highUsed);
    const codeOffset = head.length;
    head.append(code.finish());
    return { body: head.finish(), codeOffset };
  }

  /** The code of an instruction starts here. */
  mark(i: Instruction): void {
    this.marks.push({ at: this.code.length, rec: i.rec, offset: this.blockOffset + i.ipOffset });
  }

  // ---- General registers, by their offsets in the state block (AH is RAX + 1).

  /** The local of a general register that is read. */
  gpr(number: number): number {
    this.used |= 1 << number;
    return GPR + number;
  }

  /** The local of a general register that is written. */
  gprWritten(number: number): number {
    this.used |= 1 << number;
    this.written |= 1 << number;
    return GPR + number;
  }

  /** Pushes a register of `size` bytes: an i64 where it has 8, else an i32 with zeros above it. */
  pushRegister(at: number, size: number): void {
    const { code } = this;
    code.get(this.gpr(at >> 3));
    if (size === 8) return;
    code.op(W.I32_WRAP_I64);
    if (size === 2) {
      code.i32(0xffff);
      code.op(W.I32_AND);
    } else if (size === 1) {
      if ((at & 7) !== 0) {
        code.i32(8);
        code.op(W.I32_SHR_U);
      }
      code.i32(0xff);
      code.op(W.I32_AND);
    }
  }

  /** Pops what pushRegister pushes into a register. Smaller values must have zeros above them. */
  popRegister(at: number, size: number): void {
    const { code } = this;
    const local = this.gprWritten(at >> 3);
    if (size === 8) {
      code.set(local);
      return;
    }
    code.op(W.I64_EXTEND_I32_U);
    if (size === 4) {
      code.set(local);
      return;
    }
    const shift = (at & 7) !== 0 ? 8 : 0;
    if (shift !== 0) {
      code.i64(shift);
      code.op(W.I64_SHL);
    }
    code.get(local);
    code.i64(size === 2 ? -0x10000 : shift !== 0 ? -0xff01 : -0x100);
    code.op(W.I64_AND, W.I64_OR);
    code.set(local);
  }

  /** Pushes a constant as pushRegister pushes a register. */
  pushConstant(value: number | bigint, size: number): void {
    if (size === 8) this.code.i64(value);
    else {
      const low = Number(BigInt.asIntN(32, BigInt(value)));
      this.code.i32(size === 4 ? low : low & (size === 2 ? 0xffff : 0xff));
    }
  }

  /** From what pushRegister pushes to an i64. */
  widen(size: number): void {
    if (size !== 8) this.code.op(W.I64_EXTEND_I32_U);
  }

  /** The other way. */
  narrow(size: number): void {
    if (size !== 8) this.code.op(W.I32_WRAP_I64);
  }

  /** Clears what is above `size` bytes. */
  mask(size: number): void {
    if (size >= 4) return;
    this.code.i32(size === 2 ? 0xffff : 0xff);
    this.code.op(W.I32_AND);
  }

  // ---- Vector registers.

  /** The local of XMM `number` that is read. */
  xmm(number: number): number {
    this.usesVectors = true;
    this.vectorsUsed |= 1 << number;
    return XMM + number;
  }

  xmmWritten(number: number): number {
    this.usesVectors = true;
    this.facts.forget(number);
    this.vectorsUsed |= 1 << number;
    this.vectorsWritten |= 1 << number;
    return XMM + number;
  }

  /** The local of the upper half of YMM `number` that is read. */
  ymmHigh(number: number): number {
    this.usesVectors = true;
    this.highUsed |= 1 << number;
    return YMM_HIGH + number;
  }

  ymmHighWritten(number: number): number {
    this.usesVectors = true;
    this.highUsed |= 1 << number;
    this.highWritten |= 1 << number;
    return YMM_HIGH + number;
  }

  /** Clears the upper halves of the first registers: in the state block, and in locals where the region has them. */
  zeroUpperHalves(count: number): void {
    const { code } = this;
    this.usesVectors = true;
    this.zeroesHigh = true;
    const inLocals = this.sets?.highUsed ?? 0;
    for (let n = 0; n < count; n++) {
      if (((inLocals >> n) & 1) === 0) code.get(CPU);
      v128(code, 0n, 0n);
      if (((inLocals >> n) & 1) !== 0) code.set(this.ymmHighWritten(n));
      else code.simdMemory(V128_STORE, L.XMM + n * 32 + 16);
    }
  }

  /** A local for intermediate vectors. */
  temporary(local: number): number {
    this.usesVectors = true;
    return local;
  }

  private storeRegisters(written: number, vectors: number, high: number): void {
    const { code } = this;
    for (let n = 0; n < 16; n++) {
      if ((written >> n) & 1) {
        code.get(CPU);
        code.get(GPR + n);
        code.memory(W.I64_STORE, L.GPR + n * 8);
      }
      if ((vectors >> n) & 1) {
        code.get(CPU);
        code.get(XMM + n);
        code.simdMemory(V128_STORE, L.XMM + n * 32);
      }
      if ((high >> n) & 1) {
        code.get(CPU);
        code.get(YMM_HIGH + n);
        code.simdMemory(V128_STORE, L.XMM + n * 32 + 16);
      }
    }
  }

  private loadRegisters(code: WasmCode, used: number, vectors: number, high: number): void {
    for (let n = 0; n < 16; n++) {
      if ((used >> n) & 1) {
        code.get(CPU);
        code.memory(W.I64_LOAD, L.GPR + n * 8);
        code.set(GPR + n);
      }
      if ((vectors >> n) & 1) {
        code.get(CPU);
        code.simdMemory(V128_LOAD, L.XMM + n * 32);
        code.set(XMM + n);
      }
      if ((high >> n) & 1) {
        code.get(CPU);
        code.simdMemory(V128_LOAD, L.XMM + n * 32 + 16);
        code.set(YMM_HIGH + n);
      }
    }
  }

  // ---- Flags.

  /** The flags follow from CC_RESULT, CC_SRC1 and CC_SRC2 in this way from here on. */
  setFlags(flags: StaticFlags): void {
    this.flags = flags;
    if (flags.kind >= CC_FLOAT) this.ownFlags = true;
    this.code.i32((flags.kind << 2) | flags.log);
    this.code.set(CC_OP);
  }

  storeFlags(): void {
    const { code } = this;
    if ((this.sets ?? this).ownFlags || this.sets === null) this.settleOwnFlags();
    code.get(CPU);
    code.get(CC_RESULT);
    code.memory(W.I64_STORE, L.CC_RESULT);
    code.get(CPU);
    code.get(CC_SRC1);
    code.memory(W.I64_STORE, L.CC_SRC1);
    code.get(CPU);
    code.get(CC_SRC2);
    code.memory(W.I64_STORE, L.CC_SRC2);
    code.get(CPU);
    code.get(CC_OP);
    code.memory(W.I32_STORE, L.CC_OP);
  }

  // The core knows CC_FLOAT and CC_BITS as flags that are in RFLAGS.
  private settleOwnFlags(): void {
    const { code } = this;
    code.get(CC_OP);
    code.i32(CC_FLOAT << 2);
    code.op(W.I32_GE_U);
    code.if();
    code.get(CC_OP);
    code.i32(CC_FLOAT << 2);
    code.op(W.I32_EQ);
    code.if();
    this.pushFloatFlags();
    code.op(W.I64_EXTEND_I32_U);
    code.set(CC_SRC1);
    code.end();
    code.get(CPU);
    code.get(CPU);
    code.memory(W.I64_LOAD, L.RFLAGS);
    code.i64(-1 - ARITHMETIC);
    code.op(W.I64_AND);
    code.get(CC_SRC1);
    code.op(W.I64_OR);
    code.memory(W.I64_STORE, L.RFLAGS);
    code.i32(0);
    code.set(CC_OP);
    code.end();
  }

  // Pushes the flags after a comparison of the doubles in CC_SRC1 and CC_SRC2, as an i32.
  private pushFloatFlags(): void {
    const { code } = this;
    const compare = (opcode: number) => {
      for (const local of [CC_SRC1, CC_SRC2]) {
        code.get(local);
        code.op(W.F64_REINTERPRET_I64);
      }
      code.op(opcode);
    };
    // CF: less or unordered.
    compare(W.F64_GE);
    code.op(W.I32_EQZ);
    // ZF: equal or unordered.
    compare(W.F64_LT);
    compare(W.F64_GT);
    code.op(W.I32_OR, W.I32_EQZ);
    code.i32(6);
    code.op(W.I32_SHL, W.I32_OR);
    // PF: unordered.
    compare(W.F64_LT);
    compare(W.F64_GE);
    code.op(W.I32_OR, W.I32_EQZ);
    code.i32(2);
    code.op(W.I32_SHL, W.I32_OR);
  }

  private loadFlags(): void {
    const { code } = this;
    for (const [opcode, offset, local] of [
      [W.I64_LOAD, L.CC_RESULT, CC_RESULT],
      [W.I64_LOAD, L.CC_SRC1, CC_SRC1],
      [W.I64_LOAD, L.CC_SRC2, CC_SRC2],
      [W.I32_LOAD, L.CC_OP, CC_OP],
    ]) {
      code.get(CPU);
      code.memory(opcode, offset);
      code.set(local);
    }
  }

  /** Pushes a condition that only CC_OP knows, as an i32. */
  dynamicCondition(condition: number): void {
    this.storeFlags();
    this.code.get(CPU);
    this.code.i32(condition);
    this.code.call(IMPORT_CONDITION);
  }

  /** Pushes a carry that only CC_OP knows, as an i32. */
  dynamicCarry(): void {
    this.storeFlags();
    this.code.get(CPU);
    this.code.call(IMPORT_CARRY);
  }

  // ---- Memory.

  /** Leaves the linear address of the instruction's memory operand in LINEAR. */
  address(i: Instruction): void {
    this.pushAddress(i);
    this.code.set(LINEAR);
  }

  private pushAddress(i: Instruction): void {
    const { code } = this;
    this.pushOffset(i);
    // Outside 64-bit mode only flat segments come here.
    if (this.truncates || (i.flags & F_EA_SPECIAL) === 0) return;
    if (i.addressSize === 4) {
      code.i64(0xffffffff);
      code.op(W.I64_AND);
    }
    if (i.segment === L.FS || i.segment === L.GS) {
      code.get(CPU);
      code.memory(W.I64_LOAD, L.SEGMENTS + i.segment * L.SEG_BYTES + L.SEG_BASE);
      code.op(W.I64_ADD);
    }
  }

  /** Pushes base + index << scale + displacement, truncated where addresses are 32 bits wide. */
  pushOffset(i: Instruction): void {
    const { code } = this;
    let constant = i.displacement;
    let terms = 0;
    if (i.base === L.BLOCK_RIP) {
      code.get(BASE);
      constant += this.blockOffset;
      terms = 1;
    } else if (i.base < L.ZERO) {
      code.get(this.gpr(i.base >> 3));
      terms = 1;
    }
    if (i.index < L.ZERO) {
      code.get(this.gpr(i.index >> 3));
      if (i.scale !== 0) {
        code.i64(i.scale);
        code.op(W.I64_SHL);
      }
      if (terms === 1) code.op(W.I64_ADD);
      terms = 1;
    }
    if (terms === 0) code.i64(constant);
    else if (constant !== 0) {
      code.i64(constant);
      code.op(W.I64_ADD);
    }
    if (this.truncates) {
      code.i64(0xffffffff);
      code.op(W.I64_AND);
    }
  }

  /** Accesses the instruction's memory operand: HOST is where it is. Leaves the region where that is not to be had. */
  accessOperand(i: Instruction, size: number, write: boolean): void {
    this.address(i);
    this.access(i, size, write);
  }

  /** From a linear address to the address of its entry in the TLB. */
  pushTlbEntry(): void {
    const { code } = this;
    code.i64(7);
    code.op(W.I64_SHR_U, W.I32_WRAP_I64);
    code.i32((L.TLB_ENTRIES - 1) * L.TLB_ENTRY_BYTES);
    code.op(W.I32_AND);
    code.get(TLB);
    code.op(W.I32_ADD);
  }

  /** Accesses `size` bytes at LINEAR: HOST is where they are. */
  access(i: Instruction, size: number, write: boolean): void {
    const { code } = this;
    code.get(LINEAR);
    this.pushTlbEntry();
    code.tee(ENTRY);
    code.memory(W.I64_LOAD, write ? TLB_WRITE : TLB_READ);
    code.get(LINEAR);
    if (size > 1) {
      code.i64(size - 1);
      code.op(W.I64_ADD);
    }
    code.i64(-0x1000);
    code.op(W.I64_AND, W.I64_NE);
    code.if();
    code.get(CPU);
    code.get(LINEAR);
    code.i32(size);
    code.i32(i.rec);
    this.pushBlockRip();
    code.get(REMAINING);
    code.call(write ? IMPORT_WRITE : IMPORT_READ);
    code.tee(HOST);
    code.op(W.I32_EQZ);
    this.leaveIf();
    code.else();
    code.get(LINEAR);
    code.op(W.I32_WRAP_I64);
    code.get(ENTRY);
    code.memory(W.I32_LOAD, TLB_ADDEND);
    code.op(W.I32_ADD);
    code.set(HOST);
    code.end();
  }

  /** Pushes `size` bytes at HOST as pushRegister does. */
  load(size: number): void {
    this.code.get(HOST);
    this.code.memory(
      size === 8 ? W.I64_LOAD : size === 4 ? W.I32_LOAD : size === 2 ? W.I32_LOAD16_U : W.I32_LOAD8_U,
      0,
    );
  }

  /** Stores at HOST what `push` pushes. */
  store(size: number, push: () => void): void {
    this.code.get(HOST);
    push();
    this.code.memory(
      size === 8 ? W.I64_STORE : size === 4 ? W.I32_STORE : size === 2 ? W.I32_STORE16 : W.I32_STORE8,
      0,
    );
  }

  private pushBlockRip(): void {
    this.pushRip(this.blockOffset);
  }

  /** Pushes the RIP at an offset from the region's entry. */
  pushRip(offset: number): void {
    const { code } = this;
    code.get(BASE);
    if (offset !== 0) {
      code.i64(offset);
      code.op(W.I64_ADD);
    }
    if (this.truncates) {
      code.i64(0xffffffff);
      code.op(W.I64_AND);
    }
  }

  // ---- Ways out.

  // Pops a condition: whether a guarded call has left CUR_REC, BLOCK_RIP and REMAINING for the run loop.
  private leaveIf(): void {
    const { code } = this;
    code.i32(1);
    code.set(STATUS);
    code.brIf(this.leaveLabel);
  }

  /** Leaves before an instruction: the interpreter does it. */
  leaveBefore(i: Instruction): void {
    const { code } = this;
    code.get(CPU);
    code.i32(i.rec);
    code.memory(W.I32_STORE, L.CUR_REC);
    code.get(CPU);
    this.pushBlockRip();
    code.memory(W.I64_STORE, L.BLOCK_RIP);
    code.get(CPU);
    code.get(REMAINING);
    code.memory(W.I64_STORE, L.REMAINING);
    code.i32(1);
    code.set(STATUS);
    code.br(this.leaveLabel);
  }

  /** Leaves with RIP: the next block is not the region's. */
  exit(): void {
    this.code.br(this.exitLabel);
  }

  // Everything that is in locals goes to the state block, for who runs in between.
  private spill(): void {
    const sets: RegisterSets = this.sets ?? this;
    this.callOuts++;
    this.storeRegisters(sets.written, sets.vectorsWritten, sets.highWritten);
    this.storeFlags();
  }

  // It comes back, and nothing is known of it any more.
  private refill(): void {
    const sets: RegisterSets = this.sets ?? this;
    this.loadRegisters(this.code, sets.used, sets.vectorsUsed, sets.highUsed);
    this.loadFlags();
    this.flags = null;
    this.facts = this.facts.join();
  }

  /** Lets the core execute an instruction that is not translated. */
  callOut(i: Instruction): void {
    const { code } = this;
    this.spill();
    code.get(CPU);
    code.i32(i.rec);
    this.pushBlockRip();
    code.get(REMAINING);
    code.call(IMPORT_EXECUTE);
    code.set(I32_A);
    // Also where it leaves: the state block is newer than the locals.
    this.refill();
    code.get(I32_A);
    this.leaveIf();
    code.get(CPU);
    code.memory(W.I32_LOAD, L.TLB);
    code.set(TLB);
  }

  /** Calls other code, RIP being its address, and goes on at an offset when it returns there; else the region ends. */
  callRegion(back: number): void {
    const { code } = this;
    this.spill();
    code.get(CPU);
    code.get(RIP);
    code.memory(W.I64_STORE, L.RIP);
    code.get(CPU);
    code.get(REMAINING);
    code.memory(W.I64_STORE, L.REMAINING);
    code.get(CPU);
    this.pushRip(back);
    code.call(IMPORT_CALL);
    code.tee(I32_A);
    code.if();
    // The state block is newer than the locals.
    code.get(I32_A);
    code.i32(1);
    code.op(W.I32_AND, W.RETURN);
    code.end();
    this.refill();
    code.get(CPU);
    code.memory(W.I64_LOAD, L.REMAINING);
    code.set(REMAINING);
  }
}
