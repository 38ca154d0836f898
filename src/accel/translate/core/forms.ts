// The forms of hot operations, inlined into the main loop's cases: register and memory operands of a size T.
// In a memory form all that may fault comes before the first change.
import { GPR, TLB } from "../layout";
import { CMP, alu, decrement, increment, logic, put } from "./alu";
import { eaSized } from "./ea";
import { CC_SUB, condition, setLazy, sizeLog } from "./flags";
import { read8, read16, read32, read64, TLB_ADDEND, TLB_WRITE, tlbEntry, write8, write16, write32, write64 } from "./memory";
import { slowReadForWrite, slowWrite } from "./mmu";
import { REC_IMM, REC_REG, REC_RM } from "./record";

export const RDX: usize = GPR + 2 * 8;
export const RSP: usize = GPR + 4 * 8;
export const RBP: usize = GPR + 5 * 8;

// ---- Operands.

// @ts-ignore: decorator
@inline
export function regAt(cpu: usize, rec: usize): usize {
  return cpu + load<u8>(rec, REC_REG);
}
// @ts-ignore: decorator
@inline
export function rmAt(cpu: usize, rec: usize): usize {
  return cpu + load<u8>(rec, REC_RM);
}
// @ts-ignore: decorator
@inline
export function reg<T>(cpu: usize, rec: usize): T {
  return load<T>(regAt(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function rm<T>(cpu: usize, rec: usize): T {
  return load<T>(rmAt(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function putRm<T>(cpu: usize, rec: usize, value: T): void {
  put<T>(rmAt(cpu, rec), value);
}
/** The memory operand, read. */
// @ts-ignore: decorator
@inline
export function mem<T>(cpu: usize, rec: usize): T {
  const linear = eaSized(cpu, rec, sizeof<T>(), 0);
  if (sizeof<T>() == 1) return <T>read8(cpu, linear);
  if (sizeof<T>() == 2) return <T>read16(cpu, linear);
  if (sizeof<T>() == 4) return <T>read32(cpu, linear);
  return <T>read64(cpu, linear);
}
// @ts-ignore: decorator
@inline
export function putMem<T>(cpu: usize, rec: usize, value: T): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  if (sizeof<T>() == 1) write8(cpu, linear, <u8>value);
  else if (sizeof<T>() == 2) write16(cpu, linear, <u16>value);
  else if (sizeof<T>() == 4) write32(cpu, linear, <u32>value);
  else write64(cpu, linear, <u64>value);
}
/** Where the operand lies in wasm memory if it may simply be written there, else 0. */
// @ts-ignore: decorator
@inline
function writable<T>(cpu: usize, linear: u64): usize {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (((linear + (sizeof<T>() - 1)) & ~0xfff) != load<u64>(entry, TLB_WRITE)) return 0;
  return <usize>linear + load<u32>(entry, TLB_ADDEND);
}

// ---- Arithmetic.

// @ts-ignore: decorator
@inline
export function aluRR<T>(cpu: usize, rec: usize, kind: u32): void {
  putRm<T>(cpu, rec, alu<T>(cpu, kind, rm<T>(cpu, rec), reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
export function aluRM<T>(cpu: usize, rec: usize, kind: u32): void {
  const b = mem<T>(cpu, rec);
  put<T>(regAt(cpu, rec), alu<T>(cpu, kind, reg<T>(cpu, rec), b));
}
// @ts-ignore: decorator
@inline
export function aluRI<T>(cpu: usize, rec: usize, kind: u32): void {
  putRm<T>(cpu, rec, alu<T>(cpu, kind, rm<T>(cpu, rec), load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
export function aluMR<T>(cpu: usize, rec: usize, kind: u32): void {
  modify<T>(cpu, rec, kind, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function aluMI<T>(cpu: usize, rec: usize, kind: u32): void {
  modify<T>(cpu, rec, kind, load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
function modify<T>(cpu: usize, rec: usize, kind: u32, b: T): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const at = writable<T>(cpu, linear);
  if (at != 0) store<T>(at, alu<T>(cpu, kind, load<T>(at), b));
  else modifySlow<T>(cpu, linear, kind, b);
}
function modifySlow<T>(cpu: usize, linear: u64, kind: u32, b: T): void {
  const a = <T>slowReadForWrite(cpu, linear, sizeof<T>());
  slowWrite(cpu, linear, sizeof<T>(), <u64>alu<T>(cpu, kind, a, b), 0);
}
// @ts-ignore: decorator
@inline
export function incM<T>(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const at = writable<T>(cpu, linear);
  if (at != 0) store<T>(at, increment<T>(cpu, load<T>(at)));
  else stepSlow<T>(cpu, linear, true);
}
// @ts-ignore: decorator
@inline
export function decM<T>(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const at = writable<T>(cpu, linear);
  if (at != 0) store<T>(at, decrement<T>(cpu, load<T>(at)));
  else stepSlow<T>(cpu, linear, false);
}
function stepSlow<T>(cpu: usize, linear: u64, up: bool): void {
  const a = <T>slowReadForWrite(cpu, linear, sizeof<T>());
  slowWrite(cpu, linear, sizeof<T>(), <u64>(up ? increment<T>(cpu, a) : decrement<T>(cpu, a)), 0);
}
// @ts-ignore: decorator
@inline
export function compareRR<T>(cpu: usize, rec: usize): void {
  alu<T>(cpu, CMP, rm<T>(cpu, rec), reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function compareRM<T>(cpu: usize, rec: usize): void {
  const b = mem<T>(cpu, rec);
  alu<T>(cpu, CMP, reg<T>(cpu, rec), b);
}
// @ts-ignore: decorator
@inline
export function compareMR<T>(cpu: usize, rec: usize): void {
  const a = mem<T>(cpu, rec);
  alu<T>(cpu, CMP, a, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function compareRI<T>(cpu: usize, rec: usize): void {
  alu<T>(cpu, CMP, rm<T>(cpu, rec), load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
export function compareMI<T>(cpu: usize, rec: usize): void {
  const a = mem<T>(cpu, rec);
  alu<T>(cpu, CMP, a, load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
export function testRR<T>(cpu: usize, rec: usize): void {
  logic<T>(cpu, <T>(rm<T>(cpu, rec) & reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
export function testMR<T>(cpu: usize, rec: usize): void {
  const a = mem<T>(cpu, rec);
  logic<T>(cpu, <T>(a & reg<T>(cpu, rec)));
}
// @ts-ignore: decorator
@inline
export function testRI<T>(cpu: usize, rec: usize): void {
  logic<T>(cpu, <T>(rm<T>(cpu, rec) & load<T>(rec, REC_IMM)));
}
// @ts-ignore: decorator
@inline
export function testMI<T>(cpu: usize, rec: usize): void {
  const a = mem<T>(cpu, rec);
  logic<T>(cpu, <T>(a & load<T>(rec, REC_IMM)));
}

// ---- A compare or test and the conditional jump behind it: the flags, and whether the jump is taken. `code` is
// the condition, a constant of the ten that follow from the operands.

// @ts-ignore: decorator
@inline
export function compareJump<T>(cpu: usize, code: u32, a: T, b: T): bool {
  setLazy(cpu, (CC_SUB << 2) | sizeLog<T>(), <u64>(<T>(a - b)), <u64>a, <u64>b);
  switch (code & ~1) {
    case 2:
      return (code & 1) != 0 ? a >= b : a < b;
    case 4:
      return (code & 1) != 0 ? a != b : a == b;
    case 6:
      return (code & 1) != 0 ? a > b : a <= b;
    case 12:
      return (code & 1) != 0 ? !less<T>(a, b) : less<T>(a, b);
    default:
      return (code & 1) != 0 ? less<T>(b, a) : !less<T>(b, a);
  }
}
// @ts-ignore: decorator
@inline
function less<T>(a: T, b: T): bool {
  if (sizeof<T>() == 1) return <i8>a < <i8>b;
  if (sizeof<T>() == 2) return <i16>a < <i16>b;
  if (sizeof<T>() == 4) return <i32>a < <i32>b;
  return <i64>a < <i64>b;
}
/** Conditions 4 and 5 (zero), 8 and 9 (sign), 14 and 15 (not above zero). */
// @ts-ignore: decorator
@inline
export function testJump<T>(cpu: usize, code: u32, value: T): bool {
  logic<T>(cpu, value);
  switch (code) {
    case 4:
      return value == 0;
    case 5:
      return value != 0;
    case 8:
      return less<T>(value, 0);
    case 9:
      return !less<T>(value, 0);
    case 14:
      return !less<T>(0, value);
    default:
      return less<T>(0, value);
  }
}

// ---- Moves.

// @ts-ignore: decorator
@inline
export function movRR<T>(cpu: usize, rec: usize): void {
  putRm<T>(cpu, rec, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function movRM<T>(cpu: usize, rec: usize): void {
  put<T>(regAt(cpu, rec), mem<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function movMR<T>(cpu: usize, rec: usize): void {
  putMem<T>(cpu, rec, reg<T>(cpu, rec));
}
// @ts-ignore: decorator
@inline
export function movRI<T>(cpu: usize, rec: usize): void {
  putRm<T>(cpu, rec, load<T>(rec, REC_IMM));
}
// @ts-ignore: decorator
@inline
export function movMI<T>(cpu: usize, rec: usize): void {
  putMem<T>(cpu, rec, load<T>(rec, REC_IMM));
}
// A CMOV whose condition is false clears the upper half of a 32-bit destination all the same.
// @ts-ignore: decorator
@inline
export function cmov<T>(cpu: usize, rec: usize, value: T): void {
  if (condition(cpu, <u32>load<u8>(rec, REC_IMM))) put<T>(regAt(cpu, rec), value);
  else if (sizeof<T>() == 4) put<T>(regAt(cpu, rec), reg<T>(cpu, rec));
}

// ---- The stack of 64-bit mode.

// @ts-ignore: decorator
@inline
export function push64(cpu: usize, value: u64): void {
  const rsp = load<u64>(cpu, RSP) - 8;
  write64(cpu, rsp, value);
  store<u64>(cpu, rsp, RSP);
}
// RSP is raised before the register is written: POP RSP gets the value.
// @ts-ignore: decorator
@inline
export function pop64(cpu: usize, rec: usize): void {
  const rsp = load<u64>(cpu, RSP);
  const value = read64(cpu, rsp);
  store<u64>(cpu, rsp + 8, RSP);
  store<u64>(rmAt(cpu, rec), value);
}
// @ts-ignore: decorator
@inline
export function leave64(cpu: usize): void {
  const frame = load<u64>(cpu, RBP);
  const value = read64(cpu, frame);
  store<u64>(cpu, frame + 8, RSP);
  store<u64>(cpu, value, RBP);
}
