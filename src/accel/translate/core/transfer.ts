// Far transfers: JMP, CALL and RET between segments, call gates, IRET, SYSCALL and SYSENTER and their
// returns. Intel SDM vol. 2 (the instructions) and vol. 3A 5.8; AMD APM vol. 3.
import {
  COUNT_SYSCALLS, CPL, CS, DR, DS, ES, FS, GPR, GS, INTERRUPT_CHECK, MSR_CSTAR, MSR_EFER, MSR_FMASK, MSR_LSTAR, MSR_STAR, MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP, MSR_SYSENTER_ESP, NMI_MASKED, RFLAGS, RIP, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SS,
  TR,
} from "../layout";
import { count } from "./blocks";
import { isIntel } from "./cpu-features";
import { checkStack, innerDescriptor, innerPointer, innerPush, innerSelector, innerStack, stepTrapAtEnd } from "./events";
import { GP, NP, SSF, TS, UD, raise, raiseError, raiseGP } from "./exceptions";
import { AC, DF, ID, IF, IOPL, NT, RF, TF, VIF, VIP, VM, ARITHMETIC, getFlags, setFlags } from "./flags";
import { sysRead64, sysWrite64 } from "./memory";
import { EFER_SCE, is64, isLongMode, isProtected, refreshMode, usesRealSegments } from "./mode";
import { canonical, probeWriteSystem } from "./mmu";
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_DB, ATTR_DPL_SHIFT, ATTR_G, ATTR_L, ATTR_P, ATTR_S, ATTR_WRITABLE, SYS_CALL,
  SYS_CALL16, SYS_TASK_GATE, SYS_TSS16,
} from "./segment-bits";
import {
  descriptorAt, descriptorAttributes, descriptorBase, descriptorLimit, dplOf, dropDataSegments, fillSegment, inTable,
  isNull, nullStack, readDescriptor, realSegment, seg, segSelector, setAccessed, setCodeSegment, virtual86Segment,
} from "./segments";
import { setStackPointer, stackLinear, stackMask, stackPointer, stackRead, stackWrite } from "./stack";
import { SWITCH_CALL, SWITCH_JUMP, farTask, taskReturn } from "./task-switch";
import { usesVirtualFlag, withVirtualFlags } from "./vm86";

const RCX: usize = GPR + 8;
const RDX: usize = GPR + 2 * 8;
const RSP: usize = GPR + 4 * 8;
const DR7: usize = DR + 56;
const R11: usize = GPR + 11 * 8;

/** Flags that IRET and POPF may never set from memory outside of what they check: reserved ones are dropped by setFlags. */
const IRET_FLAGS: u64 = ARITHMETIC | TF | DF | NT | RF | AC | ID;

function flagsChanged(cpu: usize): void {
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}

// The offset is inside the code segment, or canonical in 64-bit mode.
function checkOffset(cpu: usize, descriptor: u64, offset: u64, error: u32): void {
  const attributes = descriptorAttributes(descriptor);
  if (isLongMode(cpu) && (attributes & ATTR_L) != 0) {
    if (!canonical(cpu, offset)) raiseError(cpu, GP, error);
  } else if ((offset & 0xffffffff) > <u64>descriptorLimit(descriptor)) raiseError(cpu, GP, error);
}

// ---- Where a far JMP or CALL goes.

let targetSelector: u32 = 0;
let targetCode: u64 = 0; // the code segment's descriptor, accessed
let targetOffset: u64 = 0;
let gateWords: u32 = 0;
let gateSize: u32 = 0; // of what CALL pushes; 0 where no gate says it

/**
 * Checks the target of protected mode and finds it: the companions above. False where it is another task, which has
 * begun then.
 */
function findTarget(cpu: usize, selector: u32, offset: u64, size: u32, way: u32): bool {
  if (isNull(selector)) raiseGP(cpu);
  const descriptor = readDescriptor(cpu, selector, GP, 0);
  const at = descriptorAt;
  const attributes = descriptorAttributes(descriptor);
  if (attributes & ATTR_S) {
    checkDirectCode(cpu, selector, attributes);
    targetSelector = selector;
    targetOffset = truncated(offset, size);
    gateSize = 0;
    checkOffset(cpu, descriptor, targetOffset, 0);
    targetCode = setAccessed(cpu, at, descriptor);
    return true;
  }
  if (namesTask(cpu, attributes)) {
    farTask(cpu, selector, descriptor, way);
    return false;
  }
  readCallGate(cpu, selector, descriptor, at);
  const code = readDescriptor(cpu, targetSelector, GP, 0);
  const codeAt = descriptorAt;
  checkGateCode(cpu, descriptorAttributes(code), targetSelector & 0xfffc, way);
  checkOffset(cpu, code, targetOffset, 0);
  targetCode = setAccessed(cpu, codeAt, code);
  return true;
}

// @ts-ignore: decorator
@inline
function truncated(offset: u64, size: u32): u64 {
  return size == 2 ? offset & 0xffff : offset;
}

// A code segment that the selector itself names.
function checkDirectCode(cpu: usize, selector: u32, attributes: u32): void {
  const error = selector & 0xfffc;
  const cpl = load<u32>(cpu, CPL);
  const dpl = dplOf(attributes);
  if ((attributes & ATTR_CODE) == 0) raiseError(cpu, GP, error);
  if (attributes & ATTR_CONFORMING) {
    if (dpl > cpl) raiseError(cpu, GP, error);
  } else if ((selector & 3) > cpl || dpl != cpl) raiseError(cpu, GP, error);
  if (isLongMode(cpu) && (attributes & (ATTR_L | ATTR_DB)) == (ATTR_L | ATTR_DB)) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
}

// Whether a system descriptor leads to another task: a TSS, also one that is busy, or a task gate. Not in long mode.
function namesTask(cpu: usize, attributes: u32): bool {
  if (isLongMode(cpu)) return false;
  const type = attributes & 15;
  return type == SYS_TASK_GATE || (type & ~10) == SYS_TSS16;
}

// Reads a call gate into targetSelector and its companions.
function readCallGate(cpu: usize, selector: u32, descriptor: u64, at: u64): void {
  const error = selector & 0xfffc;
  const attributes = descriptorAttributes(descriptor);
  const type = attributes & 15;
  const dpl = dplOf(attributes);
  const long = isLongMode(cpu);
  if (type != SYS_CALL && (long || type != SYS_CALL16)) raiseError(cpu, GP, error);
  if (dpl < load<u32>(cpu, CPL) || dpl < (selector & 3)) raiseError(cpu, GP, error);
  let high: u64 = 0;
  if (long) {
    if (!inTable(cpu, selector, 16)) raiseError(cpu, GP, error);
    high = sysRead64(cpu, at + 8);
    // The upper half's type field must be 0, so that it is no gate itself.
    if (((high >> 40) & 31) != 0) raiseError(cpu, GP, error);
  }
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  targetSelector = <u32>(descriptor >> 16) & 0xffff;
  targetOffset = descriptor & 0xffff;
  gateSize = long ? 8 : 2;
  if (type == SYS_CALL) {
    targetOffset |= (descriptor >> 48) << 16;
    if (!long) gateSize = 4;
  }
  if (long) targetOffset |= high << 32;
  gateWords = <u32>(descriptor >> 32) & 31;
  if (isNull(targetSelector)) raiseGP(cpu);
}

// The code segment that a gate names. JMP stays in its ring, CALL may go inward.
function checkGateCode(cpu: usize, attributes: u32, error: u32, way: u32): void {
  const cpl = load<u32>(cpu, CPL);
  const dpl = dplOf(attributes);
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE)) raiseError(cpu, GP, error);
  if (isLongMode(cpu) && (attributes & (ATTR_L | ATTR_DB)) != ATTR_L) raiseError(cpu, GP, error);
  const stays = way == SWITCH_JUMP && (attributes & ATTR_CONFORMING) == 0;
  if (stays ? dpl != cpl : dpl > cpl) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
}

// ---- Far JMP and CALL.

/** Far JMP. */
export function farJump(cpu: usize, selector: u32, offset: u64, size: u32): void {
  if (usesRealSegments(cpu)) {
    realTransfer(cpu, selector, offset, size, false);
    return;
  }
  if (!findTarget(cpu, selector, offset, size, SWITCH_JUMP)) return;
  setCodeSegment(cpu, targetSelector, targetCode, load<u32>(cpu, CPL));
  store<u64>(cpu, targetOffset, RIP);
  refreshMode(cpu);
}

/** Far CALL. RIP is the return address. */
export function farCall(cpu: usize, selector: u32, offset: u64, size: u32): void {
  if (usesRealSegments(cpu)) {
    realTransfer(cpu, selector, offset, size, true);
    return;
  }
  if (!findTarget(cpu, selector, offset, size, SWITCH_CALL)) return;
  const back = load<u64>(cpu, RIP);
  const oldCs = segSelector(cpu, CS);
  const cpl = load<u32>(cpu, CPL);
  const attributes = descriptorAttributes(targetCode);
  const dpl = dplOf(attributes);
  if (gateSize != 0 && (attributes & ATTR_CONFORMING) == 0 && dpl < cpl) {
    if (isLongMode(cpu)) callInner64(cpu, targetCode, dpl, oldCs, back);
    else callInner(cpu, targetCode, dpl, oldCs, back);
  } else {
    pushPair(cpu, gateSize != 0 ? gateSize : size, oldCs, back);
    setCodeSegment(cpu, targetSelector, targetCode, cpl);
  }
  store<u64>(cpu, targetOffset, RIP);
  refreshMode(cpu);
}

function realTransfer(cpu: usize, selector: u32, offset: u64, size: u32, call: bool): void {
  const target = truncated(offset, size);
  if (target > <u64>load<u32>(seg(cpu, CS), SEG_LIMIT)) raiseGP(cpu);
  if (call) pushPair(cpu, size, segSelector(cpu, CS), load<u64>(cpu, RIP));
  realSegment(cpu, CS, selector);
  store<u64>(cpu, target, RIP);
  refreshMode(cpu);
}

// CS and the return address, both or none.
function pushPair(cpu: usize, size: u32, cs: u32, back: u64): void {
  const mask = stackMask(cpu);
  const sp = stackPointer(cpu);
  const second = (sp - 2 * size) & mask;
  stackWritable(cpu, second, size);
  stackWrite(cpu, (sp - size) & mask, size, cs);
  stackWrite(cpu, second, size, back);
  setStackPointer(cpu, second);
}

function stackWritable(cpu: usize, offset: u64, size: u32): void {
  const linear = stackLinear(cpu, offset, size, 1);
  if (load<u32>(cpu, CPL) < 3) probeWriteSystem(cpu, linear, size);
}

function callInner64(cpu: usize, code: u64, dpl: u32, oldCs: u32, back: u64): void {
  const tr = seg(cpu, TR);
  const offset: u32 = 4 + dpl * 8;
  if (offset + 7 > load<u32>(tr, SEG_LIMIT)) raiseError(cpu, TS, load<u32>(tr, SEG_SELECTOR) & 0xfffc);
  const rsp = sysRead64(cpu, load<u64>(tr, SEG_BASE) + offset);
  if (!canonical(cpu, rsp - 1) || !canonical(cpu, rsp - 32)) raiseError(cpu, SSF, 0);
  probeWriteSystem(cpu, rsp - 32, 32);
  sysWrite64(cpu, rsp - 8, segSelector(cpu, SS));
  sysWrite64(cpu, rsp - 16, load<u64>(cpu, RSP));
  sysWrite64(cpu, rsp - 24, oldCs);
  sysWrite64(cpu, rsp - 32, back);
  nullStack(cpu, dpl, dpl);
  setCodeSegment(cpu, targetSelector, code, dpl);
  store<u64>(cpu, rsp - 32, RSP);
}

function callInner(cpu: usize, code: u64, dpl: u32, oldCs: u32, back: u64): void {
  innerStack(cpu, dpl, 0);
  const selector = innerSelector;
  const descriptor = innerDescriptor;
  const pointer = innerPointer;
  const size = gateSize;
  const words = gateWords;
  const mask: u64 = (descriptorAttributes(descriptor) & ATTR_DB) != 0 ? 0xffffffff : 0xffff;
  const total = (4 + words) * size;
  const bottom = (pointer - total) & mask;
  checkStack(cpu, descriptor, bottom, total, selector, 0);
  const base = descriptorBase(descriptor);
  probeWriteSystem(cpu, (base + bottom) & 0xffffffff, total);
  // The parameters are read before anything is written.
  const oldPointer = stackPointer(cpu);
  for (let i: u32 = 0; i < words; i++) stackRead(cpu, (oldPointer + i * size) & stackMask(cpu), size);
  let at = pointer;
  at = innerPush(cpu, base, at, mask, size, segSelector(cpu, SS));
  at = innerPush(cpu, base, at, mask, size, load<u64>(cpu, RSP));
  for (let i: u32 = words; i > 0; i--) {
    at = innerPush(cpu, base, at, mask, size, stackRead(cpu, (oldPointer + (i - 1) * size) & stackMask(cpu), size));
  }
  at = innerPush(cpu, base, at, mask, size, oldCs);
  at = innerPush(cpu, base, at, mask, size, back);
  fillSegment(cpu, SS, (selector & 0xfffc) | dpl, descriptor);
  setCodeSegment(cpu, targetSelector, code, dpl);
  refreshMode(cpu);
  setStackPointer(cpu, at);
}

// ---- Returns.

// The code segment a return goes to, checked; answers its descriptor with the accessed bit set.
function returnCode(cpu: usize, selector: u32): u64 {
  if (isNull(selector)) raiseGP(cpu);
  const descriptor = readDescriptor(cpu, selector, GP, 0);
  const at = descriptorAt;
  const attributes = descriptorAttributes(descriptor);
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  if ((attributes & (ATTR_S | ATTR_CODE)) != (ATTR_S | ATTR_CODE)) raiseError(cpu, GP, error);
  if (rpl < load<u32>(cpu, CPL)) raiseError(cpu, GP, error);
  const dpl = dplOf(attributes);
  if (attributes & ATTR_CONFORMING ? dpl > rpl : dpl != rpl) raiseError(cpu, GP, error);
  if (isLongMode(cpu) && (attributes & (ATTR_L | ATTR_DB)) == (ATTR_L | ATTR_DB)) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  return setAccessed(cpu, at, descriptor);
}

// The stack segment a return to an outer ring loads, checked; answers its descriptor, 0 for a null one.
function returnStack(cpu: usize, selector: u32, rpl: u32, code: u64): u64 {
  const error = selector & 0xfffc;
  if (isNull(selector)) {
    const to64 = isLongMode(cpu) && (descriptorAttributes(code) & ATTR_L) != 0;
    if (!to64 || rpl == 3 || (selector & 3) != rpl) raiseGP(cpu);
    return 0;
  }
  const descriptor = readDescriptor(cpu, selector, GP, 0);
  const at = descriptorAt;
  const attributes = descriptorAttributes(descriptor);
  if ((selector & 3) != rpl || dplOf(attributes) != rpl) raiseError(cpu, GP, error);
  if ((attributes & (ATTR_S | ATTR_CODE | ATTR_WRITABLE)) != (ATTR_S | ATTR_WRITABLE)) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, SSF, error);
  return setAccessed(cpu, at, descriptor);
}

function loadStack(cpu: usize, selector: u32, descriptor: u64, cpl: u32): void {
  if (descriptor == 0) nullStack(cpu, selector, cpl);
  else fillSegment(cpu, SS, selector, descriptor);
}

/** Far RET; `drop`: bytes of parameters. */
export function farReturn(cpu: usize, drop: u64, size: u32): void {
  const mask = stackMask(cpu);
  const sp = stackPointer(cpu);
  const offset = stackRead(cpu, sp, size);
  const selector = <u32>stackRead(cpu, (sp + size) & mask, size) & 0xffff;
  if (usesRealSegments(cpu)) {
    if (offset > <u64>load<u32>(seg(cpu, CS), SEG_LIMIT)) raiseGP(cpu);
    realSegment(cpu, CS, selector);
    store<u64>(cpu, offset, RIP);
    setStackPointer(cpu, sp + 2 * size + drop);
    refreshMode(cpu);
    return;
  }
  const code = returnCode(cpu, selector);
  const rpl = selector & 3;
  checkOffset(cpu, code, offset, 0);
  if (rpl == load<u32>(cpu, CPL)) {
    setStackPointer(cpu, sp + 2 * size + drop);
    setCodeSegment(cpu, selector, code, rpl);
    store<u64>(cpu, offset, RIP);
    refreshMode(cpu);
    return;
  }
  const outer = (sp + 2 * size + drop) & mask;
  const pointer = stackRead(cpu, outer, size);
  const stack = <u32>stackRead(cpu, (outer + size) & mask, size) & 0xffff;
  const descriptor = returnStack(cpu, stack, rpl, code);
  setCodeSegment(cpu, selector, code, rpl);
  loadStack(cpu, stack, descriptor, rpl);
  store<u64>(cpu, offset, RIP);
  refreshMode(cpu);
  setStackPointer(cpu, pointer + drop);
  dropDataSegments(cpu);
}

/** IRET in every mode. */
export function interruptReturn(cpu: usize, size: u32): void {
  const flags = getFlags(cpu);
  if (usesRealSegments(cpu)) {
    const virtual = (flags & VM) != 0 && usesVirtualFlag(cpu, size);
    const mask = stackMask(cpu);
    const sp = stackPointer(cpu);
    const offset = stackRead(cpu, sp, size);
    const selector = <u32>stackRead(cpu, (sp + size) & mask, size) & 0xffff;
    const popped = stackRead(cpu, (sp + 2 * size) & mask, size);
    if (offset > <u64>load<u32>(seg(cpu, CS), SEG_LIMIT)) raiseGP(cpu);
    let now: u64;
    if (virtual) now = withVirtualFlags(cpu, flags, popped);
    else {
      let kept: u64 = VM | VIF | VIP;
      if (size == 2) kept |= ~(<u64>0xffff);
      if (flags & VM) kept |= IOPL;
      now = (flags & kept) | (popped & ~kept);
    }
    realSegment(cpu, CS, selector);
    store<u64>(cpu, offset, RIP);
    setStackPointer(cpu, sp + 3 * size);
    setFlags(cpu, now);
    finishIret(cpu);
    return;
  }
  if (flags & NT) {
    if (isLongMode(cpu)) raiseGP(cpu);
    taskReturn(cpu);
    return;
  }
  const mask = stackMask(cpu);
  const sp = stackPointer(cpu);
  const offset = stackRead(cpu, sp, size);
  const selector = <u32>stackRead(cpu, (sp + size) & mask, size) & 0xffff;
  const popped = stackRead(cpu, (sp + 2 * size) & mask, size);
  const cpl = load<u32>(cpu, CPL);
  if ((popped & VM) != 0 && cpl == 0 && size == 4 && !isLongMode(cpu)) {
    returnToVirtual86(cpu, offset, selector, popped);
    return;
  }
  const code = returnCode(cpu, selector);
  const rpl = selector & 3;
  checkOffset(cpu, code, offset, 0);
  // From 64-bit mode SS:RSP are always popped.
  const pops = rpl != cpl || is64(cpu);
  let pointer: u64 = 0;
  let stack: u32 = 0;
  let descriptor: u64 = 0;
  if (pops) {
    pointer = stackRead(cpu, (sp + 3 * size) & mask, size);
    stack = <u32>stackRead(cpu, (sp + 4 * size) & mask, size) & 0xffff;
    descriptor = returnStack(cpu, stack, rpl, code);
  }
  let changeable = IRET_FLAGS;
  if (cpl <= <u32>(flags >> 12) & 3) changeable |= IF;
  if (cpl == 0) changeable |= IOPL | VIF | VIP;
  if (size == 2) changeable &= 0xffff;
  setCodeSegment(cpu, selector, code, rpl);
  if (pops) loadStack(cpu, stack, descriptor, rpl);
  store<u64>(cpu, offset, RIP);
  setFlags(cpu, (flags & ~changeable) | (popped & changeable));
  finishIret(cpu);
  if (pops) setStackPointer(cpu, pointer);
  else setStackPointer(cpu, sp + 3 * size);
  if (rpl > cpl) dropDataSegments(cpu);
}

// The rest of the frame: ESP, SS, ES, DS, FS, GS. SDM vol. 3A 21.2.5.
function returnToVirtual86(cpu: usize, offset: u64, code: u32, popped: u64): void {
  if (offset > 0xffff) raiseGP(cpu);
  const mask = stackMask(cpu);
  const sp = stackPointer(cpu);
  const pointer = stackRead(cpu, (sp + 12) & mask, 4);
  const stack = <u32>stackRead(cpu, (sp + 16) & mask, 4);
  const es = <u32>stackRead(cpu, (sp + 20) & mask, 4);
  const ds = <u32>stackRead(cpu, (sp + 24) & mask, 4);
  const fs = <u32>stackRead(cpu, (sp + 28) & mask, 4);
  const gs = <u32>stackRead(cpu, (sp + 32) & mask, 4);
  virtual86Segment(cpu, CS, code);
  virtual86Segment(cpu, SS, stack);
  virtual86Segment(cpu, ES, es);
  virtual86Segment(cpu, DS, ds);
  virtual86Segment(cpu, FS, fs);
  virtual86Segment(cpu, GS, gs);
  store<u64>(cpu, pointer, RSP);
  store<u64>(cpu, offset, RIP);
  setFlags(cpu, popped);
  store<u32>(cpu, 3, CPL);
  finishIret(cpu);
}

function finishIret(cpu: usize): void {
  // RF holds instruction breakpoints back for one instruction: without any it means nothing, and stepping is slow.
  if ((load<u64>(cpu, DR7) & 0xff) == 0) store<u64>(cpu, load<u64>(cpu, RFLAGS) & ~RF, RFLAGS);
  refreshMode(cpu);
  store<u32>(cpu, 0, NMI_MASKED);
  flagsChanged(cpu);
}

// ---- Fast system calls.

// A flat code or stack segment as SYSCALL and its relatives load them: nothing is read from the tables.
function flatSegment(cpu: usize, number: u32, selector: u32, attributes: u32): void {
  const at = seg(cpu, number);
  store<u32>(at, selector, SEG_SELECTOR);
  store<u64>(at, 0, SEG_BASE);
  store<u32>(at, 0xffffffff, SEG_LIMIT);
  store<u32>(at, attributes, SEG_ATTR);
}

const CODE64: u32 = ATTR_P | ATTR_S | ATTR_G | ATTR_L | 11;
const CODE32: u32 = ATTR_P | ATTR_S | ATTR_G | ATTR_DB | 11;
const DATA32: u32 = ATTR_P | ATTR_S | ATTR_G | ATTR_DB | 3;
const RING3: u32 = 3 << ATTR_DPL_SHIFT;

export function syscall(cpu: usize): void {
  if ((load<u64>(cpu, MSR_EFER) & EFER_SCE) == 0 || !isProtected(cpu)) raise(cpu, UD);
  const long = isLongMode(cpu);
  // Intel has it in 64-bit mode only.
  if (isIntel(cpu) && !is64(cpu)) raise(cpu, UD);
  count(cpu, COUNT_SYSCALLS);
  const flags = getFlags(cpu);
  const star = load<u64>(cpu, MSR_STAR);
  const selector = <u32>(star >> 32) & 0xfffc;
  if (long) {
    store<u64>(cpu, load<u64>(cpu, RIP), RCX);
    store<u64>(cpu, flags & ~RF, R11);
    store<u64>(cpu, is64(cpu) ? load<u64>(cpu, MSR_LSTAR) : load<u64>(cpu, MSR_CSTAR), RIP);
    setFlags(cpu, flags & ~(load<u64>(cpu, MSR_FMASK) | RF));
    flatSegment(cpu, CS, selector, CODE64);
  } else {
    store<u64>(cpu, load<u64>(cpu, RIP) & 0xffffffff, RCX);
    store<u64>(cpu, star & 0xffffffff, RIP);
    setFlags(cpu, flags & ~(IF | RF | VM));
    flatSegment(cpu, CS, selector, CODE32);
  }
  flatSegment(cpu, SS, selector + 8, DATA32);
  store<u32>(cpu, 0, CPL);
  refreshMode(cpu);
  stepTrapAtEnd(cpu);
}

export function sysret(cpu: usize, size: u32): void {
  if ((load<u64>(cpu, MSR_EFER) & EFER_SCE) == 0 || !isProtected(cpu)) raise(cpu, UD);
  if (isIntel(cpu) && !is64(cpu)) raise(cpu, UD);
  if (load<u32>(cpu, CPL) != 0) raiseGP(cpu);
  const star = load<u64>(cpu, MSR_STAR);
  const base = <u32>(star >> 48);
  const rcx = load<u64>(cpu, RCX);
  if (is64(cpu)) {
    // Intel checks RCX at ring 0; AMD lets the fault happen at ring 3.
    if (size == 8 && isIntel(cpu) && !canonical(cpu, rcx)) raiseGP(cpu);
    if (size == 8) {
      flatSegment(cpu, CS, (base + 16) | 3, CODE64 | RING3);
      store<u64>(cpu, rcx, RIP);
    } else {
      flatSegment(cpu, CS, base | 3, CODE32 | RING3);
      store<u64>(cpu, rcx & 0xffffffff, RIP);
    }
    setFlags(cpu, load<u64>(cpu, R11) & ~(RF | VM));
  } else {
    flatSegment(cpu, CS, base | 3, CODE32 | RING3);
    store<u64>(cpu, rcx & 0xffffffff, RIP);
    setFlags(cpu, getFlags(cpu) | IF);
  }
  if (isIntel(cpu)) flatSegment(cpu, SS, (base + 8) | 3, DATA32 | RING3);
  else {
    // AMD loads the selector and the DPL; base, limit and the rest of the attributes stay.
    const ss = seg(cpu, SS);
    store<u32>(ss, (base + 8) | 3, SEG_SELECTOR);
    store<u32>(ss, (load<u32>(ss, SEG_ATTR) & ~RING3) | RING3, SEG_ATTR);
  }
  store<u32>(cpu, 3, CPL);
  refreshMode(cpu);
  flagsChanged(cpu);
  stepTrapAtEnd(cpu);
}

export function sysenter(cpu: usize): void {
  // AMD has it in legacy mode only.
  if (!isIntel(cpu) && isLongMode(cpu)) raise(cpu, UD);
  const selector = <u32>load<u64>(cpu, MSR_SYSENTER_CS);
  if (!isProtected(cpu) || isNull(selector)) raiseGP(cpu);
  const long = isLongMode(cpu);
  setFlags(cpu, getFlags(cpu) & ~(VM | IF | RF));
  flatSegment(cpu, CS, selector & 0xfffc, long ? CODE64 : CODE32);
  flatSegment(cpu, SS, (selector & 0xfffc) + 8, DATA32);
  store<u32>(cpu, 0, CPL);
  const eip = load<u64>(cpu, MSR_SYSENTER_EIP);
  const esp = load<u64>(cpu, MSR_SYSENTER_ESP);
  store<u64>(cpu, long ? eip : eip & 0xffffffff, RIP);
  store<u64>(cpu, long ? esp : esp & 0xffffffff, RSP);
  refreshMode(cpu);
}

export function sysexit(cpu: usize, size: u32): void {
  if (!isProtected(cpu) || load<u32>(cpu, CPL) != 0) raiseGP(cpu);
  if (!isIntel(cpu) && isLongMode(cpu)) raise(cpu, UD);
  const selector = <u32>load<u64>(cpu, MSR_SYSENTER_CS);
  if (isNull(selector)) raiseGP(cpu);
  const rip = load<u64>(cpu, RDX);
  const rsp = load<u64>(cpu, RCX);
  const base = selector & 0xfffc;
  if (size == 8) {
    if (!canonical(cpu, rip) || !canonical(cpu, rsp)) raiseGP(cpu);
    flatSegment(cpu, CS, (base + 32) | 3, CODE64 | RING3);
    flatSegment(cpu, SS, (base + 40) | 3, DATA32 | RING3);
    store<u64>(cpu, rip, RIP);
    store<u64>(cpu, rsp, RSP);
  } else {
    flatSegment(cpu, CS, (base + 16) | 3, CODE32 | RING3);
    flatSegment(cpu, SS, (base + 24) | 3, DATA32 | RING3);
    store<u64>(cpu, rip & 0xffffffff, RIP);
    store<u64>(cpu, rsp & 0xffffffff, RSP);
  }
  store<u32>(cpu, 3, CPL);
  refreshMode(cpu);
}
