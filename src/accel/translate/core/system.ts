// System instructions. RIP is the next instruction's when a handler starts; a fault restarts at the
// instruction itself. Operand size in REC_OSIZE.
import {
  BLOCK_RIP, COUNT_PORT, CPL, CR0, CR2, CR3, CR4, CS, DR, EXC_PAYLOAD, EXIT_INTERCEPT, EXIT_REQUEST, FS, GDTR_BASE, GDTR_LIMIT, GPR,
  GS, IDTR_BASE, IDTR_LIMIT, INTERCEPTS, INTERRUPT_CHECK, LDTR, MONITOR_INTERRUPTS, MONITOR_LINE, MSR_EFER,
  MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
  PKRU, REPEATING, RFLAGS, RIP, RUN_STATE, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SHADOW, SS, TR, XCR0, ES, YIELDED,
} from "../layout";
import {
  FEATURE_DE, FEATURE_FSGSBASE, FEATURE_FXSR, FEATURE_LA57, FEATURE_MCE, FEATURE_PAE, FEATURE_PCID, FEATURE_PGE, FEATURE_PKS,
  FEATURE_PKU, FEATURE_PSE, FEATURE_SMAP, FEATURE_SMEP, FEATURE_SSE, FEATURE_TSC, FEATURE_UMIP, FEATURE_VME, FEATURE_XGETBV1,
  FEATURE_XSAVE,
} from "../feature-bits";
import { count, monitorLine } from "./blocks";
import { cpuid, cpuidA, cpuidB, cpuidC, cpuidD } from "./cpuid";
import { has, physicalMask } from "./cpu-features";
import { eaSized, effectiveOffset } from "./ea";
import { othersWait, privilegedInterrupt, softwareInterrupt } from "./events";
import { DB, GP, NP, UD, leave, raise, raiseError, raiseGP, unimplemented } from "./exceptions";
import {
  AC, ARITHMETIC, CF, DF, ID, IF, IOPL, NT, RF, TF, VM, ZF, arithmeticFlags, condition, getFlags, setArith,
  setFlags,
} from "./flags";
import { hostPortRead, hostPortWrite, hostRandom } from "./host";
import { inUseWithMxcsr, userComponents } from "./fpu-state";
import { watchPorts } from "./io-breakpoints";
import { isRegister as isReg, linearPast, readRm, readSized, sizeOf as size, writeSized } from "./operands";
import { apicCr8, apicSetCr8 } from "./lapic";
import { read16, read32, read64, sysRead16, sysRead64, sysWrite8, write16, write32, write64 } from "./memory";
import {
  CR0_CD, CR0_ET, CR0_NW, CR0_PE, CR0_PG, CR0_TS, CR0_WP, CR4_DE, CR4_FSGSBASE, CR4_LA57, CR4_MCE, CR4_OSFXSR, CR4_OSXMMEXCPT,
  CR4_OSXSAVE, CR4_PAE, CR4_PCE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PKS, CR4_PSE, CR4_PVI, CR4_SMAP, CR4_SMEP, CR4_TSD, CR4_UMIP, CR4_VME,
  EFER_LMA, EFER_LME, is64, isLongMode, isProtected, refreshFpu, refreshLinearBits, refreshMode, usesRealSegments,
} from "./mode";
import { canonicalBase, cr3Loaded, flushPage, flushSpaces, flushTlb, loadPdptrs, NO_MEMORY, probeRead, probeWrite, readHost, selectTlb, writePkru } from "./mmu";
import { monitorPermitted, msrValue, readMsrValue, writeMsrValue } from "./msr";
import * as S from "./ops-system";
import {
  F_REPE, F_REPNE, F_REXW, REC_ASIZE, REC_FLAGS, REC_IMM, REC_IPOFF, REC_REG, REC_RM, REC_SEG,
} from "./record";
import {
  ATTR_CODE, ATTR_CONFORMING, ATTR_L, ATTR_P, ATTR_READABLE, ATTR_S, ATTR_UNUSABLE, ATTR_WRITABLE,
} from "./segment-bits";
import {
  descriptorAt, descriptorAttributes, descriptorBase, descriptorLimit, dplOf, inTable, isNull, loadSegment, seg,
  segSelector, segmentLinear,
} from "./segments";
import { push, setMaskedPointer, setStackPointer, stackMask, stackPointer, stackRead } from "./stack";
import { farCall, farJump, farReturn, interruptReturn, syscall, sysenter, sysexit, sysret } from "./transfer";
import { tscNow } from "./tsc";
import {
  clearInterruptFlag, isVirtual86, redirectInterrupt, setInterruptFlag, usesVirtualFlag, virtualFlags, withVirtualFlags,
} from "./vm86";

const RAX: usize = GPR;
const RCX: usize = GPR + 8;
const RDX: usize = GPR + 2 * 8;
const RBX: usize = GPR + 3 * 8;
const RSI: usize = GPR + 6 * 8;
const RDI: usize = GPR + 7 * 8;

const SHADOW_STI: u32 = 1;
const SHADOW_MOV_SS: u32 = 2;
const RUN_HALTED: u32 = 1;
const RUN_MWAIT: u32 = 5;

// Bits of INTERCEPTS, as vcpu/intercepts.ts numbers them.
const ON_SYSCALL: u32 = 0;
const ON_SYSENTER: u32 = 1;
const ON_IRET: u32 = 2;
const ON_SOFTWARE_INTERRUPT: u32 = 3;
const ON_CONTROL: u32 = 4;
const ON_DEBUG: u32 = 5;
const ON_MSR_READ: u32 = 6;
const ON_MSR_WRITE: u32 = 7;
const ON_PORTS: u32 = 8;
const ON_HYPERCALL: u32 = 9;
const ON_CPUID: u32 = 10;
const ON_HLT: u32 = 11;
const ON_INVLPG: u32 = 12;
const ON_RDTSC: u32 = 13;
const ON_TABLES: u32 = 14;
const ON_WBINVD: u32 = 15;
const ON_PAUSE: u32 = 16;

// A register at an address in the state block.
function getSized(at: usize, bytes: u32): u64 {
  if (bytes == 8) return load<u64>(at);
  if (bytes == 4) return <u64>load<u32>(at);
  if (bytes == 2) return <u64>load<u16>(at);
  return <u64>load<u8>(at);
}
function putSized(at: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(at, value);
  else if (bytes == 4) store<u64>(at, value & 0xffffffff);
  else if (bytes == 2) store<u16>(at, <u16>value);
  else store<u8>(at, <u8>value);
}
function intercept(cpu: usize, bit: u32): void {
  if ((load<u32>(cpu, INTERCEPTS) >> bit) & 1) leave(cpu, EXIT_INTERCEPT, bit);
}
function ringZero(cpu: usize): void {
  if (load<u32>(cpu, CPL) != 0) raiseGP(cpu);
}
function protectedOnly(cpu: usize): void {
  if (usesRealSegments(cpu)) raise(cpu, UD);
}
// SGDT, SIDT, SLDT, STR and SMSW outside ring 0.
function userModePrevention(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_UMIP) != 0 && load<u32>(cpu, CPL) != 0) raiseGP(cpu);
}
function checkInterrupts(cpu: usize): void {
  store<u32>(cpu, 1, INTERRUPT_CHECK);
}
function ioplOf(cpu: usize): u32 {
  return <u32>(load<u64>(cpu, RFLAGS) >> 12) & 3;
}

// ---- Control registers.

const CR0_VALID: u64 = 0xe005003f;

function writeCr0(cpu: usize, asked: u64): void {
  if (asked >> 32 != 0) raiseGP(cpu);
  const value = (asked & CR0_VALID) | CR0_ET;
  if ((value & CR0_PG) != 0 && (value & CR0_PE) == 0) raiseGP(cpu);
  if ((value & CR0_NW) != 0 && (value & CR0_CD) == 0) raiseGP(cpu);
  const old = load<u64>(cpu, CR0);
  const cr4 = load<u64>(cpu, CR4);
  let efer = load<u64>(cpu, MSR_EFER);
  if (((old ^ value) & CR0_PG) != 0) {
    if (value & CR0_PG) {
      if (efer & EFER_LME) {
        if ((cr4 & CR4_PAE) == 0 || (load<u32>(seg(cpu, CS), SEG_ATTR) & ATTR_L) != 0) raiseGP(cpu);
        efer |= EFER_LMA;
      } else if ((cr4 & CR4_PAE) != 0 && !loadPdptrs(cpu, load<u64>(cpu, CR3))) raiseGP(cpu);
    } else {
      if (is64(cpu) || (cr4 & CR4_PCIDE) != 0) raiseGP(cpu);
      efer &= ~EFER_LMA;
    }
  } else if (
    (value & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0 && (efer & EFER_LMA) == 0 && ((old ^ value) & (CR0_CD | CR0_NW)) != 0
  ) {
    if (!loadPdptrs(cpu, load<u64>(cpu, CR3))) raiseGP(cpu);
  }
  store<u64>(cpu, efer, MSR_EFER);
  store<u64>(cpu, value, CR0);
  if (((old ^ value) & (CR0_PG | CR0_WP | CR0_PE)) != 0) flushTlb(cpu);
  refreshFpu(cpu);
  refreshMode(cpu);
}

function cr4Valid(cpu: usize): u64 {
  let valid: u64 = CR4_PCE;
  if (has(cpu, FEATURE_VME)) valid |= CR4_VME | CR4_PVI;
  if (has(cpu, FEATURE_TSC)) valid |= CR4_TSD;
  if (has(cpu, FEATURE_DE)) valid |= CR4_DE;
  if (has(cpu, FEATURE_PSE)) valid |= CR4_PSE;
  if (has(cpu, FEATURE_PAE)) valid |= CR4_PAE;
  if (has(cpu, FEATURE_MCE)) valid |= CR4_MCE;
  if (has(cpu, FEATURE_PGE)) valid |= CR4_PGE;
  if (has(cpu, FEATURE_FXSR)) valid |= CR4_OSFXSR;
  if (has(cpu, FEATURE_SSE)) valid |= CR4_OSXMMEXCPT;
  if (has(cpu, FEATURE_UMIP)) valid |= CR4_UMIP;
  if (has(cpu, FEATURE_FSGSBASE)) valid |= CR4_FSGSBASE;
  if (has(cpu, FEATURE_PCID)) valid |= CR4_PCIDE;
  if (has(cpu, FEATURE_XSAVE)) valid |= CR4_OSXSAVE;
  if (has(cpu, FEATURE_SMEP)) valid |= CR4_SMEP;
  if (has(cpu, FEATURE_SMAP)) valid |= CR4_SMAP;
  if (has(cpu, FEATURE_LA57)) valid |= CR4_LA57;
  if (has(cpu, FEATURE_PKU)) valid |= CR4_PKE;
  if (has(cpu, FEATURE_PKS)) valid |= CR4_PKS;
  return valid;
}

// Bits that change what translations mean.
const CR4_FLUSHING: u64 =
  CR4_PGE | CR4_PAE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57 | CR4_PKE | CR4_PKS;

function writeCr4(cpu: usize, value: u64): void {
  if ((value & ~cr4Valid(cpu)) != 0) raiseGP(cpu);
  const old = load<u64>(cpu, CR4);
  const changed = old ^ value;
  if (isLongMode(cpu) && ((value & CR4_PAE) == 0 || (changed & CR4_LA57) != 0)) raiseGP(cpu);
  if ((value & CR4_PCIDE) != 0 && (old & CR4_PCIDE) == 0) {
    if (!isLongMode(cpu) || (load<u64>(cpu, CR3) & 0xfff) != 0) raiseGP(cpu);
  }
  const paging = (load<u64>(cpu, CR0) & CR0_PG) != 0;
  if (paging && !isLongMode(cpu) && (value & CR4_PAE) != 0 && (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) != 0) {
    if (!loadPdptrs(cpu, load<u64>(cpu, CR3))) raiseGP(cpu);
  }
  store<u64>(cpu, value, CR4);
  if ((changed & CR4_FLUSHING) != 0) flushTlb(cpu);
  if ((changed & CR4_LA57) != 0) refreshLinearBits(cpu);
  if ((changed & (CR4_OSFXSR | CR4_OSXSAVE)) != 0) refreshFpu(cpu);
  refreshMode(cpu);
}

function writeCr3(cpu: usize, value: u64): void {
  const cr4 = load<u64>(cpu, CR4);
  let keep = false;
  if (isLongMode(cpu)) {
    if ((cr4 & CR4_PCIDE) != 0) {
      keep = value >> 63 != 0;
      value &= 0x7fffffffffffffff;
    }
    if ((value & ~physicalMask(cpu)) != 0) raiseGP(cpu);
  } else {
    value &= 0xffffffff;
    if ((load<u64>(cpu, CR0) & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0 && !loadPdptrs(cpu, value)) raiseGP(cpu);
  }
  store<u64>(cpu, value, CR3);
  cr3Loaded(cpu, keep);
}

function moveToControl(cpu: usize, rec: usize): void {
  const number = load<u32>(rec, REC_IMM);
  if (number != 0 && number != 2 && number != 3 && number != 4 && number != 8) raise(cpu, UD);
  ringZero(cpu);
  intercept(cpu, ON_CONTROL);
  const value = getSized(cpu + load<u8>(rec, REC_RM), size(rec));
  if (number == 0) writeCr0(cpu, value);
  else if (number == 2) store<u64>(cpu, value, CR2);
  else if (number == 3) writeCr3(cpu, value);
  else if (number == 4) writeCr4(cpu, value);
  else {
    if (value > 15) raiseGP(cpu);
    apicSetCr8(cpu, value);
  }
}

function moveFromControl(cpu: usize, rec: usize): void {
  const number = load<u32>(rec, REC_IMM);
  if (number != 0 && number != 2 && number != 3 && number != 4 && number != 8) raise(cpu, UD);
  ringZero(cpu);
  intercept(cpu, ON_CONTROL);
  let value: u64;
  if (number == 0) value = load<u64>(cpu, CR0);
  else if (number == 2) value = load<u64>(cpu, CR2);
  else if (number == 3) value = load<u64>(cpu, CR3);
  else value = number == 4 ? load<u64>(cpu, CR4) : apicCr8(cpu);
  putSized(cpu + load<u8>(rec, REC_RM), size(rec), value);
}

function moveDebug(cpu: usize, rec: usize, write: bool): void {
  let number = load<u32>(rec, REC_IMM);
  if (number > 7) raise(cpu, UD);
  if (number == 4 || number == 5) {
    if ((load<u64>(cpu, CR4) & CR4_DE) != 0) raise(cpu, UD);
    number += 2;
  }
  ringZero(cpu);
  intercept(cpu, ON_DEBUG);
  const dr7 = cpu + DR + 56;
  if ((load<u64>(dr7) & (1 << 13)) != 0) {
    // General detect: #DB before the access, with DR6.BD.
    store<u64>(cpu, 1 << 13, EXC_PAYLOAD);
    raise(cpu, DB);
  }
  const at = cpu + DR + (number << 3);
  const register = cpu + load<u8>(rec, REC_RM);
  if (!write) {
    putSized(register, size(rec), load<u64>(at));
    return;
  }
  const value = getSized(register, size(rec));
  if (number >= 6 && value >> 32 != 0) raiseGP(cpu);
  if (number == 6) {
    store<u64>(at, (value & 0xe00f) | 0xffff0ff0);
    return;
  }
  // Pages with an enabled breakpoint have no tags in the TLB.
  let enabled = load<u64>(dr7);
  if (number == 7) {
    store<u64>(at, (value & 0xffff2fff) | 0x400);
    enabled |= value;
  } else store<u64>(at, value);
  if ((enabled & 0xff) != 0) {
    flushTlb(cpu);
    checkInterrupts(cpu);
  }
}

// ---- Tables.

function storeTable(cpu: usize, rec: usize, base: u64, limit: u32): void {
  userModePrevention(cpu);
  intercept(cpu, ON_TABLES);
  const wide = is64(cpu);
  const linear = eaSized(cpu, rec, wide ? 10 : 6, 1);
  probeWrite(cpu, linear, wide ? 10 : 6);
  write16(cpu, linear, <u16>limit);
  if (wide) write64(cpu, linear + 2, base);
  else write32(cpu, linear + 2, <u32>base);
}

function loadTable(cpu: usize, rec: usize, interrupts: bool): void {
  ringZero(cpu);
  intercept(cpu, ON_TABLES);
  const wide = is64(cpu);
  const linear = eaSized(cpu, rec, wide ? 10 : 6, 0);
  const limit = <u32>read16(cpu, linear);
  let base = wide ? read64(cpu, linear + 2) : <u64>read32(cpu, linear + 2);
  if (!wide && size(rec) == 2) base &= 0xffffff;
  if (wide && !canonicalBase(cpu, base)) raiseGP(cpu);
  store<u64>(cpu + (interrupts ? IDTR_BASE : GDTR_BASE), base);
  store<u32>(cpu + (interrupts ? IDTR_LIMIT : GDTR_LIMIT), limit);
}

// LLDT and LTR. A system descriptor is 16 bytes in long mode.
function loadSystemSegment(cpu: usize, rec: usize, number: u32): void {
  protectedOnly(cpu);
  ringZero(cpu);
  intercept(cpu, ON_TABLES);
  const selector = <u32>readRm(cpu, rec, 2);
  const error = selector & 0xfffc;
  const target = seg(cpu, number);
  if (isNull(selector)) {
    if (number == TR) raiseGP(cpu);
    store<u32>(target, selector, SEG_SELECTOR);
    store<u32>(target, ATTR_UNUSABLE, SEG_ATTR);
    return;
  }
  if (selector & 4) raiseError(cpu, GP, error);
  const long = isLongMode(cpu);
  if (!inTable(cpu, selector, long ? 16 : 8)) raiseError(cpu, GP, error);
  const at = descriptorAt;
  const descriptor = sysRead64(cpu, at);
  const high = long ? sysRead64(cpu, at + 8) : 0;
  const attributes = descriptorAttributes(descriptor);
  const type = attributes & 31;
  if (number == LDTR ? type != 2 : type != 9 && (long || type != 1)) raiseError(cpu, GP, error);
  if ((attributes & ATTR_P) == 0) raiseError(cpu, NP, error);
  const base = descriptorBase(descriptor) | (high << 32);
  if (long && !canonicalBase(cpu, base)) raiseError(cpu, GP, error);
  let final = attributes;
  if (number == TR) {
    sysWrite8(cpu, at + 5, <u8>(attributes | 2));
    final |= 2;
  }
  store<u32>(target, selector, SEG_SELECTOR);
  store<u64>(target, base, SEG_BASE);
  store<u32>(target, descriptorLimit(descriptor), SEG_LIMIT);
  store<u32>(target, final, SEG_ATTR);
}

// The stored selector or machine status word: 16 bits to memory, the operand size to a register.
function storeWord(cpu: usize, rec: usize, value: u64): void {
  userModePrevention(cpu);
  intercept(cpu, ON_TABLES);
  if (isReg(rec)) putSized(cpu + load<u8>(rec, REC_RM), size(rec), value);
  else write16(cpu, eaSized(cpu, rec, 2, 1), <u16>value);
}

function setZero(cpu: usize, set: bool): void {
  setArith(cpu, (arithmeticFlags(cpu) & ~ZF) | (set ? ZF : 0));
}

// A descriptor that the running program may look at, for LAR, LSL, VERR and VERW; 0 where it may not.
function visibleDescriptor(cpu: usize, selector: u32): u64 {
  if (isNull(selector) || !inTable(cpu, selector, 8)) return 0;
  const descriptor = sysRead64(cpu, descriptorAt);
  const attributes = descriptorAttributes(descriptor);
  const conforming = (attributes & (ATTR_S | ATTR_CODE | ATTR_CONFORMING)) == (ATTR_S | ATTR_CODE | ATTR_CONFORMING);
  const dpl = dplOf(attributes);
  if (!conforming && (load<u32>(cpu, CPL) > dpl || (selector & 3) > dpl)) return 0;
  return descriptor;
}

function loadAccessRights(cpu: usize, rec: usize, limit: bool): void {
  protectedOnly(cpu);
  const selector = <u32>readRm(cpu, rec, 2);
  const descriptor = visibleDescriptor(cpu, selector);
  const attributes = descriptorAttributes(descriptor);
  let valid = descriptor != 0;
  if (valid && (attributes & ATTR_S) == 0) {
    const type = attributes & 15;
    const long = isLongMode(cpu);
    // Available and busy TSS, LDT; for LAR also call and task gates. 16-bit ones do not exist in long mode.
    const tables = type == 2 || type == 9 || type == 11 || (!long && (type == 1 || type == 3));
    const gates = type == 12 || (!long && (type == 4 || type == 5));
    valid = tables || (!limit && gates);
    if (valid && long && !inTable(cpu, selector, 16)) valid = false;
  }
  if (valid) {
    const value = limit ? <u64>descriptorLimit(descriptor) : (descriptor >> 32) & 0xffff00;
    putSized(cpu + load<u8>(rec, REC_REG), size(rec), value);
  }
  setZero(cpu, valid);
}

function verify(cpu: usize, rec: usize, write: bool): void {
  protectedOnly(cpu);
  const descriptor = visibleDescriptor(cpu, <u32>readRm(cpu, rec, 2));
  const attributes = descriptorAttributes(descriptor);
  let valid = descriptor != 0 && (attributes & ATTR_S) != 0;
  if (valid) {
    const code = (attributes & ATTR_CODE) != 0;
    if (write) valid = !code && (attributes & ATTR_WRITABLE) != 0;
    else valid = !code || (attributes & ATTR_READABLE) != 0;
  }
  setZero(cpu, valid);
}

function adjustRpl(cpu: usize, rec: usize): void {
  protectedOnly(cpu);
  const source = <u32>load<u16>(cpu + load<u8>(rec, REC_REG)) & 3;
  let value = <u32>readRm(cpu, rec, 2);
  const lower = (value & 3) < source;
  // Memory that may only be read is no fault where nothing is to be adjusted.
  if (lower) {
    value = (value & ~3) | source;
    if (isReg(rec)) store<u16>(cpu + load<u8>(rec, REC_RM), <u16>value);
    else writeSized(cpu, eaSized(cpu, rec, 2, 1), 2, value);
  }
  setZero(cpu, lower);
}

// ---- Flags.

function pushFlags(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const virtual = isVirtual86(cpu) && usesVirtualFlag(cpu, bytes);
  const flags = getFlags(cpu) & ~(RF | VM);
  push(cpu, bytes, virtual ? virtualFlags(flags) : flags);
}

function popFlags(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const old = getFlags(cpu);
  const cpl = load<u32>(cpu, CPL);
  const virtual = isVirtual86(cpu) && usesVirtualFlag(cpu, bytes);
  const sp = stackPointer(cpu);
  const value = stackRead(cpu, sp, bytes);
  let now: u64;
  if (virtual) now = withVirtualFlags(cpu, old, value);
  else {
    let changeable = ARITHMETIC | TF | DF | NT | AC | ID;
    if (cpl <= ioplOf(cpu)) changeable |= IF;
    if (cpl == 0) changeable |= IOPL;
    if (bytes == 2) changeable &= 0xffff;
    now = (old & ~changeable) | (value & changeable);
    if (bytes != 2) now &= ~RF;
  }
  setStackPointer(cpu, sp + bytes);
  setFlags(cpu, now);
  if (((old ^ now) & AC) != 0) selectTlb(cpu);
  if (((old ^ now) & (IF | TF)) != 0) checkInterrupts(cpu);
}

// ---- Ports.

// IOPL, or the TSS's permission bitmap. SDM vol. 1 19.5.
function checkPort(cpu: usize, port: u32, bytes: u32): void {
  if (!isProtected(cpu) || (load<u32>(cpu, CPL) <= ioplOf(cpu) && !isVirtual86(cpu))) return;
  const tr = seg(cpu, TR);
  const limit = load<u32>(tr, SEG_LIMIT);
  if ((load<u32>(tr, SEG_ATTR) & 8) == 0 || limit < 103) raiseGP(cpu);
  const base = load<u64>(tr, SEG_BASE);
  const at = <u32>sysRead16(cpu, base + 102) + (port >> 3);
  // Two bytes are read always, because an access may straddle them.
  if (at + 1 > limit) raiseGP(cpu);
  const bits = <u32>sysRead16(cpu, base + at) >> (port & 7);
  if ((bits & ((1 << bytes) - 1)) != 0) raiseGP(cpu);
}

function portOf(cpu: usize, rec: usize): u32 {
  const immediate = load<u32>(rec, REC_IMM);
  return immediate == 0x10000 ? <u32>load<u16>(cpu, RDX) : immediate;
}

function input(cpu: usize, rec: usize): void {
  const port = portOf(cpu, rec);
  const bytes = size(rec);
  checkPort(cpu, port, bytes);
  intercept(cpu, ON_PORTS);
  count(cpu, COUNT_PORT);
  putSized(cpu + RAX, bytes, <u64>hostPortRead(cpu, port, bytes));
  watchPorts(cpu, port, bytes);
}

function output(cpu: usize, rec: usize): void {
  const port = portOf(cpu, rec);
  const bytes = size(rec);
  checkPort(cpu, port, bytes);
  intercept(cpu, ON_PORTS);
  count(cpu, COUNT_PORT);
  hostPortWrite(cpu, port, bytes, <u32>getSized(cpu + RAX, bytes));
  watchPorts(cpu, port, bytes);
}

function stringLinear(cpu: usize, segment: u32, offset: u64, bytes: u32, write: u32): u64 {
  if (is64(cpu) && segment != FS && segment != GS) return offset;
  return segmentLinear(cpu, segment, offset, bytes, write);
}

// INS and OUTS: one element at a time; with a repeat prefix RIP stays until RCX is 0.
function portString(cpu: usize, rec: usize, out: bool): void {
  const bytes = size(rec);
  const wide = <u32>load<u8>(rec, REC_ASIZE);
  const repeat = (load<u8>(rec, REC_FLAGS) & (F_REPE | F_REPNE)) != 0;
  const port = <u32>load<u16>(cpu, RDX);
  checkPort(cpu, port, bytes);
  if (repeat && getSized(cpu + RCX, wide) == 0) return;
  intercept(cpu, ON_PORTS);
  const step: u64 = (load<u64>(cpu, RFLAGS) & DF) != 0 ? 0 - <u64>bytes : <u64>bytes;
  const pointer = cpu + (out ? RSI : RDI);
  const offset = getSized(pointer, wide);
  count(cpu, COUNT_PORT);
  if (out) {
    const value = readSized(cpu, stringLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, bytes, 0), bytes);
    hostPortWrite(cpu, port, bytes, <u32>value);
  } else {
    const linear = stringLinear(cpu, ES, offset, bytes, 1);
    probeWrite(cpu, linear, bytes);
    writeSized(cpu, linear, bytes, <u64>hostPortRead(cpu, port, bytes));
  }
  putSized(pointer, wide, offset + step);
  watchPorts(cpu, port, bytes);
  if (!repeat) return;
  const left = getSized(cpu + RCX, wide) - 1;
  putSized(cpu + RCX, wide, left);
  const more = getSized(cpu + RCX, wide) != 0;
  store<u32>(cpu, u32(more), REPEATING);
  if (more) restart(cpu, rec);
}

// The instruction is executed again.
function restart(cpu: usize, rec: usize): void {
  store<u64>(cpu, load<u64>(cpu, BLOCK_RIP) + <u64>load<u16>(rec, REC_IPOFF), RIP);
}

// ---- Waiting for a store. Intel SDM vol. 3A 9.10.6.

function monitor(cpu: usize, rec: usize): void {
  if (!monitorPermitted(cpu)) raise(cpu, UD);
  // No extensions, and hints mean nothing.
  if (load<u32>(cpu, RCX) != 0) raiseGP(cpu);
  const offset = getSized(cpu + RAX, <u32>load<u8>(rec, REC_ASIZE));
  const host = readHost(cpu, segmentLinear(cpu, <u32>load<u8>(rec, REC_SEG), offset, 1, 0), 0);
  // A line of a device's registers is not watched: only memory that is cached can be.
  if (host == NO_MEMORY) store<u32>(cpu, 0, MONITOR_LINE);
  else monitorLine(cpu, host);
}

function mwait(cpu: usize): void {
  if (!monitorPermitted(cpu)) raise(cpu, UD);
  const extensions = load<u32>(cpu, RCX);
  if ((extensions & ~1) != 0) raiseGP(cpu);
  intercept(cpu, ON_HLT);
  if (load<u32>(cpu, MONITOR_LINE) == 0) return;
  store<u32>(cpu, extensions & 1, MONITOR_INTERRUPTS);
  store<u32>(cpu, RUN_MWAIT, RUN_STATE);
  checkInterrupts(cpu);
}

// A program that waits for another processor lets it run.
function pause(cpu: usize): void {
  intercept(cpu, ON_PAUSE);
  if (!othersWait(cpu)) return;
  store<u32>(cpu, 1, YIELDED);
  store<u32>(cpu, 1, EXIT_REQUEST);
}

// ---- The rest.

function rdmsr(cpu: usize): void {
  ringZero(cpu);
  intercept(cpu, ON_MSR_READ);
  if (!readMsrValue(cpu, load<u32>(cpu, RCX))) raiseGP(cpu);
  store<u64>(cpu, msrValue & 0xffffffff, RAX);
  store<u64>(cpu, msrValue >> 32, RDX);
}

function wrmsr(cpu: usize): void {
  ringZero(cpu);
  intercept(cpu, ON_MSR_WRITE);
  const value = <u64>load<u32>(cpu, RAX) | (<u64>load<u32>(cpu, RDX) << 32);
  if (!writeMsrValue(cpu, load<u32>(cpu, RCX), value)) raiseGP(cpu);
}

function rdtsc(cpu: usize, withAux: bool): void {
  if ((load<u64>(cpu, CR4) & CR4_TSD) != 0 && load<u32>(cpu, CPL) != 0) raiseGP(cpu);
  intercept(cpu, ON_RDTSC);
  const value = tscNow(cpu);
  store<u64>(cpu, value & 0xffffffff, RAX);
  store<u64>(cpu, value >> 32, RDX);
  if (withAux) store<u64>(cpu, load<u64>(cpu, MSR_TSC_AUX), RCX);
}

function xsetbv(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_OSXSAVE) == 0) raise(cpu, UD);
  ringZero(cpu);
  const value = <u64>load<u32>(cpu, RAX) | (<u64>load<u32>(cpu, RDX) << 32);
  if (load<u32>(cpu, RCX) != 0 || (value & ~userComponents(cpu)) != 0 || (value & 1) == 0) raiseGP(cpu);
  if ((value & 6) == 4) raiseGP(cpu);
  store<u64>(cpu, value, XCR0);
  refreshFpu(cpu);
}

function xgetbv(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_OSXSAVE) == 0) raise(cpu, UD);
  const index = load<u32>(cpu, RCX);
  if (index > 1 || (index == 1 && !has(cpu, FEATURE_XGETBV1))) raiseGP(cpu);
  const value = load<u64>(cpu, XCR0) & (index == 1 ? inUseWithMxcsr(cpu) : ~0);
  store<u64>(cpu, value & 0xffffffff, RAX);
  store<u64>(cpu, value >> 32, RDX);
}

function segmentBase(cpu: usize, rec: usize, number: u32, write: bool): void {
  if ((load<u64>(cpu, CR4) & CR4_FSGSBASE) == 0) raise(cpu, UD);
  const at = seg(cpu, number);
  const register = cpu + load<u8>(rec, REC_RM);
  if (!write) {
    putSized(register, size(rec), load<u64>(at, SEG_BASE));
    return;
  }
  const value = getSized(register, size(rec));
  if (!canonicalBase(cpu, value)) raiseGP(cpu);
  store<u64>(at, value, SEG_BASE);
}

function accessControl(cpu: usize, set: bool): void {
  if (load<u32>(cpu, CPL) != 0) raise(cpu, UD);
  const flags = load<u64>(cpu, RFLAGS);
  store<u64>(cpu, set ? flags | AC : flags & ~AC, RFLAGS);
  selectTlb(cpu);
}

function rdpkru(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_PKE) == 0) raise(cpu, UD);
  if (load<u32>(cpu, RCX) != 0) raiseGP(cpu);
  store<u64>(cpu, <u64>load<u32>(cpu, PKRU), RAX);
  store<u64>(cpu, 0, RDX);
}

function wrpkru(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_PKE) == 0) raise(cpu, UD);
  if ((load<u32>(cpu, RCX) | load<u32>(cpu, RDX)) != 0) raiseGP(cpu);
  writePkru(cpu, load<u32>(cpu, RAX));
}

function invpcid(cpu: usize, rec: usize): void {
  ringZero(cpu);
  const type = getSized(cpu + load<u8>(rec, REC_REG), size(rec));
  const linear = eaSized(cpu, rec, 16, 0);
  const pcid = read64(cpu, linear);
  const address = read64(cpu, linear + 8);
  if (type > 3) raiseGP(cpu);
  const pcids = (load<u64>(cpu, CR4) & CR4_PCIDE) != 0;
  if (type < 2 && ((pcid & ~(<u64>0xfff)) != 0 || (!pcids && pcid != 0))) raiseGP(cpu);
  if (type == 0) {
    if (!canonicalBase(cpu, address)) raiseGP(cpu);
    flushPage(cpu, address, <i32>pcid);
  } else flushSpaces(cpu, <u32>type, <u32>pcid);
}

function invlpg(cpu: usize, rec: usize): void {
  ringZero(cpu);
  intercept(cpu, ON_INVLPG);
  let linear = effectiveOffset(cpu, rec);
  const segment = <u32>load<u8>(rec, REC_SEG);
  if (!is64(cpu)) linear = (linear + load<u64>(seg(cpu, segment), SEG_BASE)) & 0xffffffff;
  else if (segment == FS || segment == GS) linear += load<u64>(seg(cpu, segment), SEG_BASE);
  flushPage(cpu, linear, -1);
}

function loadFar(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  // Two operands, each with its own checks.
  const offset = readSized(cpu, eaSized(cpu, rec, bytes, 0), bytes);
  const selector = <u32>read16(cpu, linearPast(cpu, rec, bytes, 2, 0));
  loadSegment(cpu, load<u32>(rec, REC_IMM), selector);
  putSized(cpu + load<u8>(rec, REC_REG), bytes, offset);
  // LSS holds nothing back: it loads SS and ESP together.
}

function shadowMovSs(cpu: usize): void {
  store<u32>(cpu, SHADOW_MOV_SS, SHADOW);
  checkInterrupts(cpu);
}

function popSegment(cpu: usize, rec: usize): void {
  const bytes = size(rec);
  const sp = stackPointer(cpu);
  const mask = stackMask(cpu);
  const selector = <u32>stackRead(cpu, sp, bytes) & 0xffff;
  const number = load<u32>(rec, REC_IMM);
  loadSegment(cpu, number, selector);
  // POP SS: the pointer moves as the old stack's.
  setMaskedPointer(cpu, mask, sp + bytes);
  if (number == SS) shadowMovSs(cpu);
}

function randomNumber(cpu: usize, rec: usize): void {
  const low = <u64>hostRandom(cpu);
  const high = <u64>hostRandom(cpu);
  putSized(cpu + load<u8>(rec, REC_RM), size(rec), low | (high << 32));
  setArith(cpu, CF);
}

function farMemory(cpu: usize, rec: usize, call: bool): void {
  const bytes = size(rec);
  const linear = eaSized(cpu, rec, bytes + 2, 0);
  const offset = readSized(cpu, linear, bytes);
  const selector = <u32>read16(cpu, linear + bytes);
  // AMD's processors read no more with REX.W, but push 64 bits.
  if (call) farCall(cpu, selector, offset, load<u8>(rec, REC_FLAGS) & F_REXW ? 8 : bytes);
  else farJump(cpu, selector, offset, bytes);
}

/** Executes an operation of ops-system.ts. */
export function execSystem(cpu: usize, rec: usize, op: u32): void {
  switch (op) {
    case S.OP_MOV_FROM_SEG: {
      const selector = <u64>segSelector(cpu, load<u32>(rec, REC_IMM));
      if (isReg(rec)) putSized(cpu + load<u8>(rec, REC_RM), size(rec), selector);
      else write16(cpu, eaSized(cpu, rec, 2, 1), <u16>selector);
      return;
    }
    case S.OP_MOV_TO_SEG: {
      const number = load<u32>(rec, REC_IMM);
      loadSegment(cpu, number, <u32>readRm(cpu, rec, 2));
      if (number == SS) shadowMovSs(cpu);
      return;
    }
    case S.OP_PUSH_SEG:
      push(cpu, size(rec), <u64>segSelector(cpu, load<u32>(rec, REC_IMM)));
      return;
    case S.OP_POP_SEG:
      popSegment(cpu, rec);
      return;
    case S.OP_LOAD_FAR:
      loadFar(cpu, rec);
      return;
    case S.OP_CALL_FAR:
      farCall(cpu, <u32>(load<u64>(rec, REC_IMM) >> 32), load<u64>(rec, REC_IMM) & 0xffffffff, size(rec));
      return;
    case S.OP_JMP_FAR:
      farJump(cpu, <u32>(load<u64>(rec, REC_IMM) >> 32), load<u64>(rec, REC_IMM) & 0xffffffff, size(rec));
      return;
    case S.OP_CALL_FAR_M:
      farMemory(cpu, rec, true);
      return;
    case S.OP_JMP_FAR_M:
      farMemory(cpu, rec, false);
      return;
    case S.OP_RET_FAR:
      farReturn(cpu, load<u64>(rec, REC_IMM), size(rec));
      return;
    case S.OP_INT:
      intercept(cpu, ON_SOFTWARE_INTERRUPT);
      if (isVirtual86(cpu) && redirectInterrupt(cpu, load<u32>(rec, REC_IMM))) return;
      softwareInterrupt(cpu, load<u32>(rec, REC_IMM));
      return;
    case S.OP_INT3:
      intercept(cpu, ON_SOFTWARE_INTERRUPT);
      softwareInterrupt(cpu, 3);
      return;
    case S.OP_INTO:
      if (condition(cpu, 0)) softwareInterrupt(cpu, 4);
      return;
    case S.OP_INT1:
      intercept(cpu, ON_SOFTWARE_INTERRUPT);
      privilegedInterrupt(cpu);
      return;
    case S.OP_IRET:
      intercept(cpu, ON_IRET);
      interruptReturn(cpu, size(rec));
      return;
    case S.OP_SYSCALL:
      intercept(cpu, ON_SYSCALL);
      syscall(cpu);
      return;
    case S.OP_SYSRET:
      sysret(cpu, size(rec));
      return;
    case S.OP_SYSENTER:
      intercept(cpu, ON_SYSENTER);
      sysenter(cpu);
      return;
    case S.OP_SYSEXIT:
      sysexit(cpu, size(rec));
      return;
    case S.OP_HLT:
      ringZero(cpu);
      intercept(cpu, ON_HLT);
      store<u32>(cpu, RUN_HALTED, RUN_STATE);
      checkInterrupts(cpu);
      return;
    case S.OP_CLI:
      clearInterruptFlag(cpu);
      return;
    case S.OP_STI:
      if (setInterruptFlag(cpu)) {
        store<u32>(cpu, SHADOW_STI, SHADOW);
        checkInterrupts(cpu);
      }
      return;
    case S.OP_PUSHF:
      pushFlags(cpu, rec);
      return;
    case S.OP_POPF:
      popFlags(cpu, rec);
      return;
    case S.OP_IN:
      input(cpu, rec);
      return;
    case S.OP_OUT:
      output(cpu, rec);
      return;
    case S.OP_INS:
      portString(cpu, rec, false);
      return;
    case S.OP_OUTS:
      portString(cpu, rec, true);
      return;
    case S.OP_SGDT:
      storeTable(cpu, rec, load<u64>(cpu, GDTR_BASE), load<u32>(cpu, GDTR_LIMIT));
      return;
    case S.OP_SIDT:
      storeTable(cpu, rec, load<u64>(cpu, IDTR_BASE), load<u32>(cpu, IDTR_LIMIT));
      return;
    case S.OP_LGDT:
      loadTable(cpu, rec, false);
      return;
    case S.OP_LIDT:
      loadTable(cpu, rec, true);
      return;
    case S.OP_SLDT:
      protectedOnly(cpu);
      storeWord(cpu, rec, segSelector(cpu, LDTR));
      return;
    case S.OP_STR:
      protectedOnly(cpu);
      storeWord(cpu, rec, segSelector(cpu, TR));
      return;
    case S.OP_LLDT:
      loadSystemSegment(cpu, rec, LDTR);
      return;
    case S.OP_LTR:
      loadSystemSegment(cpu, rec, TR);
      return;
    case S.OP_VERR:
      verify(cpu, rec, false);
      return;
    case S.OP_VERW:
      verify(cpu, rec, true);
      return;
    case S.OP_SMSW:
      storeWord(cpu, rec, load<u64>(cpu, CR0));
      return;
    case S.OP_LMSW: {
      ringZero(cpu);
      intercept(cpu, ON_CONTROL);
      const value = readRm(cpu, rec, 2);
      const old = load<u64>(cpu, CR0);
      // PE can be set, not cleared.
      writeCr0(cpu, (old & ~(<u64>14)) | (value & 15));
      return;
    }
    case S.OP_LAR:
      loadAccessRights(cpu, rec, false);
      return;
    case S.OP_LSL:
      loadAccessRights(cpu, rec, true);
      return;
    case S.OP_ARPL:
      adjustRpl(cpu, rec);
      return;
    case S.OP_MOV_FROM_CR:
      moveFromControl(cpu, rec);
      return;
    case S.OP_MOV_TO_CR:
      moveToControl(cpu, rec);
      return;
    case S.OP_MOV_FROM_DR:
      moveDebug(cpu, rec, false);
      return;
    case S.OP_MOV_TO_DR:
      moveDebug(cpu, rec, true);
      return;
    case S.OP_CLTS:
      ringZero(cpu);
      intercept(cpu, ON_CONTROL);
      store<u64>(cpu, load<u64>(cpu, CR0) & ~CR0_TS, CR0);
      refreshFpu(cpu);
      return;
    case S.OP_INVLPG:
      invlpg(cpu, rec);
      return;
    case S.OP_INVPCID:
      invpcid(cpu, rec);
      return;
    case S.OP_WBINVD:
    case S.OP_INVD:
      ringZero(cpu);
      intercept(cpu, ON_WBINVD);
      return;
    case S.OP_RDMSR:
      rdmsr(cpu);
      return;
    case S.OP_WRMSR:
      wrmsr(cpu);
      return;
    case S.OP_RDTSC:
      rdtsc(cpu, false);
      return;
    case S.OP_RDTSCP:
      rdtsc(cpu, true);
      return;
    case S.OP_RDPMC:
      // No counters: reading one is #GP at any ring.
      raiseGP(cpu);
      return;
    case S.OP_CPUID:
      intercept(cpu, ON_CPUID);
      cpuid(cpu, load<u32>(cpu, RAX), load<u32>(cpu, RCX));
      store<u64>(cpu, <u64>cpuidA, RAX);
      store<u64>(cpu, <u64>cpuidB, RBX);
      store<u64>(cpu, <u64>cpuidC, RCX);
      store<u64>(cpu, <u64>cpuidD, RDX);
      return;
    case S.OP_RSM:
      // Outside SMM, where this machine never is.
      raise(cpu, UD);
      return;
    case S.OP_SWAPGS: {
      ringZero(cpu);
      const gs = seg(cpu, GS);
      const base = load<u64>(gs, SEG_BASE);
      store<u64>(gs, load<u64>(cpu, MSR_KERNEL_GS_BASE), SEG_BASE);
      store<u64>(cpu, base, MSR_KERNEL_GS_BASE);
      return;
    }
    case S.OP_XGETBV:
      xgetbv(cpu);
      return;
    case S.OP_XSETBV:
      xsetbv(cpu);
      return;
    case S.OP_STAC:
      accessControl(cpu, true);
      return;
    case S.OP_CLAC:
      accessControl(cpu, false);
      return;
    case S.OP_RDPKRU:
      rdpkru(cpu);
      return;
    case S.OP_WRPKRU:
      wrpkru(cpu);
      return;
    case S.OP_RDFSBASE:
      segmentBase(cpu, rec, FS, false);
      return;
    case S.OP_RDGSBASE:
      segmentBase(cpu, rec, GS, false);
      return;
    case S.OP_WRFSBASE:
      segmentBase(cpu, rec, FS, true);
      return;
    case S.OP_WRGSBASE:
      segmentBase(cpu, rec, GS, true);
      return;
    case S.OP_VMCALL:
      if ((load<u32>(cpu, INTERCEPTS) >> ON_HYPERCALL) & 1) leave(cpu, EXIT_INTERCEPT, ON_HYPERCALL);
      raise(cpu, UD);
      return;
    case S.OP_RDRAND:
    case S.OP_RDSEED:
      randomNumber(cpu, rec);
      return;
    case S.OP_RDPID:
      putSized(cpu + load<u8>(rec, REC_RM), size(rec), load<u64>(cpu, MSR_TSC_AUX));
      return;
    case S.OP_PAUSE:
      pause(cpu);
      return;
    case S.OP_MONITOR:
      monitor(cpu, rec);
      return;
    case S.OP_MWAIT:
      mwait(cpu);
      return;
    case S.OP_CLFLUSH:
      // The line's address is checked like a read.
      probeRead(cpu, eaSized(cpu, rec, 1, 0), 1);
      return;
    default:
      unimplemented(cpu);
  }
}
