// AVX's conditional accesses: masked loads and stores, gathers. Elements that the mask leaves out are not accessed and
// raise nothing.
import { OP_VMASKLOAD64, OPS_GATHER } from "./avx-ops";
import { TLB } from "../layout";
import { indexPlace, isWide, regPlace, setBoth, setLow, vvvvPlace } from "./avx-operands";
import { address, effectiveOffset } from "./ea";
import { raise, UD } from "./exceptions";
import {
  read32, read64, read8, TLB_ADDEND, TLB_READ, TLB_WRITE, tlbEntry, write32, write64, write8,
} from "./memory";
import { probeWrite, wrap } from "./mmu";
import { linearAt } from "./operands";
import { F_EA_SPECIAL, REC_FLAGS, REC_SCALE } from "./record";

/** All ones in the elements whose mask has its top bit set. */
// @ts-ignore: decorator
@inline
function spread(mask: v128, wide: bool): v128 {
  return wide ? i64x2.shr_s(mask, 63) : i32x4.shr_s(mask, 31);
}

/** VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ. */
export function execMasked(cpu: usize, rec: usize, op: u32): void {
  const both = isWide(rec);
  const mask = vvvvPlace(cpu, rec);
  const wide = op == OP_VMASKLOAD64 || op == OP_VMASKLOAD64 + 2;
  if (op <= OP_VMASKLOAD64) loadMasked(cpu, rec, mask, wide, both);
  else storeMasked(cpu, rec, mask, wide, both);
}

/** The elements of the mask register, one bit each. */
function bits(mask: usize, wide: bool, both: bool): u32 {
  const low = v128.load(mask);
  const high = v128.load(mask, 16);
  if (wide) return i64x2.bitmask(low) | (both ? i64x2.bitmask(high) << 2 : 0);
  return i32x4.bitmask(low) | (both ? i32x4.bitmask(high) << 4 : 0);
}

function loadMasked(cpu: usize, rec: usize, mask: usize, wide: bool, both: bool): void {
  const size: u32 = both ? 32 : 16;
  const low = spread(v128.load(mask), wide);
  const high = spread(v128.load(mask, 16), wide);
  if ((load<u8>(rec, REC_FLAGS) & F_EA_SPECIAL) == 0) {
    const linear = address(cpu, rec);
    const entry = tlbEntry(load<u32>(cpu, TLB), linear);
    if (((linear + size - 1) & ~0xfff) == load<u64>(entry, TLB_READ)) {
      const at = <usize>linear + load<u32>(entry, TLB_ADDEND);
      if (both) setBoth(cpu, rec, v128.and(v128.load(at), low), v128.and(v128.load(at, 16), high));
      else setLow(cpu, rec, v128.and(v128.load(at), low));
      return;
    }
  }
  const offset = effectiveOffset(cpu, rec);
  let first = i64x2.splat(0);
  let second = first;
  const active = bits(mask, wide, both);
  if (wide) {
    if (active & 1) first = i64x2.replace_lane(first, 0, masked64(cpu, rec, offset));
    if (active & 2) first = i64x2.replace_lane(first, 1, masked64(cpu, rec, offset + 8));
    if (active & 4) second = i64x2.replace_lane(second, 0, masked64(cpu, rec, offset + 16));
    if (active & 8) second = i64x2.replace_lane(second, 1, masked64(cpu, rec, offset + 24));
  } else {
    if (active & 1) first = i32x4.replace_lane(first, 0, masked32(cpu, rec, offset));
    if (active & 2) first = i32x4.replace_lane(first, 1, masked32(cpu, rec, offset + 4));
    if (active & 4) first = i32x4.replace_lane(first, 2, masked32(cpu, rec, offset + 8));
    if (active & 8) first = i32x4.replace_lane(first, 3, masked32(cpu, rec, offset + 12));
    if (active & 16) second = i32x4.replace_lane(second, 0, masked32(cpu, rec, offset + 16));
    if (active & 32) second = i32x4.replace_lane(second, 1, masked32(cpu, rec, offset + 20));
    if (active & 64) second = i32x4.replace_lane(second, 2, masked32(cpu, rec, offset + 24));
    if (active & 128) second = i32x4.replace_lane(second, 3, masked32(cpu, rec, offset + 28));
  }
  setBoth(cpu, rec, first, second);
}

function element32(cpu: usize, rec: usize, offset: u64): u32 {
  return read32(cpu, linearAt(cpu, rec, offset, 4, 0));
}

function element64(cpu: usize, rec: usize, offset: u64): u64 {
  return read64(cpu, linearAt(cpu, rec, offset, 8, 0));
}

// Masked accesses know no #AC: what is not aligned goes by bytes.

function masked32(cpu: usize, rec: usize, offset: u64): u32 {
  const linear = linearAt(cpu, rec, offset, 4, 0);
  return linear & 3 ? <u32>readBytes(cpu, linear, 4) : read32(cpu, linear);
}

function masked64(cpu: usize, rec: usize, offset: u64): u64 {
  const linear = linearAt(cpu, rec, offset, 8, 0);
  return linear & 7 ? readBytes(cpu, linear, 8) : read64(cpu, linear);
}

function readBytes(cpu: usize, linear: u64, size: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) value |= <u64>read8(cpu, wrap(cpu, linear + i)) << (i << 3);
  return value;
}

function storeMasked(cpu: usize, rec: usize, mask: usize, wide: bool, both: bool): void {
  const size: u32 = both ? 32 : 16;
  const from = regPlace(cpu, rec);
  if ((load<u8>(rec, REC_FLAGS) & F_EA_SPECIAL) == 0) {
    const linear = address(cpu, rec);
    const entry = tlbEntry(load<u32>(cpu, TLB), linear);
    if (((linear + size - 1) & ~0xfff) == load<u64>(entry, TLB_WRITE)) {
      const at = <usize>linear + load<u32>(entry, TLB_ADDEND);
      v128.store(at, v128.bitselect(v128.load(from), v128.load(at), spread(v128.load(mask), wide)));
      if (both) v128.store(at, v128.bitselect(v128.load(from, 16), v128.load(at, 16), spread(v128.load(mask, 16), wide)), 16);
      return;
    }
  }
  const offset = effectiveOffset(cpu, rec);
  const active = bits(mask, wide, both);
  const bytes: u32 = wide ? 8 : 4;
  for (let i: u32 = 0; i * bytes < size; i++) {
    if ((active >> i) & 1) probeWrite(cpu, linearAt(cpu, rec, offset + i * bytes, bytes, 1), bytes);
  }
  for (let i: u32 = 0; i * bytes < size; i++) {
    if (((active >> i) & 1) == 0) continue;
    const linear = linearAt(cpu, rec, offset + i * bytes, bytes, 1);
    if (linear & (bytes - 1)) {
      for (let j: u32 = 0; j < bytes; j++) write8(cpu, wrap(cpu, linear + j), load<u8>(from + i * bytes + j));
    } else if (wide) write64(cpu, linear, load<u64>(from + i * bytes));
    else write32(cpu, linear, load<u32>(from + i * bytes));
  }
}

/**
 * VPGATHER and VGATHER. What was loaded before an element faults stays in the destination, and its mask is cleared: the
 * instruction goes on from there when it is executed again.
 */
export function execGather(cpu: usize, rec: usize, op: u32): void {
  const kind = op - OPS_GATHER;
  const wide = (kind & 1) != 0;
  const wideIndexes = (kind & 2) != 0;
  const to = regPlace(cpu, rec);
  const mask = vvvvPlace(cpu, rec);
  const indexes = indexPlace(cpu, rec);
  if (to == mask || to == indexes || mask == indexes) raise(cpu, UD);
  const bytes: u32 = isWide(rec) ? 32 : 16;
  const count = bytes >> (wide || wideIndexes ? 3 : 2);
  const base = effectiveOffset(cpu, rec);
  const scale = load<u8>(rec, REC_SCALE);
  for (let i: u32 = 0; i < count; i++) {
    const index = wideIndexes ? load<i64>(indexes + (i << 3)) : <i64>load<i32>(indexes + (i << 2));
    const offset = base + (<u64>index << scale);
    if (wide) {
      if (load<i64>(mask + (i << 3)) < 0) store<u64>(to + (i << 3), element64(cpu, rec, offset));
      store<u64>(mask + (i << 3), 0);
    } else {
      if (load<i32>(mask + (i << 2)) < 0) store<u32>(to + (i << 2), element32(cpu, rec, offset));
      store<u32>(mask + (i << 2), 0);
    }
  }
  // What lies above the elements is cleared.
  const used = count << (wide ? 3 : 2);
  memory.fill(to + used, 0, 32 - used);
  memory.fill(mask + used, 0, 32 - used);
}
