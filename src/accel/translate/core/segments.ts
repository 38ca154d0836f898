// Segment registers: loading them, and what they say about an access. Intel SDM vol. 3A chapters 3 and 5.
import {
  CPL, CS, DS, ES, FS, GDTR_BASE, GDTR_LIMIT, GS, LDTR, MODE, SEG_ATTR, SEG_BASE, SEG_BYTES, SEG_LIMIT,
  SEG_SELECTOR, SEGMENTS, SS,
} from "../layout";
import { GP, NP, SSF, raiseError } from "./exceptions";
import { sysRead64, sysWrite8 } from "./memory";
import { MODE_64, MODE_FLAT, MODE_SIZE } from "./mode-bits";
import { dataSegmentChanged, refreshMode, usesRealSegments } from "./mode";
import { canonical } from "./mmu";
import {
  ATTR_ACCESSED, ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_DOWN, ATTR_DPL_SHIFT, ATTR_G, ATTR_P, ATTR_READABLE,
  ATTR_S, ATTR_UNUSABLE, ATTR_WRITABLE,
} from "./segment-bits";

// @ts-ignore: decorator
@inline
export function seg(cpu: usize, number: u32): usize {
  return cpu + SEGMENTS + number * SEG_BYTES;
}

export function segSelector(cpu: usize, number: u32): u32 {
  return load<u32>(seg(cpu, number), SEG_SELECTOR);
}

// An access that the segment does not allow: #SS for the stack segment, else #GP, with error code 0.
function segmentFault(cpu: usize, number: u32): void {
  raiseError(cpu, number == SS ? SSF : GP, 0);
}

/** The linear address of `size` bytes at an offset, after the segment's checks. */
export function segmentLinear(cpu: usize, number: u32, offset: u64, size: u32, write: u32): u64 {
  const mode = load<u32>(cpu, MODE);
  if ((mode & MODE_FLAT) != 0 && (number == DS || number == SS) && offset + size - 1 <= 0xffffffff) return offset;
  const at = seg(cpu, number);
  if ((mode & MODE_SIZE) == MODE_64) {
    const linear = number == FS || number == GS ? offset + load<u64>(at, SEG_BASE) : offset;
    if (!canonical(cpu, linear) || !canonical(cpu, linear + size - 1)) segmentFault(cpu, number);
    return linear;
  }
  const attributes = load<u32>(at, SEG_ATTR);
  const limit = <u64>load<u32>(at, SEG_LIMIT);
  if (!usesRealSegments(cpu)) {
    if (attributes & ATTR_UNUSABLE) segmentFault(cpu, number);
    if (attributes & ATTR_CODE) {
      if (write != 0 || (attributes & ATTR_READABLE) == 0) segmentFault(cpu, number);
    } else if (write != 0 && (attributes & ATTR_WRITABLE) == 0) segmentFault(cpu, number);
  }
  const last = offset + size - 1;
  if ((attributes & (ATTR_CODE | ATTR_DOWN)) == ATTR_DOWN && (attributes & ATTR_S) != 0) {
    const top: u64 = attributes & ATTR_DB ? 0xffffffff : 0xffff;
    if (offset <= limit || last > top) segmentFault(cpu, number);
  } else if (last > limit) segmentFault(cpu, number);
  return (offset + load<u64>(at, SEG_BASE)) & 0xffffffff;
}

// ---- Descriptors.

/** Where the descriptor that `readDescriptor` found is. */
export let descriptorAt: u64 = 0;

/** Whether a selector names one of the null entries. */
// @ts-ignore: decorator
@inline
export function isNull(selector: u32): bool {
  return (selector & 0xfffc) == 0;
}

/** Whether a selector lies in its table. */
export function inTable(cpu: usize, selector: u32, bytes: u32): bool {
  const offset = selector & 0xfff8;
  if (selector & 4) {
    const ldtr = seg(cpu, LDTR);
    if (load<u32>(ldtr, SEG_ATTR) & ATTR_UNUSABLE) return false;
    descriptorAt = load<u64>(ldtr, SEG_BASE) + offset;
    return offset + bytes - 1 <= load<u32>(ldtr, SEG_LIMIT);
  }
  descriptorAt = load<u64>(cpu, GDTR_BASE) + offset;
  return offset + bytes - 1 <= load<u32>(cpu, GDTR_LIMIT);
}

/** The descriptor a selector names. Raises `vector` with the selector as error code where it is outside its table. */
export function readDescriptor(cpu: usize, selector: u32, vector: u32, ext: u32): u64 {
  if (!inTable(cpu, selector, 8)) raiseError(cpu, vector, (selector & 0xfffc) | ext);
  return sysRead64(cpu, descriptorAt);
}

// @ts-ignore: decorator
@inline
export function descriptorBase(descriptor: u64): u64 {
  return ((descriptor >> 16) & 0xffffff) | ((descriptor >> 56) << 24);
}
export function descriptorLimit(descriptor: u64): u32 {
  const limit = <u32>(descriptor & 0xffff) | (<u32>(descriptor >> 48) & 15) << 16;
  return descriptorAttributes(descriptor) & ATTR_G ? (limit << 12) | 0xfff : limit;
}
// @ts-ignore: decorator
@inline
export function descriptorAttributes(descriptor: u64): u32 {
  return <u32>(descriptor >> 40) & 0xf0ff;
}
// @ts-ignore: decorator
@inline
export function dplOf(attributes: u32): u32 {
  return (attributes >> ATTR_DPL_SHIFT) & 3;
}

/** Sets the accessed bit of the descriptor at `at`, where it is not set yet. */
export function setAccessed(cpu: usize, at: u64, descriptor: u64): u64 {
  if ((descriptor >> 40) & ATTR_ACCESSED) return descriptor;
  sysWrite8(cpu, at + 5, <u8>(descriptor >> 40) | 1);
  return descriptor | (<u64>1 << 40);
}

/** Fills a segment register from a descriptor. */
export function fillSegment(cpu: usize, number: u32, selector: u32, descriptor: u64): void {
  const at = seg(cpu, number);
  store<u32>(at, selector, SEG_SELECTOR);
  store<u64>(at, descriptorBase(descriptor), SEG_BASE);
  store<u32>(at, descriptorLimit(descriptor), SEG_LIMIT);
  store<u32>(at, descriptorAttributes(descriptor), SEG_ATTR);
}

/** A null selector in a data segment register: unusable. Bases of FS and GS survive on AMD; here as on Intel they are cleared. */
export function nullSegment(cpu: usize, number: u32, selector: u32): void {
  const at = seg(cpu, number);
  store<u32>(at, selector, SEG_SELECTOR);
  store<u64>(at, 0, SEG_BASE);
  store<u32>(at, 0, SEG_LIMIT);
  store<u32>(at, ATTR_UNUSABLE, SEG_ATTR);
}

/** Real and virtual-8086 mode: the base is the selector times 16; real mode keeps limit and attributes. */
export function realSegment(cpu: usize, number: u32, selector: u32): void {
  const at = seg(cpu, number);
  store<u32>(at, selector, SEG_SELECTOR);
  store<u64>(at, <u64>selector << 4, SEG_BASE);
  // A data segment left unusable by protected mode becomes usable again.
  if (load<u32>(at, SEG_ATTR) & ATTR_UNUSABLE) {
    store<u32>(at, 0xffff, SEG_LIMIT);
    store<u32>(at, ATTR_P | ATTR_S | ATTR_WRITABLE | ATTR_ACCESSED, SEG_ATTR);
  }
}

/** A segment register as virtual-8086 mode has it: base 16 times the selector, 64 KiB, writable data of ring 3. */
export function virtual86Segment(cpu: usize, number: u32, selector: u32): void {
  const at = seg(cpu, number);
  store<u32>(at, selector & 0xffff, SEG_SELECTOR);
  store<u64>(at, <u64>(selector & 0xffff) << 4, SEG_BASE);
  store<u32>(at, 0xffff, SEG_LIMIT);
  store<u32>(at, ATTR_P | ATTR_S | (3 << ATTR_DPL_SHIFT) | ATTR_WRITABLE | ATTR_ACCESSED, SEG_ATTR);
}

/** MOV, POP and LxS to ES, SS, DS, FS or GS. */
export function loadSegment(cpu: usize, number: u32, selector: u32): void {
  if (usesRealSegments(cpu)) {
    realSegment(cpu, number, selector);
    refreshMode(cpu);
    return;
  }
  const cpl = load<u32>(cpu, CPL);
  if (number == SS) {
    loadStackSegment(cpu, selector, cpl);
    return;
  }
  if (isNull(selector)) {
    nullSegment(cpu, number, selector);
    dataSegmentChanged(cpu);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP, 0);
  const attributes = descriptorAttributes(descriptor);
  const error = selector & 0xfffc;
  if ((attributes & ATTR_S) == 0 || (attributes & (ATTR_CODE | ATTR_READABLE)) == ATTR_CODE) raiseError(cpu, GP, error);
  if ((attributes & (ATTR_CODE | ATTR_CONFORMING)) != (ATTR_CODE | ATTR_CONFORMING)) {
    const dpl = dplOf(attributes);
    if ((selector & 3) > dpl || cpl > dpl) raiseError(cpu, GP, error);
  }
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  fillSegment(cpu, number, selector, setAccessed(cpu, descriptorAt, descriptor));
  dataSegmentChanged(cpu);
}

function loadStackSegment(cpu: usize, selector: u32, cpl: u32): void {
  const error = selector & 0xfffc;
  if (isNull(selector)) {
    // 64-bit mode below ring 3 takes a null SS whose RPL is the CPL.
    if ((load<u32>(cpu, MODE) & MODE_SIZE) != MODE_64 || cpl == 3 || (selector & 3) != cpl) raiseError(cpu, GP, 0);
    nullStack(cpu, selector, cpl);
    return;
  }
  const descriptor = readDescriptor(cpu, selector, GP, 0);
  const attributes = descriptorAttributes(descriptor);
  if ((selector & 3) != cpl || dplOf(attributes) != cpl) raiseError(cpu, GP, error);
  if ((attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE)) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, SSF, error);
  fillSegment(cpu, SS, selector, setAccessed(cpu, descriptorAt, descriptor));
  refreshMode(cpu);
}

/** A null SS in long mode; its DPL still tells the CPL. */
export function nullStack(cpu: usize, selector: u32, cpl: u32): void {
  nullSegment(cpu, SS, selector);
  store<u32>(seg(cpu, SS), ATTR_UNUSABLE | (cpl << ATTR_DPL_SHIFT), SEG_ATTR);
}

/** Leaving to an outer ring: data segments that the new CPL may not have become null. SDM RET, IRET. */
export function dropDataSegments(cpu: usize): void {
  const cpl = load<u32>(cpu, CPL);
  dropOne(cpu, ES, cpl);
  dropOne(cpu, DS, cpl);
  dropOne(cpu, FS, cpl);
  dropOne(cpu, GS, cpl);
  dataSegmentChanged(cpu);
}

function dropOne(cpu: usize, number: u32, cpl: u32): void {
  const at = seg(cpu, number);
  const attributes = load<u32>(at, SEG_ATTR);
  if (attributes & ATTR_UNUSABLE) return;
  if ((attributes & (ATTR_CODE | ATTR_CONFORMING)) == (ATTR_CODE | ATTR_CONFORMING)) return;
  if (dplOf(attributes) >= cpl) return;
  // The base stays: 64-bit mode goes on using those of FS and GS.
  const base = load<u64>(at, SEG_BASE);
  nullSegment(cpu, number, 0);
  store<u64>(at, base, SEG_BASE);
}

/** CS's new contents; MODE and CPL follow. */
export function setCodeSegment(cpu: usize, selector: u32, descriptor: u64, cpl: u32): void {
  fillSegment(cpu, CS, (selector & 0xfffc) | cpl, descriptor);
  store<u32>(cpu, cpl, CPL);
}
