// Integer operations that are not in the main loop's switch. Operand size in REC_OSIZE.
import { BLOCK_RIP, CS, GPR, MODE, RIP, SEG_LIMIT, SEG_BYTES, SEGMENTS, RFLAGS } from "../layout";
import { CMP, alu, negate, put } from "./alu";
import { eaSized, effectiveOffset, truncateOffset } from "./ea";
import { BR, DE, raise, raiseGP, unimplemented } from "./exceptions";
import { AF, CF, DF, OF, PF, SF, ZF, arithmeticFlags, carryFlag, condition, getFlags, parity, setArith } from "./flags";
import {
  read16, read32, read64, read8, rmw16, rmw32, rmw64, rmw8, write16, write32, write64, write8,
} from "./memory";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import { canonical, probeWrite } from "./mmu";
import * as I from "./ops-integer";
import {
  F_MODREG, REC_ASIZE, REC_FLAGS, REC_IMM, REC_OSIZE, REC_REG, REC_RM, REC_SEG,
} from "./record";
import { segmentLinear } from "./segments";
import { doubleLeft, doubleRight, multiplyHigh, setProductFlags, shiftKind } from "./shift";
import { pop, push, setStackPointer, stackLinear, stackMask, stackPointer, stackRead, stackWrite } from "./stack";

const RAX: usize = GPR;
const RCX: usize = GPR + 8;
const RDX: usize = GPR + 2 * 8;
const RBX: usize = GPR + 3 * 8;
const RSP: usize = GPR + 4 * 8;
const RBP: usize = GPR + 5 * 8;

// @ts-ignore: decorator
@inline
function size(rec: usize): u32 {
  return <u32>load<u8>(rec, REC_OSIZE);
}
// @ts-ignore: decorator
@inline
function isReg(rec: usize): bool {
  return (load<u8>(rec, REC_FLAGS) & F_MODREG) != 0;
}

/** A register's low `bytes` bytes. `at` is its address. */
export function getSized(at: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(at);
  if (bytes == 4) return <u64>load<u32>(at);
  if (bytes == 2) return <u64>load<u16>(at);
  return <u64>load<u8>(at);
}

/** Stores a register; 32 bits clear the upper half. */
export function putSized(at: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(at, value);
  else if (bytes == 4) store<u64>(at, value & 0xffffffff);
  else if (bytes == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
}

export function readSized(cpu: usize, linear: u64, bytes: u32): u64 {
  if (bytes == 8) return read64(cpu, linear);
  if (bytes == 4) return <u64>read32(cpu, linear);
  if (bytes == 2) return <u64>read16(cpu, linear);
  return <u64>read8(cpu, linear);
}

export function rmwSized(cpu: usize, linear: u64, bytes: u32): u64 {
  if (bytes == 8) return rmw64(cpu, linear);
  if (bytes == 4) return <u64>rmw32(cpu, linear);
  if (bytes == 2) return <u64>rmw16(cpu, linear);
  return <u64>rmw8(cpu, linear);
}

export function writeSized(cpu: usize, linear: u64, bytes: u32, value: u64): void {
  if (bytes == 8) write64(cpu, linear, value);
  else if (bytes == 4) write32(cpu, linear, <u32>value);
  else if (bytes == 2) write16(cpu, linear, <u16>value);
  else write8(cpu, linear, <u8>value);
}

/** The rm operand, register or memory, for reading. */
export function readRm(cpu: usize, rec: usize, bytes: u32): u64 {
  if (isReg(rec)) return getSized(cpu + load<u8>(rec, REC_RM), bytes);
  return readSized(cpu, eaSized(cpu, rec, bytes, 0), bytes);
}

/** Writes the rm operand. */
export function writeRm(cpu: usize, rec: usize, bytes: u32, value: u64): void {
  if (isReg(rec)) putSized(cpu + load<u8>(rec, REC_RM), bytes, value);
  else writeSized(cpu, eaSized(cpu, rec, bytes, 1), bytes, value);
}

// ---- Shifts.

function shiftOp<T>(cpu: usize, rec: usize, kind: u32): void {
  const immediate = load<u32>(rec, REC_IMM);
  const count = (immediate == 0x100 ? <u32>load<u8>(cpu, RCX) : immediate) & (sizeof<T>() == 8 ? 63 : 31);
  if (isReg(rec)) {
    const at = cpu + load<u8>(rec, REC_RM);
    put<T>(at, shiftKind<T>(cpu, kind, load<T>(at), count));
    return;
  }
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = <T>rmwSized(cpu, linear, sizeof<T>());
  writeSized(cpu, linear, sizeof<T>(), <u64>shiftKind<T>(cpu, kind, a, count));
}

function shift(cpu: usize, rec: usize, kind: u32): void {
  switch (size(rec)) {
    case 1:
      return shiftOp<u8>(cpu, rec, kind);
    case 2:
      return shiftOp<u16>(cpu, rec, kind);
    case 4:
      return shiftOp<u32>(cpu, rec, kind);
    default:
      return shiftOp<u64>(cpu, rec, kind);
  }
}

function doubleOp<T>(cpu: usize, rec: usize, left: bool): void {
  const immediate = load<u32>(rec, REC_IMM);
  const count = (immediate == 0x100 ? <u32>load<u8>(cpu, RCX) : immediate) & (sizeof<T>() == 8 ? 63 : 31);
  const b = load<T>(cpu + load<u8>(rec, REC_REG));
  if (isReg(rec)) {
    const at = cpu + load<u8>(rec, REC_RM);
    const a = load<T>(at);
    put<T>(at, left ? doubleLeft<T>(cpu, a, b, count) : doubleRight<T>(cpu, a, b, count));
    return;
  }
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = <T>rmwSized(cpu, linear, sizeof<T>());
  const r = left ? doubleLeft<T>(cpu, a, b, count) : doubleRight<T>(cpu, a, b, count);
  writeSized(cpu, linear, sizeof<T>(), <u64>r);
}

function doubleShift(cpu: usize, rec: usize, left: bool): void {
  if (size(rec) == 8) doubleOp<u64>(cpu, rec, left);
  else if (size(rec) == 4) doubleOp<u32>(cpu, rec, left);
  else doubleOp<u16>(cpu, rec, left);
}

// ---- Multiplication and division.

function multiply(cpu: usize, rec: usize, signed: bool): void {
  const bytes = size(rec);
  const b = readRm(cpu, rec, bytes);
  if (bytes == 8) {
    const a = load<u64>(cpu, RAX);
    const low = a * b;
    let high = multiplyHigh(a, b);
    if (signed) {
      if (<i64>a < 0) high -= b;
      if (<i64>b < 0) high -= a;
      setProductFlags(cpu, <i64>high != <i64>low >> 63);
    } else setProductFlags(cpu, high != 0);
    store<u64>(cpu, low, RAX);
    store<u64>(cpu, high, RDX);
    return;
  }
  const bits = <i64>(bytes * 8);
  const a = getSized(cpu + RAX, bytes);
  let product: u64;
  let overflow: bool;
  if (signed) {
    const shift = 64 - bits;
    const wide = ((<i64>a << shift) >> shift) * ((<i64>b << shift) >> shift);
    product = <u64>wide;
    overflow = wide != (wide << shift) >> shift;
  } else {
    product = a * b;
    overflow = product >> <u64>bits != 0;
  }
  setProductFlags(cpu, overflow);
  if (bytes == 1) store<u16>(cpu, <u16>product, RAX);
  else {
    putSized(cpu + RAX, bytes, product);
    putSized(cpu + RDX, bytes, product >> <u64>bits);
  }
}

function divide(cpu: usize, rec: usize, signed: bool): void {
  const bytes = size(rec);
  const divisor = readRm(cpu, rec, bytes);
  if (divisor == 0) raise(cpu, DE);
  if (bytes == 8) {
    divide64(cpu, divisor, signed);
    return;
  }
  const bits = <u64>(bytes * 8);
  const dividend =
    bytes == 1 ? <u64>load<u16>(cpu, RAX) : (getSized(cpu + RDX, bytes) << bits) | getSized(cpu + RAX, bytes);
  let quotient: u64;
  let remainder: u64;
  if (signed) {
    const shift = <i64>(64 - bits);
    const d = (<i64>divisor << shift) >> shift;
    const wide = <i64>(64 - 2 * bits);
    const n = (<i64>dividend << wide) >> wide;
    if (n == i64.MIN_VALUE && d == -1) raise(cpu, DE);
    const q = n / d;
    if (q != (q << shift) >> shift) raise(cpu, DE);
    quotient = <u64>q;
    remainder = <u64>(n - q * d);
  } else {
    quotient = dividend / divisor;
    if (quotient >> bits != 0) raise(cpu, DE);
    remainder = dividend - quotient * divisor;
  }
  if (bytes == 1) store<u16>(cpu, <u16>((quotient & 0xff) | (remainder << 8)), RAX);
  else {
    putSized(cpu + RAX, bytes, quotient);
    putSized(cpu + RDX, bytes, remainder);
  }
}

function divide64(cpu: usize, divisor: u64, signed: bool): void {
  let high = load<u64>(cpu, RDX);
  let low = load<u64>(cpu, RAX);
  const negative = signed && <i64>high < 0;
  const opposite = signed && <i64>high < 0 != <i64>divisor < 0;
  let d = divisor;
  if (negative) {
    low = 0 - low;
    high = ~high + u64(low == 0);
  }
  if (signed && <i64>divisor < 0) d = 0 - divisor;
  if (high >= d) raise(cpu, DE);
  let quotient: u64;
  let remainder: u64;
  if (high == 0) {
    quotient = low / d;
    remainder = low % d;
  } else {
    // Restoring division, a bit a step; the remainder may need 65 bits.
    remainder = high;
    quotient = 0;
    for (let i = 0; i < 64; i++) {
      const carry = remainder >> 63;
      remainder = (remainder << 1) | (low >> 63);
      low <<= 1;
      quotient <<= 1;
      if (carry != 0 || remainder >= d) {
        remainder -= d;
        quotient |= 1;
      }
    }
  }
  if (signed) {
    if (opposite ? quotient > <u64>1 << 63 : quotient >= <u64>1 << 63) raise(cpu, DE);
    if (opposite) quotient = 0 - quotient;
    if (negative) remainder = 0 - remainder;
  }
  store<u64>(cpu, quotient, RAX);
  store<u64>(cpu, remainder, RDX);
}

function multiply16(cpu: usize, rec: usize, a: u64, b: u64): void {
  const product = <i32>(<i16>a) * <i32>(<i16>b);
  setProductFlags(cpu, product != <i32>(<i16>product));
  store<u16>(cpu + load<u8>(rec, REC_REG), <u16>product);
}

// ---- Exchanges.

function exchange(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const reg = cpu + load<u8>(rec, REC_REG);
  const value = getSized(reg, bytes);
  if (isReg(rec)) {
    const rm = cpu + load<u8>(rec, REC_RM);
    const other = getSized(rm, bytes);
    putSized(rm, bytes, value);
    putSized(reg, bytes, other);
    return;
  }
  const linear = eaSized(cpu, rec, bytes, 1);
  const other = rmwSized(cpu, linear, bytes);
  writeSized(cpu, linear, bytes, value);
  putSized(reg, bytes, other);
}

// Compares or adds at a size, for the flags; answers the result.
function aluSized(cpu: usize, kind: u32, bytes: u32, a: u64, b: u64): u64 {
  if (bytes == 8) return kind == 0 ? alu<u64>(cpu, 0, a, b) : alu<u64>(cpu, CMP, a, b);
  if (bytes == 4) return <u64>(kind == 0 ? alu<u32>(cpu, 0, <u32>a, <u32>b) : alu<u32>(cpu, CMP, <u32>a, <u32>b));
  if (bytes == 2) return <u64>(kind == 0 ? alu<u16>(cpu, 0, <u16>a, <u16>b) : alu<u16>(cpu, CMP, <u16>a, <u16>b));
  return <u64>(kind == 0 ? alu<u8>(cpu, 0, <u8>a, <u8>b) : alu<u8>(cpu, CMP, <u8>a, <u8>b));
}

/** The flags of `a - b` at a size. */
export function compareSized(cpu: usize, bytes: u32, a: u64, b: u64): void {
  aluSized(cpu, CMP, bytes, a, b);
}

function exchangeAdd(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const reg = cpu + load<u8>(rec, REC_REG);
  const b = getSized(reg, bytes);
  if (isReg(rec)) {
    const rm = cpu + load<u8>(rec, REC_RM);
    const a = getSized(rm, bytes);
    const sum = aluSized(cpu, 0, bytes, a, b);
    putSized(reg, bytes, a);
    putSized(rm, bytes, sum);
    return;
  }
  const linear = eaSized(cpu, rec, bytes, 1);
  const a = rmwSized(cpu, linear, bytes);
  const sum = aluSized(cpu, 0, bytes, a, b);
  writeSized(cpu, linear, bytes, sum);
  putSized(reg, bytes, a);
}

function compareExchange(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const accumulator = getSized(cpu + RAX, bytes);
  const source = getSized(cpu + load<u8>(rec, REC_REG), bytes);
  if (isReg(rec)) {
    const rm = cpu + load<u8>(rec, REC_RM);
    const a = getSized(rm, bytes);
    compareSized(cpu, bytes, accumulator, a);
    if (a == accumulator) putSized(rm, bytes, source);
    else putSized(cpu + RAX, bytes, a);
    return;
  }
  const linear = eaSized(cpu, rec, bytes, 1);
  const a = rmwSized(cpu, linear, bytes);
  // Memory is written either way.
  writeSized(cpu, linear, bytes, a == accumulator ? source : a);
  compareSized(cpu, bytes, accumulator, a);
  if (a != accumulator) putSized(cpu + RAX, bytes, a);
}

function zeroFlag(cpu: usize, set: bool): void {
  setArith(cpu, (arithmeticFlags(cpu) & ~ZF) | (set ? ZF : 0));
}

function compareExchange8(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, 8, 1);
  const old = rmw64(cpu, linear);
  const expected = <u64>load<u32>(cpu, RAX) | (<u64>load<u32>(cpu, RDX) << 32);
  const desired = <u64>load<u32>(cpu, RBX) | (<u64>load<u32>(cpu, RCX) << 32);
  write64(cpu, linear, old == expected ? desired : old);
  zeroFlag(cpu, old == expected);
  if (old != expected) {
    store<u64>(cpu, old & 0xffffffff, RAX);
    store<u64>(cpu, old >> 32, RDX);
  }
}

function compareExchange16(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, 16, 1);
  if ((linear & 15) != 0) raiseGP(cpu);
  probeWrite(cpu, linear, 16);
  const low = rmw64(cpu, linear);
  const high = rmw64(cpu, linear + 8);
  const equal = low == load<u64>(cpu, RAX) && high == load<u64>(cpu, RDX);
  write64(cpu, linear, equal ? load<u64>(cpu, RBX) : low);
  write64(cpu, linear + 8, equal ? load<u64>(cpu, RCX) : high);
  zeroFlag(cpu, equal);
  if (!equal) {
    store<u64>(cpu, low, RAX);
    store<u64>(cpu, high, RDX);
  }
}

// ---- Bits.

function bitTest(cpu: usize, rec: usize, kind: u32, immediate: bool): void {
  const bytes = size(rec);
  const bits = bytes * 8;
  const index = immediate ? load<u64>(rec, REC_IMM) : getSized(cpu + load<u8>(rec, REC_REG), bytes);
  const bit = index & <u64>(bits - 1);
  const mask = <u64>1 << bit;
  if (isReg(rec)) {
    const at = cpu + load<u8>(rec, REC_RM);
    const value = getSized(at, bytes);
    if (kind == 1) putSized(at, bytes, value | mask);
    else if (kind == 2) putSized(at, bytes, value & ~mask);
    else if (kind == 3) putSized(at, bytes, value ^ mask);
    setCarry(cpu, (value >> bit) & 1);
    return;
  }
  let linear: u64;
  if (immediate) linear = eaSized(cpu, rec, bytes, kind == 0 ? 0 : 1);
  else {
    // The register's index is signed and reaches beyond the operand.
    const shift = <i64>(64 - bits);
    const words = ((<i64>index << shift) >> shift) >> <i64>(bytes == 8 ? 6 : bytes == 4 ? 5 : 4);
    const offset = truncateOffset(effectiveOffset(cpu, rec) + <u64>(words * bytes), <u32>load<u8>(rec, REC_ASIZE));
    linear = segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, bytes, kind == 0 ? 0 : 1);
  }
  if (kind == 0) {
    setCarry(cpu, (readSized(cpu, linear, bytes) >> bit) & 1);
    return;
  }
  const value = rmwSized(cpu, linear, bytes);
  writeSized(cpu, linear, bytes, kind == 1 ? value | mask : kind == 2 ? value & ~mask : value ^ mask);
  setCarry(cpu, (value >> bit) & 1);
}

function setCarry(cpu: usize, carry: u64): void {
  setArith(cpu, (arithmeticFlags(cpu) & ~CF) | carry);
}

// BSF and BSR leave the destination when the source is 0, on AMD and, in fact, on Intel.
function bitScan(cpu: usize, rec: usize, reverse: bool): void {
  const bytes = size(rec);
  const value = readRm(cpu, rec, bytes);
  zeroFlag(cpu, value == 0);
  const at = cpu + load<u8>(rec, REC_REG);
  if (value != 0) putSized(at, bytes, reverse ? 63 - clz<u64>(value) : ctz<u64>(value));
}

function bitCount(cpu: usize, rec: usize, leading: bool): void {
  const bytes = size(rec);
  const bits = <u64>(bytes * 8);
  const value = readRm(cpu, rec, bytes);
  const count = value == 0 ? bits : leading ? clz<u64>(value) - (64 - bits) : ctz<u64>(value);
  setArith(
    cpu,
    (arithmeticFlags(cpu) & (OF | SF | AF | PF)) | (value == 0 ? CF : 0) | (count == 0 ? ZF : 0),
  );
  putSized(cpu + load<u8>(rec, REC_REG), bytes, count);
}

function swapBytes(value: u64, bytes: u32): u64 {
  let result: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) result |= ((value >> <u64>(8 * i)) & 0xff) << <u64>(8 * (bytes - 1 - i));
  return result;
}

// CRC-32C, polynomial 11EDC6F41h reflected.
function crc32(cpu: usize, rec: usize): void {
  const bytes = load<u32>(rec, REC_IMM);
  let data = readRm(cpu, rec, bytes);
  const at = cpu + load<u8>(rec, REC_REG);
  let crc = load<u32>(at);
  for (let i: u32 = 0; i < bytes; i++) {
    crc ^= <u32>data & 0xff;
    data >>= 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78 & (0 - (crc & 1)));
  }
  store<u64>(at, <u64>crc);
}

// ---- Stack frames.

function pushAll(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const mask = stackMask(cpu);
  const start = stackPointer(cpu);
  const sp = load<u64>(cpu, RSP);
  // All eight are checked before one is written.
  for (let i: u32 = 1; i <= 8; i++) {
    probeWrite(cpu, stackLinear(cpu, (start - <u64>(i * bytes)) & mask, bytes, 1), bytes);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const value = i == 4 ? sp : load<u64>(cpu + GPR + (i << 3));
    stackWrite(cpu, (start - <u64>((i + 1) * bytes)) & mask, bytes, value);
  }
  setStackPointer(cpu, start - 8 * bytes);
}

function popAll(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const mask = stackMask(cpu);
  const start = stackPointer(cpu);
  // Reads first: a fault leaves all registers.
  stackRead(cpu, (start + 7 * bytes) & mask, bytes);
  for (let i: u32 = 0; i < 8; i++) stackRead(cpu, (start + <u64>(i * bytes)) & mask, bytes);
  for (let i: u32 = 0; i < 8; i++) {
    const register = 7 - i;
    if (register != 4) putSized(cpu + GPR + (register << 3), bytes, stackRead(cpu, (start + <u64>(i * bytes)) & mask, bytes));
  }
  setStackPointer(cpu, start + 8 * bytes);
}

function enter(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const frameSize = load<u64>(rec, REC_IMM) & 0xffff;
  const level = load<u32>(rec, REC_IMM) >> 16;
  const mask = stackMask(cpu);
  let sp = (stackPointer(cpu) - bytes) & mask;
  const frame = sp;
  // Every page is checked before anything changes: the last push and the new stack top are written to.
  const bottom = (sp - <u64>(level > 0 ? level : 0) * bytes) & mask;
  for (let i: u32 = 0; i <= level; i++) probeWrite(cpu, stackLinear(cpu, (frame - <u64>(i * bytes)) & mask, bytes, 1), bytes);
  probeWrite(cpu, stackLinear(cpu, (bottom - frameSize) & mask, bytes, 1), bytes);
  let base = load<u64>(cpu, RBP);
  for (let i: u32 = 1; i < level; i++) stackRead(cpu, (base - <u64>(i * bytes)) & mask, bytes);
  stackWrite(cpu, sp, bytes, load<u64>(cpu, RBP));
  if (level > 0) {
    for (let i: u32 = 1; i < level; i++) {
      base = (base - bytes) & mask;
      sp = (sp - bytes) & mask;
      stackWrite(cpu, sp, bytes, stackRead(cpu, base, bytes));
    }
    sp = (sp - bytes) & mask;
    stackWrite(cpu, sp, bytes, frame);
  }
  putSized(cpu + RBP, bytes, frame);
  setStackPointer(cpu, sp - frameSize);
}

function leave(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const at = load<u64>(cpu, RBP) & stackMask(cpu);
  const value = stackRead(cpu, at, bytes);
  setStackPointer(cpu, at + bytes);
  putSized(cpu + RBP, bytes, value);
}

// POP to memory: an address that uses the stack pointer sees it after the pop.
function popMemory(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const before = load<u64>(cpu, RSP);
  const value = pop(cpu, bytes);
  const after = load<u64>(cpu, RSP);
  // The address is made with the new pointer, and the old one stands again while the write may fault.
  const offset = effectiveOffset(cpu, rec);
  store<u64>(cpu, before, RSP);
  const linear = segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, bytes, 1);
  writeSized(cpu, linear, bytes, value);
  store<u64>(cpu, after, RSP);
}

// ---- BCD. SDM vol. 2: DAA, DAS, AAA, AAS, AAM, AAD.

function resultFlags8(value: u32): u64 {
  return parity(value) | (value == 0 ? ZF : 0) | (value & 0x80 ? SF : 0);
}

function decimalAdjust(cpu: usize, subtract: bool): void {
  const old = <u32>load<u8>(cpu, RAX);
  const flags = arithmeticFlags(cpu);
  let value = old;
  let result: u64 = 0;
  if ((old & 15) > 9 || (flags & AF) != 0) {
    value = subtract ? value - 6 : value + 6;
    result = AF | (subtract && (old < 6 || (flags & CF) != 0) ? CF : 0);
    if (!subtract && (old > 0xf9 || (flags & CF) != 0)) result |= CF;
  }
  if (old > 0x99 || (flags & CF) != 0) {
    value = subtract ? value - 0x60 : value + 0x60;
    result |= CF;
  }
  value &= 0xff;
  store<u8>(cpu, <u8>value, RAX);
  setArith(cpu, result | resultFlags8(value));
}

function asciiAdjust(cpu: usize, subtract: bool): void {
  const flags = arithmeticFlags(cpu);
  let ax = <u32>load<u16>(cpu, RAX);
  let result: u64 = 0;
  if ((ax & 15) > 9 || (flags & AF) != 0) {
    ax = subtract ? ax - 0x106 : ax + 0x106;
    result = AF | CF;
  }
  store<u16>(cpu, <u16>(ax & 0xff0f), RAX);
  setArith(cpu, result | resultFlags8(ax & 15));
}

// ---- Near transfers outside the hot set. RIP is the next instruction's when they start.

function isLong(cpu: usize): bool {
  return (load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64;
}

/** Jumps to an offset in CS: 16 bits of it with a 16-bit operand size; limit and canonical form checked. */
function jumpTo(cpu: usize, target: u64, bytes: u32): void {
  const rip = bytes == 8 ? target : target & (bytes == 4 ? 0xffffffff : 0xffff);
  checkRip(cpu, rip);
  store<u64>(cpu, rip, RIP);
}

function checkRip(cpu: usize, rip: u64): void {
  if (isLong(cpu)) {
    if (!canonical(cpu, rip)) raiseGP(cpu);
  } else if (rip > <u64>load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT)) raiseGP(cpu);
}

function truncated(target: u64, bytes: u32): u64 {
  return bytes == 8 ? target : target & (bytes == 4 ? 0xffffffff : 0xffff);
}

function relative(cpu: usize, rec: usize): u64 {
  return load<u64>(cpu, BLOCK_RIP) + load<u64>(rec, REC_IMM);
}

function callTo(cpu: usize, rec: usize, target: u64): void {
  const bytes = size(rec);
  const rip = truncated(target, bytes);
  checkRip(cpu, rip);
  push(cpu, bytes, load<u64>(cpu, RIP));
  store<u64>(cpu, rip, RIP);
}

function returnNear(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const at = stackPointer(cpu);
  const rip = stackRead(cpu, at, bytes);
  checkRip(cpu, rip);
  setStackPointer(cpu, at + bytes + load<u64>(rec, REC_IMM));
  store<u64>(cpu, rip, RIP);
}

function loopOp(cpu: usize, rec: usize, op: u32): void {
  const wide = <u32>load<u8>(rec, REC_ASIZE);
  let count = getSized(cpu + RCX, wide);
  let taken: bool;
  if (op == I.OP_JCXZ) {
    taken = count == 0;
  } else {
    count = truncated(count - 1, wide);
    const zero = condition(cpu, 4);
    taken = count != 0 && (op == I.OP_LOOP || zero == (op == I.OP_LOOPE));
    if (taken) checkRip(cpu, truncated(relative(cpu, rec), size(rec)));
    putSized(cpu + RCX, wide, count);
  }
  if (taken) jumpTo(cpu, relative(cpu, rec), size(rec));
}

function bound(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const linear = eaSized(cpu, rec, bytes * 2, 0);
  const shift = <i64>(64 - bytes * 8);
  const index = (<i64>getSized(cpu + load<u8>(rec, REC_REG), bytes) << shift) >> shift;
  const lower = (<i64>readSized(cpu, linear, bytes) << shift) >> shift;
  const upper = (<i64>readSized(cpu, linear + bytes, bytes) << shift) >> shift;
  if (index < lower || index > upper) raise(cpu, BR);
}

// ADCX and ADOX: one carry chain each.
function addCarryChain(cpu: usize, rec: usize, flag: u64, shift: u64): void {
  const bytes = size(rec);
  const at = cpu + load<u8>(rec, REC_REG);
  const b = readRm(cpu, rec, bytes);
  const a = getSized(at, bytes);
  const flags = arithmeticFlags(cpu);
  const sum = a + b + ((flags >> shift) & 1);
  const carry = bytes == 4 ? sum >> 32 : ((a & b) | ((a | b) & ~sum)) >> 63;
  setArith(cpu, (flags & ~flag) | (carry << shift));
  putSized(at, bytes, sum);
}

function logicNot(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const linear = eaSized(cpu, rec, bytes, 1);
  writeSized(cpu, linear, bytes, ~rmwSized(cpu, linear, bytes));
}

function negateMemory<T>(cpu: usize, rec: usize): void {
  const linear = eaSized(cpu, rec, sizeof<T>(), 1);
  const a = <T>rmwSized(cpu, linear, sizeof<T>());
  writeSized(cpu, linear, sizeof<T>(), <u64>negate<T>(cpu, a));
}

/** Executes an operation of ops-integer.ts from OP_MOVZX16_8 on; string operations are strings.ts's. */
export function execInteger(cpu: usize, rec: usize, op: u32): void {
  const bytes = size(rec);
  const reg = cpu + load<u8>(rec, REC_REG);
  switch (op) {
    case I.OP_MOVZX16_8:
      store<u16>(reg, <u16>readRm(cpu, rec, 1));
      return;
    case I.OP_MOVSX16_8:
      store<u16>(reg, <u16>(<i16>(<i8>readRm(cpu, rec, 1))));
      return;
    case I.OP_PUSH_R:
      push(cpu, bytes, load<u64>(cpu + load<u8>(rec, REC_RM)));
      return;
    case I.OP_POP_R: {
      const value = pop(cpu, bytes);
      putSized(cpu + load<u8>(rec, REC_RM), bytes, value);
      return;
    }
    case I.OP_PUSH_I:
      push(cpu, bytes, load<u64>(rec, REC_IMM));
      return;
    case I.OP_PUSH_M:
      push(cpu, bytes, readRm(cpu, rec, bytes));
      return;
    case I.OP_POP_M:
      popMemory(cpu, rec);
      return;
    case I.OP_PUSHA:
      pushAll(cpu, rec);
      return;
    case I.OP_POPA:
      popAll(cpu, rec);
      return;
    case I.OP_ENTER:
      enter(cpu, rec);
      return;
    case I.OP_LEAVE:
      leave(cpu, rec);
      return;
    case I.OP_SHIFT:
    case I.OP_SHIFT + 1:
    case I.OP_SHIFT + 2:
    case I.OP_SHIFT + 3:
    case I.OP_SHIFT + 4:
    case I.OP_SHIFT + 5:
    case I.OP_SHIFT + 6:
    case I.OP_SHIFT + 7:
      shift(cpu, rec, op - I.OP_SHIFT);
      return;
    case I.OP_SHLD:
      doubleShift(cpu, rec, true);
      return;
    case I.OP_SHRD:
      doubleShift(cpu, rec, false);
      return;
    case I.OP_NOT:
      logicNot(cpu, rec);
      return;
    case I.OP_NEG:
      if (bytes == 8) negateMemory<u64>(cpu, rec);
      else if (bytes == 4) negateMemory<u32>(cpu, rec);
      else if (bytes == 2) negateMemory<u16>(cpu, rec);
      else negateMemory<u8>(cpu, rec);
      return;
    case I.OP_MUL:
      multiply(cpu, rec, false);
      return;
    case I.OP_IMUL1:
      multiply(cpu, rec, true);
      return;
    case I.OP_DIV:
      divide(cpu, rec, false);
      return;
    case I.OP_IDIV:
      divide(cpu, rec, true);
      return;
    case I.OP_IMUL2:
      multiply16(cpu, rec, <u64>load<u16>(reg), readRm(cpu, rec, 2));
      return;
    case I.OP_IMUL3:
      multiply16(cpu, rec, readRm(cpu, rec, 2), load<u64>(rec, REC_IMM));
      return;
    case I.OP_CMOV16: {
      const value = readRm(cpu, rec, 2);
      if (condition(cpu, load<u32>(rec, REC_IMM))) store<u16>(reg, <u16>value);
      return;
    }
    case I.OP_SETCC_M:
      write8(cpu, eaSized(cpu, rec, 1, 1), u8(condition(cpu, load<u32>(rec, REC_IMM))));
      return;
    case I.OP_XCHG:
      exchange(cpu, rec);
      return;
    case I.OP_XADD:
      exchangeAdd(cpu, rec);
      return;
    case I.OP_CMPXCHG:
      compareExchange(cpu, rec);
      return;
    case I.OP_CMPXCHG8B:
      compareExchange8(cpu, rec);
      return;
    case I.OP_CMPXCHG16B:
      compareExchange16(cpu, rec);
      return;
    case I.OP_BT:
    case I.OP_BTS:
    case I.OP_BTR:
    case I.OP_BTC:
      bitTest(cpu, rec, op - I.OP_BT, false);
      return;
    case I.OP_BT_I:
    case I.OP_BT_I + 1:
    case I.OP_BT_I + 2:
    case I.OP_BT_I + 3:
      bitTest(cpu, rec, op - I.OP_BT_I, true);
      return;
    case I.OP_BSF:
      bitScan(cpu, rec, false);
      return;
    case I.OP_BSR:
      bitScan(cpu, rec, true);
      return;
    case I.OP_TZCNT:
      bitCount(cpu, rec, false);
      return;
    case I.OP_LZCNT:
      bitCount(cpu, rec, true);
      return;
    case I.OP_POPCNT: {
      const value = readRm(cpu, rec, bytes);
      setArith(cpu, value == 0 ? ZF : 0);
      putSized(reg, bytes, popcnt<u64>(value));
      return;
    }
    case I.OP_BSWAP: {
      const at = cpu + load<u8>(rec, REC_RM);
      // Of 16 bits it is undefined; processors clear them.
      putSized(at, bytes, bytes == 2 ? 0 : swapBytes(getSized(at, bytes), bytes));
      return;
    }
    case I.OP_MOVBE_LOAD:
      putSized(reg, bytes, swapBytes(readRm(cpu, rec, bytes), bytes));
      return;
    case I.OP_MOVBE_STORE:
      writeRm(cpu, rec, bytes, swapBytes(getSized(reg, bytes), bytes));
      return;
    case I.OP_CRC32:
      crc32(cpu, rec);
      return;
    case I.OP_CBW:
      store<u16>(cpu, <u16>(<i16>load<i8>(cpu, RAX)), RAX);
      return;
    case I.OP_CWDE:
      store<u64>(cpu, <u64>(<u32>(<i32>load<i16>(cpu, RAX))), RAX);
      return;
    case I.OP_CWD:
      store<u16>(cpu, <u16>(load<i16>(cpu, RAX) >> 15), RDX);
      return;
    case I.OP_LAHF:
      store<u8>(cpu, <u8>(getFlags(cpu) & 0xd5) | 2, RAX + 1);
      return;
    case I.OP_SAHF:
      setArith(cpu, (arithmeticFlags(cpu) & OF) | (<u64>load<u8>(cpu, RAX + 1) & (SF | ZF | AF | PF | CF)));
      return;
    case I.OP_CLC:
      setCarry(cpu, 0);
      return;
    case I.OP_STC:
      setCarry(cpu, 1);
      return;
    case I.OP_CMC:
      setCarry(cpu, carryFlag(cpu) ^ 1);
      return;
    case I.OP_CLD:
      store<u64>(cpu, load<u64>(cpu, RFLAGS) & ~DF, RFLAGS);
      return;
    case I.OP_STD:
      store<u64>(cpu, load<u64>(cpu, RFLAGS) | DF, RFLAGS);
      return;
    case I.OP_XLAT: {
      const wide = <u32>load<u8>(rec, REC_ASIZE);
      const offset = truncateOffset(load<u64>(cpu, RBX) + <u64>load<u8>(cpu, RAX), wide);
      store<u8>(cpu, read8(cpu, segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, 1, 0)), RAX);
      return;
    }
    case I.OP_SALC:
      store<u8>(cpu, <u8>(0 - carryFlag(cpu)), RAX);
      return;
    case I.OP_BOUND:
      bound(cpu, rec);
      return;
    case I.OP_DAA:
      decimalAdjust(cpu, false);
      return;
    case I.OP_DAS:
      decimalAdjust(cpu, true);
      return;
    case I.OP_AAA:
      asciiAdjust(cpu, false);
      return;
    case I.OP_AAS:
      asciiAdjust(cpu, true);
      return;
    case I.OP_AAM: {
      const base = load<u32>(rec, REC_IMM) & 0xff;
      if (base == 0) raise(cpu, DE);
      const al = <u32>load<u8>(cpu, RAX);
      store<u16>(cpu, <u16>(((al / base) << 8) | (al % base)), RAX);
      setArith(cpu, resultFlags8(al % base));
      return;
    }
    case I.OP_AAD: {
      const base = load<u32>(rec, REC_IMM) & 0xff;
      const value = (<u32>load<u8>(cpu, RAX) + <u32>load<u8>(cpu, RAX + 1) * base) & 0xff;
      store<u16>(cpu, <u16>value, RAX);
      setArith(cpu, resultFlags8(value));
      return;
    }
    case I.OP_ADCX:
      addCarryChain(cpu, rec, CF, 0);
      return;
    case I.OP_ADOX:
      addCarryChain(cpu, rec, OF, 11);
      return;
    case I.OP_MOV_LOAD_OFFSET: {
      const linear = segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), load<u64>(rec, REC_IMM), bytes, 0);
      putSized(cpu + RAX, bytes, readSized(cpu, linear, bytes));
      return;
    }
    case I.OP_MOV_STORE_OFFSET: {
      const linear = segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), load<u64>(rec, REC_IMM), bytes, 1);
      writeSized(cpu, linear, bytes, getSized(cpu + RAX, bytes));
      return;
    }
    case I.OP_CALL_NEAR:
      callTo(cpu, rec, relative(cpu, rec));
      return;
    case I.OP_RET_NEAR:
      returnNear(cpu, rec);
      return;
    case I.OP_JMP_NEAR_RM:
      jumpTo(cpu, readRm(cpu, rec, bytes), bytes);
      return;
    case I.OP_CALL_NEAR_RM:
      callTo(cpu, rec, readRm(cpu, rec, bytes));
      return;
    case I.OP_JMP_NEAR:
      jumpTo(cpu, relative(cpu, rec), bytes);
      return;
    case I.OP_JCC_NEAR:
      if (condition(cpu, <u32>load<u8>(rec, REC_REG))) jumpTo(cpu, relative(cpu, rec), bytes);
      return;
    case I.OP_LOOPNE:
    case I.OP_LOOPE:
    case I.OP_LOOP:
    case I.OP_JCXZ:
      loopOp(cpu, rec, op);
      return;
    default:
      unimplemented(cpu);
  }
}
