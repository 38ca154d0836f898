// The cache of predecoded blocks. A block is a header and its records, in an arena that is emptied when
// it is full. It is keyed by the wasm offset of its first byte (that is, by physical address) and MODE.
//
// The header's fields are BLOCK_* in layout.ts, because the translator reads them too. The last record is always a
// transfer, an operation that ends blocks, or OP_END.
//
// A code page has a structure of 16 bytes: u64 bitmap of its 64-byte granules that hold code, u32 first
// block, u32 see below. Writes to such pages come through codeWritten.
//
// MONITOR's lines are granules too, marked in the same bitmap. A page that was monitored keeps the mark of a
// line that is written, because the next MONITOR is likely to be for it and dropping write tags is slow: its
// last u32 counts such writes since the last MONITOR, from 1 on, and the mark goes when they are many.
import {
  ARENA_NEXT, BLOCK_CODE_BYTES, BLOCK_COUNT, BLOCK_DEFERRED, BLOCK_ENTRIES, BLOCK_FIRST_OP, BLOCK_HASH, BLOCK_HEADER, BLOCK_HEAT, BLOCK_MODE,
  BLOCK_NEXT, BLOCK_OFFSET, BLOCK_PAGE_NEXT, BLOCK_MADE_RIP, BLOCK_RECORDS, BLOCK_REGION, BLOCK_REGION_ENTRIES, BLOCK_SECOND_NEXT, BLOCK_SECOND_PAGE,
  BLOCK_TRANSLATED, CODE_ARENA, CODE_ARENA_END, CODE_PAGES, CODE_PAGES_END, CODE_PAGES_NEXT, CODE_RETIRED, COUNT_ARENA_FLUSHES,
  COUNT_BLOCKS_DECODED, COUNT_INVALIDATIONS, COUNTERS, CS, CUR_REC, DS, FETCH_BUFFER, HEAT_INITIAL, MACHINE_BLOCK,
  MAX_VCPUS, MODE, MONITOR_LINE, PAGE_INFO, RIP, SEG_BASE, SEG_BYTES, SEG_LIMIT, SEGMENTS, SINGLE_BLOCK, SS, TLB, VCPU_BASE,
  VCPU_STRIDE,
} from "../layout";
import { DECODE_END, DECODE_SHORT, DECODE_TOO_LONG, decode } from "./decoder";
import { raiseGP } from "./exceptions";
import { hostCodeCacheEmptied, hostCodeRetired } from "./host";
import { TLB_ADDEND, TLB_FETCH, tlbEntry } from "./memory";
import { fetchPage, forgetJumps, tlbDropWrite } from "./mmu";
import { MODE_64, MODE_CS_LIMITED, MODE_FLAT, MODE_SIZE } from "./mode-bits";
import {
  OP_ALU_MI, OP_ALU_RI, OP_ALU_RM, OP_ALU_RR, OP_CALL64, OP_CALL64_M, OP_JMP64_M, OP_NOP, OP_REGION, OP_SPECIAL, OP_CMP32_MI_JCC, OP_CMP32_RI_JCC, OP_CMP32_RM_JCC,
  OP_CMP32_RR_JCC, OP_CMP64_MI_JCC, OP_CMP64_RI_JCC, OP_CMP64_RM_JCC, OP_CMP64_RR_JCC, OP_CMP8_MI_JCC, OP_CMP8_RI_JCC,
  OP_CMP8_RR_JCC, OP_END, OP_FUSED, OP_FUSED_END, OP_JCC, OP_JMP, OP_RELOOKUP, OP_TEST32_RI_JCC, OP_TEST32_RR_JCC,
  OP_TEST64_RR_JCC, OP_TEST8_MI_JCC, OP_TEST8_RI_JCC, OP_TEST8_RR_JCC, OP_TEST_MI, OP_TEST_RI, OP_TEST_RR,
} from "./ops-integer";
import {
  F_EA_SPECIAL, REC_ASIZE, REC_AUX, REC_BYTES, REC_DISP, REC_FLAGS, REC_IMM, REC_IPOFF, REC_LEN, REC_OP, REC_SCALE, REC_SEG,
  REC_SEQ,
} from "./record";

/** BLOCK_OFFSET and BLOCK_MODE as one u64. */
const BLOCK_KEY: usize = BLOCK_OFFSET;

const HASH_BITS: u32 = 18;
const HASH_ENTRIES: u32 = 1 << HASH_BITS;
/** Instructions a block has at most. REC_SEQ is a byte, and interrupts wait for a block's end. */
export const MAX_INSTRUCTIONS: u32 = 64;
const BLOCK_MAX_BYTES: usize = <usize>BLOCK_HEADER + (<usize>MAX_INSTRUCTIONS + 1) * REC_BYTES;
const CODE_PAGE_BYTES: usize = 16;
const CODE_PAGE_HITS: usize = 12;
/** Writes to a line that was monitored after which it is not watched any more. */
const MOST_HITS: u32 = 64;

// REC_SCALE of a transfer: what is on the block's own page, so that the blocks may be linked.
export const LINK_TARGET: u8 = 1;
export const LINK_NEXT: u8 = 2;

export function countMore(cpu: usize, counter: usize, more: i64): void {
  const at = cpu + COUNTERS + (counter << 3);
  store<u64>(at, load<u64>(at) + more);
}

export function count(cpu: usize, counter: usize): void {
  const at = cpu + COUNTERS + (counter << 3);
  store<u64>(at, load<u64>(at) + 1);
}

// @ts-ignore: decorator
@inline
export function bucketOf(offset: u32, mode: u32): usize {
  return BLOCK_HASH + ((((offset ^ (mode << 20)) * 0x9e3779b1) >> (32 - HASH_BITS)) << 2);
}

/** Forgets all blocks. Only between blocks: nothing may be running in one. */
export function emptyCodeCache(): void {
  hostCodeCacheEmptied();
  for (let vcpu: usize = 0; vcpu < <usize>MAX_VCPUS; vcpu++) {
    const cpu: usize = VCPU_BASE + vcpu * VCPU_STRIDE;
    if (load<u32>(cpu, TLB) != 0) forgetJumps(cpu);
  }
  memory.fill(BLOCK_HASH, 0, <usize>HASH_ENTRIES << 2);
  memory.fill(PAGE_INFO, 0, 0x400000);
  store<u32>(MACHINE_BLOCK, CODE_ARENA, ARENA_NEXT);
  store<u32>(MACHINE_BLOCK, CODE_PAGES, CODE_PAGES_NEXT);
  store<u32>(MACHINE_BLOCK, 1, CODE_RETIRED);
  // Nobody sees writes to monitored lines any more: the waits end, as they may at any time.
  for (let vcpu: usize = 0; vcpu < <usize>MAX_VCPUS; vcpu++) store<u32>(VCPU_BASE + vcpu * VCPU_STRIDE, 0, MONITOR_LINE);
}

/** Whether code, or a line that MONITOR watches, lies in the granules of an area on one page. */
export function granulesHeld(offset: u32, size: u32): bool {
  const info: usize = load<u32>(codePage(offset));
  if (info == 0) return false;
  const from = <u64>((offset & 0xfff) >> 6);
  const to = <u64>(((offset & 0xfff) + size - 1) >> 6);
  return (load<u64>(info) & (~(<u64>0) << from) & (~(<u64>0) >> (63 - to))) != 0;
}

function codePage(offset: u32): usize {
  return PAGE_INFO + ((offset >> 12) << 2);
}

/** Whether the page at a wasm offset holds predecoded code. */
export function pageHasCode(offset: u32): bool {
  const info: usize = load<u32>(codePage(offset));
  return info != 0 && load<u64>(info) != 0;
}

/** `size` bytes at a wasm offset change: blocks made from them end. They may lie on two pages at most when `size` is small. */
export function codeWritten(offset: u32, size: u32): void {
  if (size == 0) return;
  const last = offset + size - 1;
  for (let page = offset & ~0xfff; ; page += 0x1000) {
    const info: usize = load<u32>(codePage(page));
    if (info != 0 && load<u64>(info) != 0) {
      const from: u64 = page < offset ? <u64>((offset & 0xfff) >> 6) : 0;
      const to: u64 = page + 0xfff > last ? <u64>((last & 0xfff) >> 6) : 63;
      const mask = (~(<u64>0) << from) & (~(<u64>0) >> (63 - to));
      if ((load<u64>(info) & mask) != 0) {
        invalidatePage(page, info);
        if (load<u32>(info, CODE_PAGE_HITS) != 0) linesWritten(page, info, mask);
      }
    }
    if (page >= (last & ~0xfff)) break;
  }
}

/** Writes from outside the vCPUs. */
export function memoryWritten(offset: u32, size: u32): void {
  codeWritten(offset, size);
}

function invalidatePage(page: u32, info: usize): void {
  count(VCPU_BASE, COUNT_INVALIDATIONS);
  let block: usize = load<u32>(info, 8);
  store<u64>(info, 0);
  store<u32>(info, 0, 8);
  let translated = false;
  while (block != 0) {
    const isSecond = load<u32>(block, BLOCK_SECOND_PAGE) == page;
    const next: usize = load<u32>(block + (isSecond ? BLOCK_SECOND_NEXT : BLOCK_PAGE_NEXT));
    if (load<u8>(block, BLOCK_TRANSLATED) != 0) translated = true;
    retire(block);
    block = next;
  }
  if (translated) hostCodeRetired(page);
}

// Takes a block out of its bucket and turns its records into OP_RELOOKUP. It stays in its other page's list, harmlessly.
function retire(block: usize): void {
  const mode = load<u32>(block, BLOCK_MODE);
  if (mode == 0xffffffff) return;
  let link = bucketOf(load<u32>(block, BLOCK_OFFSET), mode);
  for (;;) {
    const at: usize = load<u32>(link);
    if (at == 0) break;
    if (at == block) {
      store<u32>(link, load<u32>(block, BLOCK_NEXT));
      break;
    }
    link = at + BLOCK_NEXT;
  }
  store<u32>(block, 0xffffffff, BLOCK_MODE);
  store<u32>(block, 0, BLOCK_REGION);
  store<u32>(MACHINE_BLOCK, 1, CODE_RETIRED);
  const records = <usize>load<u16>(block, BLOCK_RECORDS);
  for (let i: usize = 0; i < records; i++) store<u16>(block + BLOCK_HEADER + i * REC_BYTES, <u16>OP_RELOOKUP, REC_OP);
}

// ---- Lines that MONITOR watches.

/** Watches the line of 64 bytes around a wasm offset for a vCPU: a write to it ends the watch. */
export function monitorLine(cpu: usize, offset: u32): void {
  const pages: usize = load<u32>(MACHINE_BLOCK, CODE_PAGES_NEXT);
  // Without room for another page nothing is armed; the next block that is made makes room.
  const room = load<u32>(codePage(offset)) != 0 || pages + CODE_PAGE_BYTES <= <usize>CODE_PAGES_END;
  store<u32>(cpu, room ? offset & ~63 : 0, MONITOR_LINE);
  if (room) store<u32>(markGranules(offset & ~63, 64), 1, CODE_PAGE_HITS);
}

// Granules of a page that was monitored are written; its bitmap is empty now.
function linesWritten(page: u32, info: usize, written: u64): void {
  const hits = load<u32>(info, CODE_PAGE_HITS);
  let kept: u64 = hits < MOST_HITS ? written : 0;
  for (let vcpu: usize = 0; vcpu < <usize>MAX_VCPUS; vcpu++) {
    const cpu: usize = VCPU_BASE + vcpu * VCPU_STRIDE;
    const line = load<u32>(cpu, MONITOR_LINE);
    if (line == 0 || (line & ~0xfff) != page) continue;
    const granule = <u64>1 << <u64>((line & 0xfff) >> 6);
    if ((granule & written) != 0) store<u32>(cpu, 0, MONITOR_LINE);
    else kept |= granule;
  }
  store<u64>(info, kept);
  store<u32>(info, hits < MOST_HITS ? hits + 1 : kept != 0 ? 1 : 0, CODE_PAGE_HITS);
}

// Marks granules of a page, whose write tags go, so that writes are seen. Answers the page's structure.
function markGranules(offset: u32, size: u32): usize {
  const slot = codePage(offset);
  let info: usize = load<u32>(slot);
  if (info == 0) {
    info = load<u32>(MACHINE_BLOCK, CODE_PAGES_NEXT);
    store<u32>(MACHINE_BLOCK, <u32>(info + CODE_PAGE_BYTES), CODE_PAGES_NEXT);
    memory.fill(info, 0, CODE_PAGE_BYTES);
    store<u32>(slot, <u32>info);
  }
  const bitmap = load<u64>(info);
  if (bitmap == 0) tlbDropWrite(offset & ~0xfff);
  const from = <u64>((offset & 0xfff) >> 6);
  const to = <u64>(((offset & 0xfff) + size - 1) >> 6);
  store<u64>(info, bitmap | ((~(<u64>0) << from) & (~(<u64>0) >> (63 - to))));
  return info;
}

// Makes a page a code page.
function markCode(offset: u32, size: u32, block: usize, nextField: usize): void {
  const info = markGranules(offset, size);
  store<u32>(block + nextField, load<u32>(info, 8));
  store<u32>(info, <u32>block, 8);
}

// The linear address of RIP + distance.
// @ts-ignore: decorator
@inline
function codeLinear(cpu: usize, rip: u64): u64 {
  if ((load<u32>(cpu, MODE) & MODE_SIZE) == MODE_64) return rip;
  return (rip + load<u64>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_BASE)) & 0xffffffff;
}

// @ts-ignore: decorator
@inline
function pageOf(cpu: usize, linear: u64): u32 {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  const page = linear & ~0xfff;
  if (load<u64>(entry, TLB_FETCH) == page) return <u32>page + load<u32>(entry, TLB_ADDEND);
  return fetchPage(cpu, linear);
}

/** The block at RIP, made if need be. Raises what the fetch raises. */
export function findBlock(cpu: usize): usize {
  store<u32>(cpu, 0, CUR_REC);
  const rip = load<u64>(cpu, RIP);
  const mode = load<u32>(cpu, MODE);
  const linear = codeLinear(cpu, rip);
  if (mode & MODE_CS_LIMITED) {
    if (rip > <u64>load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT)) raiseGP(cpu);
  }
  const offset = pageOf(cpu, linear) + (<u32>linear & 0xfff);
  let block: usize = load<u32>(bucketOf(offset, mode));
  while (block != 0) {
    if (load<u32>(block, BLOCK_OFFSET) == offset && load<u32>(block, BLOCK_MODE) == mode) {
      if (load<u32>(block, BLOCK_SECOND_PAGE) == 0) return block;
      // The same first page, perhaps not the same second one.
      if (pageOf(cpu, (linear | 0xfff) + 1) == load<u32>(block, BLOCK_SECOND_PAGE)) return limited(cpu, block, rip, mode);
      retire(block);
      break;
    }
    block = load<u32>(block, BLOCK_NEXT);
  }
  return limited(cpu, makeBlock(cpu, linear, offset, mode), rip, mode);
}

// With a limited CS the block's bytes are checked against it: where they pass it, the first instruction alone decides.
function limited(cpu: usize, block: usize, rip: u64, mode: u32): usize {
  if ((mode & MODE_CS_LIMITED) == 0) return block;
  const limit = <u64>load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_LIMIT);
  if (rip + <u64>load<u32>(block, BLOCK_CODE_BYTES) - 1 <= limit) return block;
  if (rip + <u64>load<u8>(block + BLOCK_HEADER, REC_LEN) - 1 > limit) raiseGP(cpu);
  return singleBlock(cpu, block);
}

/** The block at an address where it is known, lies on one page and nothing has to be checked, else 0. */
// @ts-ignore: decorator
@inline
export function lookUp(cpu: usize, linear: u64): usize {
  const mode = load<u32>(cpu, MODE);
  // Code segments without a base only.
  if (mode & MODE_CS_LIMITED) return 0;
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if (load<u64>(entry, TLB_FETCH) != (linear & ~0xfff)) return 0;
  const block = knownBlock(<u32>linear + load<u32>(entry, TLB_ADDEND), mode);
  return block != 0 && load<u32>(block, BLOCK_SECOND_PAGE) == 0 ? block : 0;
}

/** The block made from the code at a wasm offset in a mode, or 0. */
// @ts-ignore: decorator
@inline
export function knownBlock(offset: u32, mode: u32): usize {
  const key = <u64>offset | (<u64>mode << 32);
  let block: usize = load<u32>(bucketOf(offset, mode));
  while (block != 0) {
    if (load<u64>(block, BLOCK_KEY) == key) return block;
    block = load<u32>(block, BLOCK_NEXT);
  }
  return 0;
}

/** The operation of a record, also where OP_REGION stands in its place. */
export function operationOf(rec: usize): u32 {
  const op = <u32>load<u16>(rec, REC_OP);
  return op == OP_REGION ? <u32>load<u16>(rec - BLOCK_HEADER, BLOCK_FIRST_OP) : op;
}

/** The record behind a block's last instruction. */
// @ts-ignore: decorator
@inline
export function endOf(block: usize): usize {
  return block + BLOCK_HEADER + (<usize>load<u16>(block, BLOCK_RECORDS) - 1) * REC_BYTES;
}

/** Entries to the block are counted down from `heat` now. */
export function setHeat(block: usize, heat: u32): void {
  store<u32>(block, load<u32>(block, BLOCK_ENTRIES) + heat - load<u32>(block, BLOCK_HEAT), BLOCK_ENTRIES);
  store<u32>(block, heat, BLOCK_HEAT);
}

/** A block with only the first instruction of `block`, in the vCPU's own memory. It is never a region's. */
export function singleBlock(cpu: usize, block: usize): usize {
  const single = cpu + SINGLE_BLOCK;
  memory.copy(single, block, BLOCK_HEADER + REC_BYTES);
  store<u16>(single, 1, BLOCK_COUNT);
  store<u32>(single, 0, BLOCK_HEAT);
  store<u32>(single, 0, BLOCK_REGION);
  const rec = single + BLOCK_HEADER;
  const op = operationOf(block + BLOCK_HEADER);
  store<u16>(rec, <u16>op, REC_OP);
  if (isTransfer(op)) {
    store<u8>(rec, 0, REC_SCALE);
    store<u32>(rec, 0, REC_AUX);
    store<u32>(rec, 0, REC_DISP);
  } else if (op >= OP_FUSED && op < OP_FUSED_END) store<u16>(rec, <u16>load<u32>(rec, REC_AUX), REC_OP);
  endRecord(rec + REC_BYTES, <u32>load<u8>(rec, REC_LEN), 1);
  return single;
}

function isTransfer(op: u32): bool {
  return op == OP_JMP || op == OP_CALL64 || (op >= OP_JCC && op < OP_JCC + 16);
}

// Whether the main loop would compute the operation's address itself.
function isAddressed(op: u32): bool {
  return op < OP_NOP || op == OP_JMP64_M || op == OP_CALL64_M;
}

// Whether a memory operand's address is its offset all the same: MODE_FLAT says that its segment is flat.
function isFlatOperand(rec: usize, mode: u32): bool {
  if ((mode & MODE_FLAT) == 0 || load<u8>(rec, REC_ASIZE) != 4) return false;
  const segment = <u32>load<u8>(rec, REC_SEG);
  return segment == DS || segment == SS;
}

// The record behind a block's last instruction: no bytes long, with the number of that instruction.
function endRecord(rec: usize, ipOffset: u32, instructions: u32): void {
  memory.fill(rec, 0, REC_BYTES);
  store<u16>(rec, <u16>OP_END, REC_OP);
  store<u16>(rec, <u16>ipOffset, REC_IPOFF);
  store<u8>(rec, <u8>(instructions - 1), REC_SEQ);
}

function makeBlock(cpu: usize, linear: u64, offset: u32, mode: u32): usize {
  const arena: usize = load<u32>(MACHINE_BLOCK, ARENA_NEXT);
  const pages: usize = load<u32>(MACHINE_BLOCK, CODE_PAGES_NEXT);
  if (arena + BLOCK_MAX_BYTES > <usize>CODE_ARENA_END || pages + 2 * CODE_PAGE_BYTES > <usize>CODE_PAGES_END) {
    emptyCodeCache();
    count(cpu, COUNT_ARENA_FLUSHES);
  }
  const block: usize = load<u32>(MACHINE_BLOCK, ARENA_NEXT);
  const room: u32 = 0x1000 - (offset & 0xfff);
  let rec = block + BLOCK_HEADER;
  let ip: u32 = 0;
  let instructions: u32 = 0;
  let secondPage: u32 = 0;
  for (;;) {
    const answer = decode(cpu, rec, <usize>(offset + ip), room - ip, ip, mode);
    if (answer == DECODE_SHORT) {
      if (instructions != 0) break;
      // The first instruction goes on behind the page's end; nothing is raised for that page before it is needed.
      secondPage = pageOf(cpu, (linear | 0xfff) + 1);
      memory.copy(cpu + FETCH_BUFFER, offset, room);
      memory.copy(cpu + FETCH_BUFFER + room, secondPage, 16);
      const whole = decode(cpu, rec, cpu + FETCH_BUFFER, room + 16, 0, mode);
      if (whole == DECODE_TOO_LONG) raiseGP(cpu);
      markSpecial(rec, mode);
      ip = <u32>load<u8>(rec, REC_LEN);
      instructions = 1;
      rec += REC_BYTES;
      break;
    }
    if (answer == DECODE_TOO_LONG) {
      if (instructions == 0) raiseGP(cpu);
      break;
    }
    store<u8>(rec, <u8>instructions, REC_SEQ);
    const op = <u32>load<u16>(rec, REC_OP);
    ip += <u32>load<u8>(rec, REC_LEN);
    instructions++;
    if (!markSpecial(rec, mode) && isTransfer(op)) {
      setLinkable(rec, offset, ip, mode);
      if (op >= OP_JCC && op < OP_JCC + 16 && instructions > 1) fuse(rec - REC_BYTES, op - OP_JCC);
    }
    rec += REC_BYTES;
    if (answer == DECODE_END || instructions == MAX_INSTRUCTIONS || ip >= room) break;
  }
  endRecord(rec, ip, instructions);
  rec += REC_BYTES;

  store<u32>(block, offset, BLOCK_OFFSET);
  store<u32>(block, mode, BLOCK_MODE);
  store<u16>(block, <u16>instructions, BLOCK_COUNT);
  store<u16>(block, <u16>((rec - block - BLOCK_HEADER) / REC_BYTES), BLOCK_RECORDS);
  store<u32>(block, secondPage, BLOCK_SECOND_PAGE);
  store<u32>(block, ip, BLOCK_CODE_BYTES);
  const heat = load<u32>(MACHINE_BLOCK, HEAT_INITIAL);
  store<u32>(block, heat, BLOCK_HEAT);
  store<u32>(block, heat, BLOCK_ENTRIES);
  store<u32>(block, 0, BLOCK_REGION_ENTRIES);
  store<u64>(block, load<u64>(cpu, RIP), BLOCK_MADE_RIP);
  store<u32>(block, 0, BLOCK_REGION);
  store<u32>(block, 0, BLOCK_FIRST_OP);
  store<u32>(block, 0, BLOCK_DEFERRED);
  const bucket = bucketOf(offset, mode);
  store<u32>(block, load<u32>(bucket), BLOCK_NEXT);
  store<u32>(bucket, <u32>block);
  markCode(offset, min<u32>(ip, room), block, BLOCK_PAGE_NEXT);
  if (secondPage != 0) {
    markCode(secondPage, ip - room, block, BLOCK_SECOND_NEXT);
  }
  store<u32>(MACHINE_BLOCK, <u32>rec, ARENA_NEXT);
  count(cpu, COUNT_BLOCKS_DECODED);
  return block;
}

// An operation whose address is not plain (FS, GS, 16 or 32 bits, a segment's limit) leaves the main loop.
function markSpecial(rec: usize, mode: u32): bool {
  const op = <u32>load<u16>(rec, REC_OP);
  if ((load<u8>(rec, REC_FLAGS) & F_EA_SPECIAL) == 0 || !isAddressed(op) || isFlatOperand(rec, mode)) return false;
  store<u32>(rec, op, REC_AUX);
  store<u16>(rec, <u16>OP_SPECIAL, REC_OP);
  return true;
}

// A transfer whose target lies on the block's own page; with a limited CS every target is looked up.
function setLinkable(rec: usize, offset: u32, ipAfter: u32, mode: u32): void {
  if (mode & MODE_CS_LIMITED) return;
  const target = <i64>(offset & 0xfff) + load<i64>(rec, REC_IMM);
  let links: u8 = 0;
  if (target >= 0 && target < 0x1000) links |= LINK_TARGET;
  if ((offset & 0xfff) + ipAfter < 0x1000) links |= LINK_NEXT;
  store<u8>(rec, links, REC_SCALE);
}

// Joins a compare or test with the conditional jump behind it, where the main loop has a case for both.
function fuse(rec: usize, code: u32): void {
  const op = <u32>load<u16>(rec, REC_OP);
  let base: u32 = 0;
  switch (op) {
    case OP_ALU_RR + 28:
      base = OP_CMP8_RR_JCC;
      break;
    case OP_ALU_RR + 30:
      base = OP_CMP32_RR_JCC;
      break;
    case OP_ALU_RR + 31:
      base = OP_CMP64_RR_JCC;
      break;
    case OP_ALU_RI + 28:
      base = OP_CMP8_RI_JCC;
      break;
    case OP_ALU_RI + 30:
      base = OP_CMP32_RI_JCC;
      break;
    case OP_ALU_RI + 31:
      base = OP_CMP64_RI_JCC;
      break;
    case OP_ALU_RM + 30:
      base = OP_CMP32_RM_JCC;
      break;
    case OP_ALU_RM + 31:
      base = OP_CMP64_RM_JCC;
      break;
    case OP_ALU_MI + 28:
      base = OP_CMP8_MI_JCC;
      break;
    case OP_ALU_MI + 30:
      base = OP_CMP32_MI_JCC;
      break;
    case OP_ALU_MI + 31:
      base = OP_CMP64_MI_JCC;
      break;
    case OP_TEST_RR:
      base = OP_TEST8_RR_JCC;
      break;
    case OP_TEST_RR + 2:
      base = OP_TEST32_RR_JCC;
      break;
    case OP_TEST_RR + 3:
      base = OP_TEST64_RR_JCC;
      break;
    case OP_TEST_RI:
      base = OP_TEST8_RI_JCC;
      break;
    case OP_TEST_RI + 2:
      base = OP_TEST32_RI_JCC;
      break;
    case OP_TEST_MI:
      base = OP_TEST8_MI_JCC;
      break;
    default:
      return;
  }
  let index: u32;
  if (base < OP_TEST8_RR_JCC) {
    // B AE E NE BE A, L GE LE G
    if (code < 2 || (code >= 8 && code < 12)) return;
    index = code < 8 ? code - 2 : code - 6;
  } else {
    // After a test OF is clear: less is negative.
    const sign = code == 12 || code == 13 ? code - 4 : code;
    if (sign == 4 || sign == 5) index = sign - 4;
    else if (sign == 8 || sign == 9) index = sign - 6;
    else if (sign >= 14) index = sign - 10;
    else return;
  }
  store<u32>(rec, op, REC_AUX);
  store<u16>(rec, <u16>(base + index), REC_OP);
}
