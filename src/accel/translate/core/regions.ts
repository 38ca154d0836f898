// Regions: functions of the translator's in the core's table, and what they ask of the core. The host's side is
// translator/. A region is entered between blocks, and no other way.
import {
  BLOCK_ENTERED, BLOCK_FIRST_OP, BLOCK_HEADER, BLOCK_MODE, BLOCK_REGION, BLOCK_REGION_ENTRIES, BLOCK_RIP, BLOCK_SECOND_PAGE, COUNT_REGION_COLD, COUNT_REGION_FAULTS,
  COUNT_REGION_INSTRUCTIONS, COUNT_REGION_LEAVES, COUNT_REGION_PENDING, COUNT_REGION_READS, COUNT_REGION_RUNS,
  COUNT_REGION_SYSTEM, COUNT_REGION_UNKNOWN, COUNT_REGION_WRITES, CUR_REC, END_REGION_INSTRUCTIONS, EXC_PENDING, EXIT_REASON,
  HEAT_INITIAL, JUMPS, JUMP_ENTRIES, JUMP_KEY, MACHINE_BLOCK, MODE, NO_TLB, PROFILING, REGION_BUFFER, REGION_CALLOUTS, REGION_DROPS, REGION_LEAVES, REGION_OPERATIONS,
  REGION_SYSTEM, REMAINING, RIP, TLB,
} from "../layout";
import { count, countMore, endOf, granulesHeld, knownBlock, lookUp, operationOf, pageHasCode, setHeat } from "./blocks";
import { carryFlag, condition } from "./flags";
import { execute, executeRecord, mayEnterRegion, settle } from "./general";
import { TLB_ADDEND, TLB_FETCH, tlbEntry } from "./memory";
import { NO_MEMORY, markDirty, readHost, watchesPage, wrap, writeHost } from "./mmu";
import { MODE_CS_LIMITED } from "./mode-bits";
import { OPS_SYSTEM, OPS_X87 } from "./ops";
import { OP_FUSED, OP_FUSED_END, OP_REGION, OP_RELOOKUP, OP_SPECIAL } from "./ops-integer";
import { REC_AUX, REC_OP } from "./record";

// How running in regions ended; RIP and the budget are right.
/** Nothing more to do in regions, or something to look at between blocks. */
export const REGION_DONE: u32 = 0;
/** The instruction at RIP is the interpreter's, even where a region begins. */
export const REGION_FORCED: u32 = 1;
/** An exception or an exit is pending, as after an unwind. */
export const REGION_CAUGHT: u32 = 2;

/** Regions that wait for the return of a call they made, at most: they stand on the host's stack. */
const MOST_CALLS: u32 = 64;
let calls: u32 = 0;

/** Runs the region of a block, and those that follow it. */
export function runRegions(cpu: usize, first: usize): u32 {
  count(cpu, COUNT_REGION_RUNS);
  return load<u32>(MACHINE_BLOCK, PROFILING) != 0 ? runChain<u64>(cpu, first) : runChain<u32>(cpu, first);
}

// As lookUp, remembering what it found: a region is followed by few others.
// @ts-ignore: decorator
@inline
function jumpTo(cpu: usize, rip: u64): usize {
  const jump = cpu + JUMPS + ((<usize>(rip ^ (rip >> 10)) & (JUMP_ENTRIES - 1)) << 4);
  const block: usize = load<u32>(jump, 8);
  if (
    load<u64>(jump) == rip && load<u32>(jump, 12) == load<u32>(cpu, JUMP_KEY) && load<u32>(block, BLOCK_MODE) == load<u32>(cpu, MODE)
  ) return block;
  return findJump(cpu, rip, jump);
}

function findJump(cpu: usize, rip: u64, jump: usize): usize {
  const block = lookUp(cpu, rip);
  if (block != 0) {
    store<u64>(jump, rip);
    store<u32>(jump, <u32>block, 8);
    store<u32>(jump, load<u32>(cpu, JUMP_KEY), 12);
  }
  return block;
}

// P: u64 to count for a profile, u32 not to.
function runChain<P>(cpu: usize, first: usize): u32 {
  let block = first;
  // The budget where regions began to run.
  let began = load<i64>(cpu, REMAINING);
  calls = 0;
  while (true) {
    store<u8>(block, 1, BLOCK_ENTERED);
    const before = sizeof<P>() == 8 ? load<i64>(cpu, REMAINING) : 0;
    const status = call_indirect<i32>(load<u32>(block, BLOCK_REGION), cpu, load<u64>(cpu, RIP));
    if (status != 0) {
      const rec: usize = load<u32>(cpu, CUR_REC);
      const op = rec != 0 ? resolvedOperation(rec) : 0;
      settle(cpu);
      if (sizeof<P>() == 8) profile(cpu, block, before);
      if (load<u32>(cpu, EXC_PENDING) != 0 || load<u32>(cpu, EXIT_REASON) != 0) {
        ended(cpu, began, COUNT_REGION_FAULTS);
        return REGION_CAUGHT;
      }
      // What else is pending is looked at first: the region leaves here again if it is entered again.
      if (rec != 0) {
        ended(cpu, began, COUNT_REGION_LEAVES);
        countOperation(REGION_LEAVES, op);
        return mayEnterRegion(cpu) ? REGION_FORCED : REGION_DONE;
      }
    } else if (sizeof<P>() == 8) profile(cpu, block, before);
    // On to the next region, over the operations that end every region.
    while (true) {
      if (!mayEnterRegion(cpu)) {
        ended(cpu, began, COUNT_REGION_PENDING);
        return REGION_DONE;
      }
      const rip = load<u64>(cpu, RIP);
      block = jumpTo(cpu, rip);
      if (block == 0) {
        ended(cpu, began, COUNT_REGION_UNKNOWN);
        return REGION_DONE;
      }
      if (load<u32>(block, BLOCK_REGION) != 0) break;
      const rec = block + BLOCK_HEADER;
      const op = <u32>load<u16>(rec, REC_OP);
      // What it raises ends this: it is counted now.
      ended(cpu, began, op < OPS_SYSTEM || op >= OPS_X87 ? COUNT_REGION_COLD : COUNT_REGION_SYSTEM);
      if (op < OPS_SYSTEM || op >= OPS_X87) return REGION_DONE;
      countOperation(REGION_SYSTEM, op);
      store<u64>(cpu, rip, BLOCK_RIP);
      store<u32>(cpu, <u32>rec, CUR_REC);
      execute(cpu, rec, op);
      store<u32>(cpu, 0, CUR_REC);
      began = load<i64>(cpu, REMAINING);
    }
  }
}

// ---- Counting. Nothing of it is on a region's own way.

// Regions ran since `began`, and end for this reason.
function ended(cpu: usize, began: i64, why: usize): void {
  count(cpu, why);
  countMore(cpu, COUNT_REGION_INSTRUCTIONS, began - load<i64>(cpu, REMAINING));
}

// A run of a block's region has ended, which began with `before` left of the budget.
function profile(cpu: usize, block: usize, before: i64): void {
  const end = endOf(block);
  store<u32>(block, load<u32>(block, BLOCK_REGION_ENTRIES) + 1, BLOCK_REGION_ENTRIES);
  const retired = <u64>(before - load<i64>(cpu, REMAINING));
  store<u64>(end, load<u64>(end, END_REGION_INSTRUCTIONS) + retired, END_REGION_INSTRUCTIONS);
}

function countOperation(table: usize, op: u32): void {
  const at = table + (<usize>(op & (REGION_OPERATIONS - 1)) << 3);
  store<u64>(at, load<u64>(at) + 1);
}

// The operation itself: what OP_REGION, OP_SPECIAL and fused pairs stand for.
function resolvedOperation(rec: usize): u32 {
  const op = operationOf(rec);
  return op == OP_SPECIAL || (op >= OP_FUSED && op < OP_FUSED_END) ? load<u32>(rec, REC_AUX) : op;
}

/** The region that called goes on. */
const CALL_RETURNED: u32 = 0;
/** The state block is right, with an instruction that the run loop settles. */
const CALL_LEFT: u32 = 1;
/** The state block is right, and another block than the caller's next one follows. */
const CALL_ENDED: u32 = 2;

/**
 * Runs regions for one that made a call, from RIP on until RIP is `back`. What the caller's region was made from is what
 * it was then, and nothing waits between blocks; else it has to end.
 */
export function regionCall(cpu: usize, back: u64): u32 {
  if (calls == MOST_CALLS) return CALL_ENDED;
  calls++;
  const drops = load<u32>(MACHINE_BLOCK, REGION_DROPS);
  const tlb = load<u32>(cpu, TLB);
  let answer = CALL_ENDED;
  while (mayEnterRegion(cpu)) {
    const block = jumpTo(cpu, load<u64>(cpu, RIP));
    if (block == 0 || load<u32>(block, BLOCK_REGION) == 0) break;
    store<u8>(block, 1, BLOCK_ENTERED);
    if (call_indirect<i32>(load<u32>(block, BLOCK_REGION), cpu, load<u64>(cpu, RIP)) != 0) {
      answer = CALL_LEFT;
      break;
    }
    if (load<u64>(cpu, RIP) != back) continue;
    if (mayEnterRegion(cpu) && load<u32>(MACHINE_BLOCK, REGION_DROPS) == drops && load<u32>(cpu, TLB) == tlb) answer = CALL_RETURNED;
    break;
  }
  calls--;
  return answer;
}

// ---- What regions call, through guards that catch an unwind. `rec` is the instruction's record, `blockRip` the RIP of
// its block and `remaining` the budget as it was where that block began.

// @ts-ignore: decorator
@inline
function at(cpu: usize, rec: usize, blockRip: u64, remaining: i64): void {
  store<u32>(cpu, <u32>rec, CUR_REC);
  store<u64>(cpu, blockRip, BLOCK_RIP);
  store<i64>(cpu, remaining, REMAINING);
}

/**
 * Where `size` bytes (1 to 32) at a linear address can be read now: in RAM, or in a copy that the next such call ends.
 * 0: the interpreter has to do this instruction; nothing of it is done. Raises #PF.
 */
export function regionRead(cpu: usize, linear: u64, size: u32, rec: usize, blockRip: u64, remaining: i64): u32 {
  at(cpu, rec, blockRip, remaining);
  count(cpu, COUNT_REGION_READS);
  // Alignment is checked while there is no TLB.
  if (load<u32>(cpu, TLB) == NO_TLB || watchesPage(cpu, linear & ~0xfff)) return 0;
  const host = readHost(cpu, linear, 0);
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  if (size <= first) return host == NO_MEMORY ? 0 : host;
  const second = wrap(cpu, linear + first);
  if (second < linear || watchesPage(cpu, second)) return 0;
  const rest = readHost(cpu, second, 0);
  if (host == NO_MEMORY || rest == NO_MEMORY) return 0;
  const buffer = cpu + REGION_BUFFER;
  memory.copy(buffer, host, first);
  memory.copy(buffer + first, rest, size - first);
  return <u32>buffer;
}

/**
 * Where `size` bytes at a linear address can be written now, and read before. 0: the interpreter has to do this
 * instruction, because it is more than a store to RAM; nothing of it is done. Raises #PF.
 */
export function regionWrite(cpu: usize, linear: u64, size: u32, rec: usize, blockRip: u64, remaining: i64): u32 {
  at(cpu, rec, blockRip, remaining);
  count(cpu, COUNT_REGION_WRITES);
  if (load<u32>(cpu, TLB) == NO_TLB || watchesPage(cpu, linear & ~0xfff)) return 0;
  if ((<u32>linear & 0xfff) + size > 0x1000) return 0;
  const host = writeHost(cpu, linear, 0);
  if (host == NO_MEMORY || (pageHasCode(host) && granulesHeld(host, size))) return 0;
  markDirty(host);
  return host;
}

/** Executes the instruction of a record: see executeRecord for the answer. Raises what it raises. */
export function regionExecute(cpu: usize, rec: usize, blockRip: u64, remaining: i64): u32 {
  at(cpu, rec, blockRip, remaining);
  countOperation(REGION_CALLOUTS, resolvedOperation(rec));
  return executeRecord(cpu, rec);
}

/** Whether a condition holds, by its code in Jcc's opcode. */
export function regionCondition(cpu: usize, code: u32): u32 {
  return u32(condition(cpu, code));
}

/** CF. */
export function regionCarry(cpu: usize): u32 {
  return <u32>carryFlag(cpu);
}

// ---- What the translator does and asks. Nothing is raised or decoded.

/** Puts a region of the table at a block's place. */
export function publishRegion(block: usize, region: u32): void {
  const rec = block + BLOCK_HEADER;
  const op = operationOf(rec);
  // The code has changed meanwhile.
  if (op == OP_RELOOKUP) return;
  store<u16>(block, <u16>op, BLOCK_FIRST_OP);
  store<u16>(rec, <u16>OP_REGION, REC_OP);
  store<u32>(block, region, BLOCK_REGION);
  setHeat(block, 0);
  store<u8>(block, 1, BLOCK_ENTERED);
}

/** Takes it away where it stands; the block may become hot again. */
export function withdrawRegion(block: usize, region: u32): void {
  store<u32>(MACHINE_BLOCK, load<u32>(MACHINE_BLOCK, REGION_DROPS) + 1, REGION_DROPS);
  if (load<u32>(block, BLOCK_REGION) != region) return;
  const rec = block + BLOCK_HEADER;
  if (<u32>load<u16>(rec, REC_OP) == OP_REGION) store<u16>(rec, load<u16>(block, BLOCK_FIRST_OP), REC_OP);
  store<u32>(block, 0, BLOCK_REGION);
  setHeat(block, load<u32>(MACHINE_BLOCK, HEAT_INITIAL));
}

/** The block at a linear address, as a jump there would find it, where it is known; else 0. */
export function peekBlock(cpu: usize, linear: u64): usize {
  const mode = load<u32>(cpu, MODE);
  if (mode & MODE_CS_LIMITED) return 0;
  const offset = fetchOffset(cpu, linear);
  if (offset == 0) return 0;
  const block = knownBlock(offset, mode);
  if (block == 0) return 0;
  const second = load<u32>(block, BLOCK_SECOND_PAGE);
  return second == 0 || fetchOffset(cpu, (linear | 0xfff) + 1) == second ? block : 0;
}

/** The wasm offset of code at a linear address by the TLB, else 0. */
export function fetchOffset(cpu: usize, linear: u64): u32 {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  return load<u64>(entry, TLB_FETCH) == (linear & ~0xfff) ? <u32>linear + load<u32>(entry, TLB_ADDEND) : 0;
}
