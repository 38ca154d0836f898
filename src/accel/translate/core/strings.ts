// String operations with their repeat prefixes. Each call does a bounded piece: what it has done is in
// RCX, RSI and RDI, so that a fault or an interrupt finds an exact state.
import { ES, FS, GPR, GS, MODE, RFLAGS, TLB } from "../layout";
import { DF, condition } from "./flags";
import { compareSized, getSized, putSized, readSized, writeSized } from "./integer";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import { TLB_ADDEND, TLB_READ, TLB_WRITE, tlbEntry } from "./memory";
import * as I from "./ops-integer";
import { F_REPE, F_REPNE, REC_ASIZE, REC_FLAGS, REC_OSIZE, REC_SEG } from "./record";
import { segmentLinear } from "./segments";

const RAX: usize = GPR;
const RCX: usize = GPR + 8;
const RSI: usize = GPR + 6 * 8;
const RDI: usize = GPR + 7 * 8;

/** Elements a call does at most before it looks at interrupts again. */
const PIECE: u64 = 4096;

// @ts-ignore: decorator
@inline
function advance(at: usize, wide: u32, step: u64): void {
  putSized(at, wide, getSized(at, wide) + step);
}

/** Executes a string operation. False where it is not done: the instruction starts over with the registers as they are. */
export function execString(cpu: usize, rec: usize, op: u32): bool {
  const bytes = <u32>load<u8>(rec, REC_OSIZE);
  const wide = <u32>load<u8>(rec, REC_ASIZE);
  const repeat = <u32>load<u8>(rec, REC_FLAGS) & (F_REPE | F_REPNE);
  const step: u64 = (load<u64>(cpu, RFLAGS) & DF) != 0 ? 0 - <u64>bytes : <u64>bytes;
  if (repeat == 0) {
    element(cpu, rec, op, bytes, wide, step);
    return true;
  }
  let left = getSized(cpu + RCX, wide);
  if (left == 0) return true;
  for (let done: u64 = 0; done < PIECE; done++) {
    if ((op == I.OP_MOVS || op == I.OP_STOS) && step == <u64>bytes && left > 4) {
      const moved = bulk(cpu, rec, op, bytes, wide, left);
      if (moved != 0) {
        left -= moved;
        putSized(cpu + RCX, wide, left);
        if (left == 0) return true;
        continue;
      }
    }
    element(cpu, rec, op, bytes, wide, step);
    left--;
    putSized(cpu + RCX, wide, left);
    if (left == 0) return true;
    if ((op == I.OP_CMPS || op == I.OP_SCAS) && condition(cpu, 4) != (repeat == F_REPE)) return true;
  }
  return false;
}

function element(cpu: usize, rec: usize, op: u32, bytes: u32, wide: u32, step: u64): void {
  switch (op) {
    case I.OP_MOVS: {
      const value = readSized(cpu, source(cpu, rec, bytes, wide), bytes);
      writeSized(cpu, destination(cpu, bytes, wide, 1), bytes, value);
      advance(cpu + RSI, wide, step);
      advance(cpu + RDI, wide, step);
      break;
    }
    case I.OP_STOS:
      writeSized(cpu, destination(cpu, bytes, wide, 1), bytes, load<u64>(cpu, RAX));
      advance(cpu + RDI, wide, step);
      break;
    case I.OP_LODS:
      putSized(cpu + RAX, bytes, readSized(cpu, source(cpu, rec, bytes, wide), bytes));
      advance(cpu + RSI, wide, step);
      break;
    case I.OP_SCAS: {
      const value = readSized(cpu, destination(cpu, bytes, wide, 0), bytes);
      compareSized(cpu, bytes, getSized(cpu + RAX, bytes), value);
      advance(cpu + RDI, wide, step);
      break;
    }
    default: {
      const a = readSized(cpu, source(cpu, rec, bytes, wide), bytes);
      const b = readSized(cpu, destination(cpu, bytes, wide, 0), bytes);
      compareSized(cpu, bytes, a, b);
      advance(cpu + RSI, wide, step);
      advance(cpu + RDI, wide, step);
    }
  }
}

function source(cpu: usize, rec: usize, bytes: u32, wide: u32): u64 {
  return linearOf(cpu, <u32>load<u8>(rec, REC_SEG), getSized(cpu + RSI, wide), bytes, 0);
}
function destination(cpu: usize, bytes: u32, wide: u32, write: u32): u64 {
  return linearOf(cpu, ES, getSized(cpu + RDI, wide), bytes, write);
}

function linearOf(cpu: usize, segment: u32, offset: u64, bytes: u32, write: u32): u64 {
  if ((load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64 && segment != FS && segment != GS) return offset;
  return segmentLinear(cpu, segment, offset, bytes, write);
}

// MOVS or STOS forward, as much of it as lies on one page of plain memory on both sides and does not
// overlap in a way that shows. Answers the elements done, 0 where one at a time is right.
function bulk(cpu: usize, rec: usize, op: u32, bytes: u32, wide: u32, left: u64): u64 {
  if (wide != 8 || (load<u32>(cpu, MODE) & MODE_SIZE) != MODE_64) return 0;
  const to = load<u64>(cpu, RDI);
  const toEntry = tlbEntry(load<u32>(cpu, TLB), to);
  if (load<u64>(toEntry, TLB_WRITE) != (to & ~0xfff)) return 0;
  let room = 0x1000 - (to & 0xfff);
  const toHost = <usize>to + load<u32>(toEntry, TLB_ADDEND);
  if (op == I.OP_STOS) {
    const count = min<u64>(room / bytes, left);
    if (count == 0) return 0;
    const value = load<u64>(cpu, RAX);
    if (bytes == 1 || value == 0) memory.fill(toHost, <u8>value, <usize>(count * bytes));
    else for (let i: u64 = 0; i < count; i++) storeSized(toHost + <usize>(i * bytes), bytes, value);
    store<u64>(cpu, to + count * bytes, RDI);
    return count;
  }
  const segment = <u32>load<u8>(rec, REC_SEG);
  if (segment == FS || segment == GS) return 0;
  const from = load<u64>(cpu, RSI);
  const fromEntry = tlbEntry(load<u32>(cpu, TLB), from);
  if (load<u64>(fromEntry, TLB_READ) != (from & ~0xfff)) return 0;
  room = min<u64>(room, 0x1000 - (from & 0xfff));
  const fromHost = <usize>from + load<u32>(fromEntry, TLB_ADDEND);
  const count = min<u64>(room / bytes, left);
  if (count == 0) return 0;
  // A destination just above its source repeats what was copied: one element at a time.
  if (toHost > fromHost && toHost < fromHost + <usize>(count * bytes)) return 0;
  memory.copy(toHost, fromHost, <usize>(count * bytes));
  store<u64>(cpu, to + count * bytes, RDI);
  store<u64>(cpu, from + count * bytes, RSI);
  return count;
}

function storeSized(at: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(at, value);
  else if (bytes == 4) store<u32>(at, <u32>value);
  else store<u16>(at, <u16>value);
}
