/** Operands of vector instructions, in SSE's encoding and in VEX's. The registers of both are locals of 128 bits. */
import * as L from "../layout.js";
import { CPU, type Emitter, HOST, LINEAR, V128_A, V128_B, V128_F } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import { AVX_256, F_MODREG, OPS_AVX } from "./operations.js";
import * as W from "./wasm-opcodes.js";
import * as S from "./wasm-simd.js";

export const isRegister = (i: Instruction) => (i.flags & F_MODREG) !== 0;
export const isVex = (i: Instruction) => i.op >= OPS_AVX;
/** Of 256 bits. */
export const isWide = (i: Instruction) => isVex(i) && (i.aux & AVX_256) !== 0;
/** The register of the first source operand, which SSE's instructions overwrite. */
export const firstSource = (i: Instruction) => (isVex(i) ? i.aux & 15 : i.reg);
export const immediate8 = (i: Instruction) => i.immLow & 0xff;

/** Locals of an operand's halves; the upper one counts in instructions of 256 bits. */
export interface Halves {
  readonly low: number;
  readonly high: number;
}

/** Leaves before the instruction where it would raise #NM or #UD for CR0, CR4 or XCR0. */
export function checkUsable(e: Emitter, i: Instruction): void {
  const vex = isVex(i);
  if (vex ? e.facts.avx : e.facts.sse) return;
  const { code } = e;
  code.get(CPU);
  code.memory(W.I32_LOAD, vex ? L.AVX_BLOCKED : L.SSE_BLOCKED);
  code.if();
  e.leaveBefore(i);
  code.end();
  if (vex) e.facts.avx = true;
  else e.facts.sse = true;
}

/** Finds `size` bytes of the memory operand: HOST. `aligned`: leaves before the instruction where they are not. */
export function accessMemory(e: Emitter, i: Instruction, size: number, write: boolean, aligned: boolean): void {
  e.address(i);
  if (aligned) {
    const { code } = e;
    code.get(LINEAR);
    code.op(W.I32_WRAP_I64);
    code.i32(size - 1);
    code.op(W.I32_AND);
    code.if();
    e.leaveBefore(i);
    code.end();
  }
  e.access(i, size, write);
}

/** Pushes a vector at HOST: a load instruction for its first bytes. */
export function loadVector(e: Emitter, opcode: number, offset = 0): void {
  e.code.get(HOST);
  e.code.simdMemory(opcode, offset);
  e.temporary(V128_A);
}

/** Stores a local of 128 bits at HOST. */
export function storeVector(e: Emitter, local: number, offset = 0): void {
  e.code.get(HOST);
  e.code.get(local);
  e.code.simdMemory(S.V128_STORE, offset);
}

/** The rm operand of the instruction's whole width. Memory has to be aligned for SSE. */
export function source(e: Emitter, i: Instruction, aligned = !isVex(i)): Halves {
  const wide = isWide(i);
  if (isRegister(i)) return { low: e.xmm(i.rm), high: wide ? e.ymmHigh(i.rm) : -1 };
  accessMemory(e, i, wide ? 32 : 16, false, aligned);
  loadVector(e, S.V128_LOAD);
  e.code.set(e.temporary(V128_A));
  if (wide) {
    loadVector(e, S.V128_LOAD, 16);
    e.code.set(e.temporary(V128_B));
  }
  return { low: V128_A, high: V128_B };
}

/** The rm operand: a register's low half, or `size` bytes (2, 4, 8 or 16) of memory with zeros above them. */
export function sourceLow(e: Emitter, i: Instruction, size: number): number {
  if (isRegister(i)) return e.xmm(i.rm);
  accessMemory(e, i, size, false, false);
  if (size === 2) {
    e.code.i32(0);
    e.code.simd(S.I32X4_SPLAT);
    e.load(2);
    e.code.simdLane(S.I16X8_REPLACE, 0);
  } else loadVector(e, size === 4 ? S.V128_LOAD32_ZERO : size === 8 ? S.V128_LOAD64_ZERO : S.V128_LOAD);
  e.code.set(e.temporary(V128_A));
  return V128_A;
}

/** Pushes zero. */
export function pushZero(e: Emitter): void {
  e.temporary(V128_A);
  S.v128(e.code, 0n, 0n);
}

/** Clears the upper half of a register, as results of 128 bits in VEX encoding do. */
export function clearHigh(e: Emitter, number: number): void {
  pushZero(e);
  e.code.set(e.ymmHighWritten(number));
}

/** Pops a result of 128 bits into a register. */
export function popResult(e: Emitter, i: Instruction, number = i.reg): void {
  e.code.set(e.xmmWritten(number));
  if (isVex(i)) clearHigh(e, number);
}

/** Emits code that pushes one lane of a result from the lanes of the sources, which are locals. */
export type Lane = (first: number, second: number, lane: number) => void;

/**
 * A result of the instruction's whole width, lane by lane, into the reg operand.
 * @param mayLeave the code of a lane may leave before the instruction
 */
export function eachLane(e: Emitter, i: Instruction, second: Halves, lane: Lane, mayLeave = false): void {
  const first = firstSource(i);
  const { code } = e;
  lane(e.xmm(first), second.low, 0);
  if (!isWide(i)) {
    popResult(e, i);
    return;
  }
  if (!mayLeave) {
    code.set(e.xmmWritten(i.reg));
    lane(e.ymmHigh(first), second.high, 1);
    code.set(e.ymmHighWritten(i.reg));
    return;
  }
  code.set(e.temporary(V128_F));
  lane(e.ymmHigh(first), second.high, 1);
  code.set(e.ymmHighWritten(i.reg));
  code.get(V128_F);
  code.set(e.xmmWritten(i.reg));
}
