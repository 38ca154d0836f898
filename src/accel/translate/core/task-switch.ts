// Hardware task switches: far JMP and CALL to a TSS or a task gate, interrupts and exceptions through a task
// gate, IRET from a nested task. Intel SDM vol. 3A chapter 8 ("Task Management").
//
// What can go wrong with the old task still running is found out first, page faults on both TSSs among it. From
// the moment when the old task is saved, faults are the new task's: they are delivered with its EIP, and with the
// stacks of its TSS.
import {
  CPL, CR0, CR3, CR4, CS, CUR_REC, DEBUG_PENDING, DR, DS, ES, FS, GDTR_BASE, GPR, GS, INTERRUPT_CHECK, LDTR, NMI_MASKED,
  REMAINING, RIP, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SS, TR,
} from "../layout";
import { checkStackLive } from "./events";
import { GP, NP, SSF, TS, raiseError } from "./exceptions";
import { NT, VM, getFlags, setFlags } from "./flags";
import { settle } from "./general";
import { sysRead16, sysRead32, sysRead64, sysRead8, sysWrite16, sysWrite32, sysWrite8 } from "./memory";
import { CR0_PG, CR0_TS, CR4_PAE, refreshFpu, refreshMode } from "./mode";
import { cr3Loaded, loadPdptrs, probeWriteSystem } from "./mmu";
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_P, ATTR_READABLE, ATTR_S, ATTR_UNUSABLE, ATTR_WRITABLE, SYS_LDT, SYS_TASK_GATE, SYS_TSS,
  SYS_TSS16,
} from "./segment-bits";
import {
  descriptorAt, descriptorAttributes, descriptorBase, descriptorLimit, dplOf, fillSegment, inTable, isNull, nullSegment,
  readDescriptor, seg, segSelector, setAccessed, setCodeSegment, virtual86Segment,
} from "./segments";
import { setStackPointer, stackMask, stackPointer, stackWrite } from "./stack";

/** What a switch does to the tasks' busy bits, back link and NT. */
export const SWITCH_JUMP: u32 = 0;
export const SWITCH_CALL: u32 = 1; // and interrupts and exceptions
export const SWITCH_RETURN: u32 = 2;

const BUSY: u32 = 2;
const TYPE_WIDE: u32 = 8; // of a TSS: 32-bit
const DR7: usize = DR + 56;
/** L0-L3 and LE: the breakpoints of one task. */
const DR7_LOCAL: u64 = 0x155;
const DR6_BT: u64 = 1 << 15;

function tssIs32(attributes: u32): bool {
  return (attributes & TYPE_WIDE) != 0;
}

// A TSS's last byte that a switch needs.
function lastByte(wide: bool): u32 {
  return wide ? 0x67 : 0x2b;
}

/** Far JMP or CALL whose selector names a TSS or a task gate. */
export function farTask(cpu: usize, selector: u32, descriptor: u64, way: u32): void {
  const error = selector & 0xfffc;
  const attributes = descriptorAttributes(descriptor);
  const dpl = dplOf(attributes);
  if (dpl < load<u32>(cpu, CPL) || dpl < (selector & 3)) raiseError(cpu, GP, error);
  let target = selector;
  if ((attributes & 31) == SYS_TASK_GATE) {
    if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
    target = <u32>(descriptor >> 16) & 0xffff;
  }
  availableTask(cpu, target, way, getFlags(cpu), 0, false, 0);
}

/** An event through a task gate that is checked; `flags` are the interrupted task's, with RF where it restarts. */
export function taskGateInterrupt(
  cpu: usize, gate: u64, flags: u64, external: u32, hasError: bool, errorCode: u32,
): void {
  availableTask(cpu, <u32>(gate >> 16) & 0xffff, SWITCH_CALL, flags, external, hasError, errorCode);
}

/** IRET with NT: back to the task that the TSS's link names. */
export function taskReturn(cpu: usize): void {
  const selector = <u32>sysRead16(cpu, load<u64>(seg(cpu, TR), SEG_BASE));
  const error = selector & 0xfffc;
  if (isNull(selector) || (selector & 4) != 0) raiseError(cpu, TS, error);
  const descriptor = readDescriptor(cpu, selector, TS, 0);
  const attributes = descriptorAttributes(descriptor);
  if ((attributes & 0x17) != (SYS_TSS16 | BUSY)) raiseError(cpu, TS, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  switchTask(cpu, selector, descriptor, SWITCH_RETURN, getFlags(cpu), 0, false, 0);
}

function availableTask(
  cpu: usize, selector: u32, way: u32, flags: u64, external: u32, hasError: bool, errorCode: u32,
): void {
  const error = (selector & 0xfffc) | external;
  if (isNull(selector) || (selector & 4) != 0) raiseError(cpu, GP, error);
  const descriptor = readDescriptor(cpu, selector, GP, external);
  const attributes = descriptorAttributes(descriptor);
  const type = attributes & 31;
  if (type != SYS_TSS && type != SYS_TSS16) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  switchTask(cpu, selector, descriptor, way, flags, external, hasError, errorCode);
}

// ---- The switch.

function switchTask(
  cpu: usize, selector: u32, descriptor: u64, way: u32, flags: u64, external: u32, hasError: bool, errorCode: u32,
): void {
  const attributes = descriptorAttributes(descriptor);
  const limit = descriptorLimit(descriptor);
  const wide = tssIs32(attributes);
  if (limit < lastByte(wide)) raiseError(cpu, TS, (selector & 0xfffc) | external);
  const base = descriptorBase(descriptor);
  const typeAt = descriptorAt + 5;
  const tr = seg(cpu, TR);
  const oldSelector = load<u32>(tr, SEG_SELECTOR);
  const oldTypeAt = load<u64>(cpu, GDTR_BASE) + (oldSelector & 0xfff8) + 5;
  checkPages(cpu, base, wide, way, typeAt, oldTypeAt, external);

  saveTask(cpu, way == SWITCH_RETURN ? flags & ~NT : flags);
  if (way != SWITCH_CALL) sysWrite8(cpu, oldTypeAt, <u8>(<u32>sysRead8(cpu, oldTypeAt) & ~BUSY));
  if (way != SWITCH_RETURN) sysWrite8(cpu, typeAt, <u8>(<u32>sysRead8(cpu, typeAt) | BUSY));
  if (way == SWITCH_CALL) sysWrite16(cpu, base, <u16>oldSelector);
  if (way == SWITCH_RETURN) store<u32>(cpu, 0, NMI_MASKED);

  store<u32>(tr, selector, SEG_SELECTOR);
  store<u64>(tr, base, SEG_BASE);
  store<u32>(tr, limit, SEG_LIMIT);
  store<u32>(tr, attributes | BUSY, SEG_ATTR);
  store<u64>(cpu, load<u64>(cpu, CR0) | CR0_TS, CR0);
  refreshFpu(cpu);
  store<u64>(cpu, load<u64>(cpu, DR7) & ~DR7_LOCAL, DR7);
  store<u32>(cpu, 1, INTERRUPT_CHECK);

  // No instruction of the new task is under way; the old one's block is charged as if it had faulted.
  const rec = load<u32>(cpu, CUR_REC);
  const remaining = load<i64>(cpu, REMAINING);
  settle(cpu);
  loadTask(cpu, base, wide, way == SWITCH_CALL, external);
  if (hasError) pushErrorCode(cpu, wide ? 4 : 2, errorCode, external);
  if (load<u64>(cpu, RIP) > <u64>load<u32>(seg(cpu, CS), SEG_LIMIT)) raiseError(cpu, GP, external);
  store<i64>(cpu, remaining, REMAINING);
  store<u32>(cpu, rec, CUR_REC);

  // Bit T: a debug trap before the new task's first instruction.
  if (wide && (sysRead16(cpu, base + 0x64) & 1) != 0) {
    store<u64>(cpu, load<u64>(cpu, DEBUG_PENDING) | DR6_BT, DEBUG_PENDING);
  }
}

// Whatever of the TSSs and their descriptors the switch reads or writes is there, or the fault is the old task's.
function checkPages(cpu: usize, base: u64, wide: bool, way: u32, typeAt: u64, oldTypeAt: u64, external: u32): void {
  const tr = seg(cpu, TR);
  const old32 = tssIs32(load<u32>(tr, SEG_ATTR));
  const first: u64 = old32 ? 0x20 : 0x0e;
  const last: u64 = old32 ? 0x5d : 0x29;
  if (last > <u64>load<u32>(tr, SEG_LIMIT)) raiseError(cpu, TS, (load<u32>(tr, SEG_SELECTOR) & 0xfffc) | external);
  probeWriteSystem(cpu, load<u64>(tr, SEG_BASE) + first, <u32>(last - first) + 1);
  sysRead8(cpu, base);
  sysRead8(cpu, base + lastByte(wide));
  if (way == SWITCH_CALL) probeWriteSystem(cpu, base, 2);
  else probeWriteSystem(cpu, oldTypeAt, 1);
  if (way != SWITCH_RETURN) probeWriteSystem(cpu, typeAt, 1);
}

// The static fields (stacks of the inner rings, CR3, LDTR, I/O map) and what is beside the selectors are not written.
function saveTask(cpu: usize, flags: u64): void {
  const tr = seg(cpu, TR);
  const base = load<u64>(tr, SEG_BASE);
  if (tssIs32(load<u32>(tr, SEG_ATTR))) {
    sysWrite32(cpu, base + 0x20, load<u32>(cpu, RIP));
    sysWrite32(cpu, base + 0x24, <u32>flags);
    for (let i: u32 = 0; i < 8; i++) sysWrite32(cpu, base + 0x28 + i * 4, load<u32>(cpu + GPR + i * 8));
    for (let i: u32 = 0; i < 6; i++) sysWrite16(cpu, base + 0x48 + i * 4, <u16>segSelector(cpu, i));
    return;
  }
  sysWrite16(cpu, base + 0x0e, load<u16>(cpu, RIP));
  sysWrite16(cpu, base + 0x10, <u16>flags);
  for (let i: u32 = 0; i < 8; i++) sysWrite16(cpu, base + 0x12 + i * 2, load<u16>(cpu + GPR + i * 8));
  // ES, CS, SS, DS.
  for (let i: u32 = 0; i < 4; i++) sysWrite16(cpu, base + 0x22 + i * 2, <u16>segSelector(cpu, i));
}

// Everything of the new task. The TSS is read whole before CR3 is loaded: it need not be mapped behind it.
function loadTask(cpu: usize, base: u64, wide: bool, nested: bool, external: u32): void {
  let flags: u64;
  let ldt: u32;
  let cr3: u64 = 0;
  if (wide) {
    cr3 = <u64>sysRead32(cpu, base + 0x1c);
    store<u64>(cpu, <u64>sysRead32(cpu, base + 0x20), RIP);
    flags = <u64>sysRead32(cpu, base + 0x24);
    for (let i: u32 = 0; i < 8; i++) store<u64>(cpu + GPR + i * 8, <u64>sysRead32(cpu, base + 0x28 + i * 4));
    for (let i: u32 = 0; i < 6; i++) nullSegment(cpu, i, <u32>sysRead16(cpu, base + 0x48 + i * 4));
    ldt = <u32>sysRead16(cpu, base + 0x60);
  } else {
    store<u64>(cpu, <u64>sysRead16(cpu, base + 0x0e), RIP);
    flags = <u64>sysRead16(cpu, base + 0x10);
    // Upper halves become ones, as on the 80386 and its successors.
    for (let i: u32 = 0; i < 8; i++) store<u64>(cpu + GPR + i * 8, <u64>sysRead16(cpu, base + 0x12 + i * 2) | 0xffff0000);
    for (let i: u32 = 0; i < 4; i++) nullSegment(cpu, i, <u32>sysRead16(cpu, base + 0x22 + i * 2));
    nullSegment(cpu, FS, 0);
    nullSegment(cpu, GS, 0);
    ldt = <u32>sysRead16(cpu, base + 0x2a);
  }
  setFlags(cpu, nested ? flags | NT : flags);
  const ldtr = seg(cpu, LDTR);
  store<u32>(ldtr, ldt, SEG_SELECTOR);
  store<u32>(ldtr, ATTR_UNUSABLE, SEG_ATTR);
  // Until SS is loaded the handler of a fault takes the stack that the new TSS has for its ring.
  store<u32>(cpu, 3, CPL);
  refreshMode(cpu);
  if (wide && (load<u64>(cpu, CR0) & CR0_PG) != 0) {
    if ((load<u64>(cpu, CR4) & CR4_PAE) != 0 && !loadPdptrs(cpu, cr3)) raiseError(cpu, GP, external);
    store<u64>(cpu, cr3, CR3);
    cr3Loaded(cpu, false);
  }
  loadLdt(cpu, ldt, external);
  if (flags & VM) {
    for (let i: u32 = 0; i < 6; i++) virtual86Segment(cpu, i, segSelector(cpu, i));
  } else {
    loadCode(cpu, segSelector(cpu, CS), external);
    loadStack(cpu, segSelector(cpu, SS), external);
    loadData(cpu, DS, external);
    loadData(cpu, ES, external);
    loadData(cpu, FS, external);
    loadData(cpu, GS, external);
  }
  refreshMode(cpu);
}

function loadLdt(cpu: usize, selector: u32, external: u32): void {
  if (isNull(selector)) return;
  const error = (selector & 0xfffc) | external;
  if ((selector & 4) != 0 || !inTable(cpu, selector, 8)) raiseError(cpu, TS, error);
  const descriptor = sysRead64(cpu, descriptorAt);
  const attributes = descriptorAttributes(descriptor);
  if ((attributes & 31) != SYS_LDT || (attributes & ATTR_P) == 0) raiseError(cpu, TS, error);
  fillSegment(cpu, LDTR, selector, descriptor);
}

function taskDescriptor(cpu: usize, selector: u32, external: u32): u64 {
  if (isNull(selector)) raiseError(cpu, TS, external);
  return readDescriptor(cpu, selector, TS, external);
}

function loadCode(cpu: usize, selector: u32, external: u32): void {
  const descriptor = taskDescriptor(cpu, selector, external);
  const attributes = descriptorAttributes(descriptor);
  const error = (selector & 0xfffc) | external;
  const rpl = selector & 3;
  const dpl = dplOf(attributes);
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE)) raiseError(cpu, TS, error);
  if (attributes & ATTR_CONFORMING ? dpl > rpl : dpl != rpl) raiseError(cpu, TS, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  setCodeSegment(cpu, selector, setAccessed(cpu, descriptorAt, descriptor), rpl);
  store<u32>(cpu, 3, CPL);
}

function loadStack(cpu: usize, selector: u32, external: u32): void {
  const descriptor = taskDescriptor(cpu, selector, external);
  const attributes = descriptorAttributes(descriptor);
  const error = (selector & 0xfffc) | external;
  const cpl = segSelector(cpu, CS) & 3;
  if ((attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE)) raiseError(cpu, TS, error);
  if (dplOf(attributes) != cpl || (selector & 3) != cpl) raiseError(cpu, TS, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, SSF, error);
  fillSegment(cpu, SS, selector, setAccessed(cpu, descriptorAt, descriptor));
  store<u32>(cpu, cpl, CPL);
  refreshMode(cpu);
}

function loadData(cpu: usize, number: u32, external: u32): void {
  const selector = segSelector(cpu, number);
  if (isNull(selector)) return;
  const descriptor = readDescriptor(cpu, selector, TS, external);
  const attributes = descriptorAttributes(descriptor);
  const error = (selector & 0xfffc) | external;
  if ((attributes & ATTR_S) == 0 || (attributes & (ATTR_CODE | ATTR_READABLE)) == ATTR_CODE) raiseError(cpu, TS, error);
  if ((attributes & (ATTR_CODE | ATTR_CONFORMING)) != (ATTR_CODE | ATTR_CONFORMING)) {
    const dpl = dplOf(attributes);
    if ((selector & 3) > dpl || load<u32>(cpu, CPL) > dpl) raiseError(cpu, TS, error);
  }
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  fillSegment(cpu, number, selector, setAccessed(cpu, descriptorAt, descriptor));
}

function pushErrorCode(cpu: usize, size: u32, errorCode: u32, external: u32): void {
  const pointer = (stackPointer(cpu) - size) & stackMask(cpu);
  checkStackLive(cpu, pointer, size, external);
  stackWrite(cpu, pointer, size, errorCode);
  setStackPointer(cpu, pointer);
}
