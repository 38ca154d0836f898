// BMI1 and BMI2: what vex-general.ts decodes. Flags that the manuals leave undefined are those of the processors:
// PF and SF follow the result, AF is clear; but BEXTR sets AF and clears SF.
import { AF, CC_EXPLICIT, ZF, parity, setArith, setLazy } from "./flags";
import {
  OP_ANDN, OP_BEXTR, OP_BLSI, OP_BLSMSK, OP_BLSR, OP_BZHI, OP_MULX, OP_PDEP, OP_PEXT, OP_RORX, OP_SARX, OP_SHLX,
  OP_SHRX,
} from "./ops-integer";
import { RDX, getReg, logOf, maskOf, putReg, readRm, regOf, signExtend, sizeOf } from "./operands";
import { REC_AUX, REC_IMM } from "./record";
import { multiplyHigh } from "./shift";

export function execBitManipulation(cpu: usize, rec: usize, op: u32): void {
  const size = sizeOf(rec);
  const bits = <u64>size << 3;
  const value = readRm(cpu, rec, size);
  const otherAt = load<u32>(rec, REC_AUX);
  const other = getReg(cpu, otherAt, size);
  switch (op) {
    case OP_ANDN:
      commit(cpu, regOf(rec), value & ~other, 0, size);
      return;
    case OP_BLSR:
      commit(cpu, otherAt, value & (value - 1), u64(value == 0), size);
      return;
    case OP_BLSMSK:
      commit(cpu, otherAt, (value ^ (value - 1)) & maskOf(size), u64(value == 0), size);
      return;
    case OP_BLSI:
      commit(cpu, otherAt, value & (0 - value), u64(value != 0), size);
      return;
    case OP_BZHI: {
      const index = other & 0xff;
      commit(cpu, regOf(rec), index < bits ? value & ((<u64>1 << index) - 1) : value, u64(index >= bits), size);
      return;
    }
    case OP_BEXTR: {
      const start = other & 0xff;
      const length = (other >> 8) & 0xff;
      let field = start < bits ? value >> start : 0;
      if (length < bits) field &= (<u64>1 << length) - 1;
      putReg(cpu, regOf(rec), size, field);
      setArith(cpu, (field == 0 ? ZF : 0) | parity(field) | AF);
      return;
    }
    case OP_PDEP:
      putReg(cpu, regOf(rec), size, deposit(other, value));
      return;
    case OP_PEXT:
      putReg(cpu, regOf(rec), size, extract(other, value));
      return;
    case OP_MULX: {
      const factor = getReg(cpu, RDX, size);
      // Of one register twice the high half stays.
      putReg(cpu, otherAt, size, factor * value);
      putReg(cpu, regOf(rec), size, size == 8 ? multiplyHigh(factor, value) : (factor * value) >> 32);
      return;
    }
    case OP_RORX: {
      const count = load<u64>(rec, REC_IMM);
      const rotated = size == 8 ? rotr<u64>(value, count) : <u64>rotr<u32>(<u32>value, <u32>count);
      putReg(cpu, regOf(rec), size, rotated);
      return;
    }
    case OP_SHLX:
      putReg(cpu, regOf(rec), size, value << (other & (bits - 1)));
      return;
    case OP_SHRX:
      putReg(cpu, regOf(rec), size, value >> (other & (bits - 1)));
      return;
    case OP_SARX:
      putReg(cpu, regOf(rec), size, <u64>(signExtend(value, size) >> <i64>(other & (bits - 1))));
      return;
    default:
      unreachable();
  }
}

// OF is clear, ZF and SF follow the result.
function commit(cpu: usize, at: u32, result: u64, carry: u64, size: u32): void {
  putReg(cpu, at, size, result);
  setLazy(cpu, (CC_EXPLICIT << 2) | logOf(size), result, carry, 0);
}

// The low bits of `source` to where `mask` has ones.
function deposit(source: u64, mask: u64): u64 {
  let rest = source;
  let places = mask;
  let result: u64 = 0;
  while (places != 0) {
    const place = places & (0 - places);
    if (rest & 1) result |= place;
    rest >>= 1;
    places ^= place;
  }
  return result;
}

// The bits of `source` where `mask` has ones, together at the low end.
function extract(source: u64, mask: u64): u64 {
  let places = mask;
  let result: u64 = 0;
  for (let at: u64 = 1; places != 0; at <<= 1) {
    const place = places & (0 - places);
    if (source & place) result |= at;
    places ^= place;
  }
  return result;
}
