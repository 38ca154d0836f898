// String operations with their repeat prefixes. Each call does a bounded piece: what it has done is in
// RCX, RSI and RDI, so that a fault or an interrupt finds an exact state. The flags of CMPS and SCAS are
// set when the last comparison is known: a fault on the way leaves them as they were.
import {
  DEBUG_STEP, DR, ES, FS, GS, INTERRUPT_CHECK, MODE, RFLAGS, SEGMENTS, SEG_BYTES, SEG_LIMIT, TLB,
} from "../layout";
import { CC_SUB, DF, TF, setLazy } from "./flags";
import { TLB_ADDEND, TLB_READ, TLB_WRITE, tlbEntry } from "./memory";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import {
  RAX, RCX, RDI, RSI, getReg, logOf, maskOf, putReg, readSized, writeSized,
} from "./operands";
import { OP_CMPS, OP_LODS, OP_MOVS, OP_SCAS, OP_STOS } from "./ops-integer";
import { F_REPE, F_REPNE, REC_ASIZE, REC_FLAGS, REC_OSIZE, REC_SEG } from "./record";
import { segmentLinear } from "./segments";

/** Single elements, and bulk moves of up to a page, that one call does at most. */
const PIECE: u32 = 1024;
const PIECE_PAGES: u32 = 16;

/** Executes a string operation. False where it is not done: the instruction starts over with the registers as they are. */
export function execString(cpu: usize, rec: usize, op: u32): bool {
  const size = <u32>load<u8>(rec, REC_OSIZE);
  const wide = <u32>load<u8>(rec, REC_ASIZE);
  const repeat = <u32>load<u8>(rec, REC_FLAGS) & (F_REPE | F_REPNE);
  const down = (load<u64>(cpu, RFLAGS) & DF) != 0;
  const step: u64 = down ? 0 - <u64>size : <u64>size;
  if (repeat == 0) {
    if (op == OP_CMPS || op == OP_SCAS) compare(cpu, rec, op, size, wide, step, 0);
    else move(cpu, rec, op, size, wide, step);
    return true;
  }
  const left = getReg(cpu, RCX, wide);
  if (left == 0) return true;
  const pieces: u32 = isStepped(cpu) ? 1 : PIECE;
  if (op == OP_CMPS || op == OP_SCAS) return repeatCompare(cpu, rec, op, size, wide, step, repeat, left, pieces);
  return repeatMove(cpu, rec, op, size, wide, step, left, pieces);
}

// A trap after each iteration: the trap flag, a debugger, data breakpoints.
function isStepped(cpu: usize): bool {
  return (
    (load<u64>(cpu, RFLAGS) & TF) != 0 || load<u32>(cpu, DEBUG_STEP) != 0 || (load<u64>(cpu, DR + 7 * 8) & 0xff) != 0
  );
}

function repeatMove(cpu: usize, rec: usize, op: u32, size: u32, wide: u32, step: u64, count: u64, pieces: u32): bool {
  let left = count;
  let pages: u32 = 0;
  for (let done: u32 = 0; done < pieces; done++) {
    let moved: u64 = 0;
    if (pieces != 1 && left > 2 && op != OP_LODS && step == <u64>size) moved = bulk(cpu, rec, op, size, wide, left);
    if (moved == 0) {
      move(cpu, rec, op, size, wide, step);
      moved = 1;
    } else if (++pages == PIECE_PAGES) done = pieces;
    left -= moved;
    putReg(cpu, RCX, wide, left);
    if (left == 0) return true;
    // A device was reached, perhaps, and wants attention.
    if (load<u32>(cpu, INTERRUPT_CHECK) != 0) break;
  }
  return false;
}

function repeatCompare(
  cpu: usize, rec: usize, op: u32, size: u32, wide: u32, step: u64, repeat: u32, count: u64, pieces: u32,
): bool {
  let left = count;
  for (let done: u32 = 0; done < pieces; done++) {
    const more = compare(cpu, rec, op, size, wide, step, left == 1 ? 0 : repeat);
    left--;
    putReg(cpu, RCX, wide, left);
    if (!more) return true;
  }
  return false;
}

// @ts-ignore: decorator
@inline
function advance(cpu: usize, at: u32, wide: u32, step: u64): void {
  putReg(cpu, at, wide, getReg(cpu, at, wide) + step);
}

// One element of MOVS, STOS or LODS.
function move(cpu: usize, rec: usize, op: u32, size: u32, wide: u32, step: u64): void {
  if (op == OP_STOS) {
    writeSized(cpu, destination(cpu, size, wide, 1), size, load<u64>(cpu, RAX));
    advance(cpu, RDI, wide, step);
    return;
  }
  const value = readSized(cpu, source(cpu, rec, size, wide), size);
  if (op == OP_LODS) putReg(cpu, RAX, size, value);
  else {
    writeSized(cpu, destination(cpu, size, wide, 1), size, value);
    advance(cpu, RDI, wide, step);
  }
  advance(cpu, RSI, wide, step);
}

// One element of CMPS or SCAS. Answers whether a repetition goes on; the flags are set when it does not.
function compare(cpu: usize, rec: usize, op: u32, size: u32, wide: u32, step: u64, repeat: u32): bool {
  // Where both operands fault, the exception is the destination's, as on AMD's processors.
  const b = readSized(cpu, destination(cpu, size, wide, 0), size);
  const a = op == OP_CMPS ? readSized(cpu, source(cpu, rec, size, wide), size) : getReg(cpu, RAX, size);
  if (op == OP_CMPS) advance(cpu, RSI, wide, step);
  advance(cpu, RDI, wide, step);
  if (repeat != 0 && (a == b) == (repeat == F_REPE)) return true;
  setLazy(cpu, (CC_SUB << 2) | logOf(size), (a - b) & maskOf(size), a, b);
  return false;
}

function source(cpu: usize, rec: usize, size: u32, wide: u32): u64 {
  return linearOf(cpu, <u32>load<u8>(rec, REC_SEG), getReg(cpu, RSI, wide), size, 0);
}
function destination(cpu: usize, size: u32, wide: u32, write: u32): u64 {
  return linearOf(cpu, ES, getReg(cpu, RDI, wide), size, write);
}

function linearOf(cpu: usize, segment: u32, offset: u64, size: u32, write: u32): u64 {
  if ((load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64 && segment != FS && segment != GS) return offset;
  return segmentLinear(cpu, segment, offset, size, write);
}

// Elements of `size` bytes that may go in one piece from `offset` on: up to the page's end, and only where
// neither the address nor the segment ends before. 0 where the element alone has to be looked at.
function span(cpu: usize, segment: u32, offset: u64, linear: u64, size: u32, wide: u32): u64 {
  if (wide == 2) return 0;
  if ((load<u32>(cpu, MODE) & MODE_SIZE) != MODE_64) {
    if (load<u32>(cpu + SEGMENTS + segment * SEG_BYTES, SEG_LIMIT) != 0xffffffff) return 0;
  }
  const room = 0x1000 - (linear & 0xfff);
  if (wide == 4 && offset + room > 0x100000000) return 0;
  return room / size;
}

// MOVS or STOS forward, as much of it as lies on one page of plain memory on both sides. Answers the
// elements done, 0 where one at a time is right.
function bulk(cpu: usize, rec: usize, op: u32, size: u32, wide: u32, left: u64): u64 {
  const tlb: usize = load<u32>(cpu, TLB);
  const to = getReg(cpu, RDI, wide);
  const toLinear = linearOf(cpu, ES, to, size, 1);
  const toEntry = tlbEntry(tlb, toLinear);
  if (load<u64>(toEntry, TLB_WRITE) != (toLinear & ~0xfff)) return 0;
  let count = min<u64>(left, span(cpu, ES, to, toLinear, size, wide));
  const toHost = <usize>toLinear + load<u32>(toEntry, TLB_ADDEND);
  if (op == OP_STOS) {
    if (count == 0) return 0;
    fill(toHost, load<u64>(cpu, RAX), size, <usize>count);
    putReg(cpu, RDI, wide, to + count * size);
    return count;
  }
  const segment = <u32>load<u8>(rec, REC_SEG);
  const from = getReg(cpu, RSI, wide);
  const fromLinear = linearOf(cpu, segment, from, size, 0);
  const fromEntry = tlbEntry(tlb, fromLinear);
  if (load<u64>(fromEntry, TLB_READ) != (fromLinear & ~0xfff)) return 0;
  count = min<u64>(count, span(cpu, segment, from, fromLinear, size, wide));
  if (count == 0) return 0;
  const fromHost = <usize>fromLinear + load<u32>(fromEntry, TLB_ADDEND);
  const bytes = <usize>count * size;
  if (toHost > fromHost && toHost < fromHost + bytes) {
    // A destination just above its source repeats what was copied.
    for (let at: usize = 0; at < bytes; at += size) copyElement(toHost + at, fromHost + at, size);
  } else memory.copy(toHost, fromHost, bytes);
  putReg(cpu, RDI, wide, to + bytes);
  putReg(cpu, RSI, wide, from + bytes);
  return count;
}

function fill(at: usize, value: u64, size: u32, count: usize): void {
  const pattern = size == 8 ? value : size == 4 ? (value & 0xffffffff) * 0x100000001 : (value & 0xffff) * 0x1000100010001;
  if (size == 1 || pattern == (value & 0xff) * 0x101010101010101) {
    memory.fill(at, <u8>value, count * size);
    return;
  }
  const end = at + count * size;
  let next = at;
  for (; next + 8 <= end; next += 8) store<u64>(next, pattern);
  // What is left is less than a pattern: its low part.
  for (let rest = pattern; next < end; next += size, rest >>= <u64>size << 3) {
    if (size == 4) store<u32>(next, <u32>rest);
    else store<u16>(next, <u16>rest);
  }
}

function copyElement(to: usize, from: usize, size: u32): void {
  if (size == 8) store<u64>(to, load<u64>(from));
  else if (size == 4) store<u32>(to, load<u32>(from));
  else if (size == 2) store<u16>(to, load<u16>(from));
  else store<u8>(to, load<u8>(from));
}
