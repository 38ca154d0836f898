// FXSAVE, XSAVE and their relatives, MXCSR, EMMS and FWAIT. Intel SDM Vol. 1, chapters 10.5 and 13; AMD APM Vol.
// 2, 11.4 and 11.5.
//
// An area is worked on in place where it lies in one page that the TLB knows; else a copy in the vCPU's scratch
// space is, after the whole of it was probed, so that no fault comes half-way.
import { FEATURE_AVX, FEATURE_MISALIGNSSE, FEATURE_PKU, FEATURE_XSAVEC, FEATURE_ZERO_FCS_FDS } from "../feature-bits";
import {
  CPL, CR0, CR4, FCS, FCW, FDP, FDS, FIP, FOP, FPU_BLOCKED, FSW, FTW, GPR, MSR_EFER, MSR_XSS, MXCSR, PKRU, SCRATCH,
  SSE_BLOCKED, ST, TLB, VENDOR, XCR0, XMM,
} from "../layout";
import { has, isIntel } from "./cpu-features";
import { eaSized } from "./ea";
import { NM, raise, raiseGP, UD } from "./exceptions";
import { read32, read64, TLB_ADDEND, TLB_READ, TLB_WRITE, tlbEntry, write32, write64 } from "./memory";
import { probeRead, probeWrite, writePkru } from "./mmu";
import { checkMmx } from "./mmx";
import { mmxTouch } from "./mmx-state";
import {
  OP_EMMS, OP_FEMMS, OP_FWAIT, OP_FXRSTOR, OP_FXSAVE, OP_LDMXCSR, OP_STMXCSR, OP_XRSTOR, OP_XRSTORS, OP_XSAVE,
  OP_XSAVEC, OP_XSAVEOPT, OP_XSAVES,
} from "./ops-fpu-state";
import { F_LONG, F_REXW, REC_FLAGS } from "./record";
import { initialize, setControlWord } from "./x87-environment";
import { abridgedTags, deliverPending, physical, setAbridgedTags, summarize } from "./x87-stack";

const CR0_MP: u64 = 2;
const CR0_TS: u64 = 8;
const CR4_OSFXSR: u64 = 0x200;
const CR4_OSXSAVE: u64 = 0x40000;
const EFER_FFXSR: u64 = 0x4000;
const FSW_ES: u32 = 0x80;

// State components of XCR0.
const X87: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;
const KEYS: u64 = 0x200;

// Offsets in an area.
const AREA_ST: usize = 32;
const AREA_XMM: usize = 160;
const AREA_FXSAVE_END: u32 = 416;
const AREA_XSTATE_BV: usize = 512;
const AREA_XCOMP_BV: usize = 520;
const AREA_HEADER_END: u32 = 576;
const AREA_YMM: usize = 576;
const AREA_YMM_END: u32 = 832;
const AREA_YMM_BYTES: u32 = 256;
const AREA_KEYS_BYTES: u32 = 8;
// Where the standard format has PKRU: behind what a vendor's processors have before it.
const AREA_KEYS_AMD: u32 = 2432;
const AREA_KEYS_INTEL: u32 = 2688;

const MXCSR_INIT: u32 = 0x1f80;
const COMPACTED: u64 = 0x8000000000000000;

/** Executes an operation of ops-fpu-state.ts. */
export function execFpuState(cpu: usize, rec: usize, op: u32): void {
  switch (op) {
    case OP_FWAIT:
      if ((load<u64>(cpu, CR0) & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS)) raise(cpu, NM);
      deliverPending(cpu);
      return;
    case OP_EMMS:
    case OP_FEMMS:
      checkMmx(cpu);
      // On AMD's processors EMMS sets TOP to 0 as every MMX instruction does.
      if (load<u32>(cpu, VENDOR) == 0) mmxTouch(cpu);
      store<u32>(cpu, 0xffff, FTW);
      return;
    case OP_FXSAVE:
      fxsave(cpu, rec);
      return;
    case OP_FXRSTOR:
      fxrstor(cpu, rec);
      return;
    case OP_LDMXCSR:
      requireSse(cpu);
      loadMxcsr(cpu, rec);
      return;
    case OP_STMXCSR:
      requireSse(cpu);
      write32(cpu, eaSized(cpu, rec, 4, 1), load<u32>(cpu, MXCSR));
      return;
    case OP_XSAVE:
      xsave(cpu, rec, false);
      return;
    case OP_XSAVEOPT:
      xsave(cpu, rec, true);
      return;
    case OP_XSAVEC:
      requireXsave(cpu);
      xsaveCompacted(cpu, rec, requested(cpu));
      return;
    case OP_XSAVES:
      requireXsave(cpu);
      if (load<u32>(cpu, CPL) != 0) raiseGP(cpu);
      xsaveCompacted(cpu, rec, requestedBySupervisor(cpu));
      return;
    case OP_XRSTOR:
      requireXsave(cpu);
      xrstor(cpu, rec, requested(cpu), false);
      return;
    case OP_XRSTORS:
      requireXsave(cpu);
      if (load<u32>(cpu, CPL) != 0) raiseGP(cpu);
      xrstor(cpu, rec, requestedBySupervisor(cpu), true);
      return;
    default:
      raise(cpu, UD);
  }
}

/** LDMXCSR and VLDMXCSR. */
export function loadMxcsr(cpu: usize, rec: usize): void {
  const value = read32(cpu, eaSized(cpu, rec, 4, 0));
  if ((value & ~mxcsrMask(cpu)) != 0) raiseGP(cpu);
  store<u32>(cpu, value, MXCSR);
}

function requireSse(cpu: usize): void {
  const vector = load<u32>(cpu, SSE_BLOCKED);
  if (vector != 0) raise(cpu, vector);
}

function requireXsave(cpu: usize): void {
  if ((load<u64>(cpu, CR4) & CR4_OSXSAVE) == 0) raise(cpu, UD);
  if ((load<u64>(cpu, CR0) & CR0_TS) != 0) raise(cpu, NM);
}

/** The bits of MXCSR that may be set. */
function mxcsrMask(cpu: usize): u32 {
  return has(cpu, FEATURE_MISALIGNSSE) ? 0x2ffff : 0xffff;
}

// ---- Areas in guest memory.

/** The address, with the alignment that the instruction asks for. */
function areaAddress(cpu: usize, rec: usize, size: u32, alignment: u64, write: u32): u64 {
  const linear = eaSized(cpu, rec, size, write);
  if ((linear & (alignment - 1)) != 0) raiseGP(cpu);
  return linear;
}

/** Where to read `size` bytes (a multiple of 8) at `linear`: the guest's memory itself, or a copy. */
function openForRead(cpu: usize, linear: u64, size: u32): usize {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if ((linear & 0xfff) + size <= 0x1000 && load<u64>(entry, TLB_READ) == (linear & ~0xfff)) {
    return <usize>linear + load<u32>(entry, TLB_ADDEND);
  }
  probeRead(cpu, linear, size);
  return copyIn(cpu, linear, size);
}

/** Where to write `size` bytes at `linear`. Holds what memory holds; `closeAfterWrite` brings a copy to its place. */
function openForWrite(cpu: usize, linear: u64, size: u32): usize {
  const entry = tlbEntry(load<u32>(cpu, TLB), linear);
  if ((linear & 0xfff) + size <= 0x1000 && load<u64>(entry, TLB_WRITE) == (linear & ~0xfff)) {
    return <usize>linear + load<u32>(entry, TLB_ADDEND);
  }
  probeWrite(cpu, linear, size);
  return copyIn(cpu, linear, size);
}

function copyIn(cpu: usize, linear: u64, size: u32): usize {
  const copy = cpu + SCRATCH;
  for (let i: u32 = 0; i < size; i += 8) store<u64>(copy + i, read64(cpu, linear + i));
  return copy;
}

function closeAfterWrite(cpu: usize, area: usize, linear: u64, size: u32): void {
  if (area != cpu + SCRATCH) return;
  for (let i: u32 = 0; i < size; i += 8) write64(cpu, linear + i, load<u64>(area + i));
}

// ---- Components.

/** Control, tags, pointers and registers of x87. `wide`: pointers of 64 bits instead of selectors. */
function storeX87(cpu: usize, area: usize, wide: bool): void {
  const fsw = load<u32>(cpu, FSW);
  store<u32>(area, load<u32>(cpu, FCW) | fsw << 16);
  // AMD's processors store the pointers only for a pending exception, and zeros otherwise.
  const pointers = load<u32>(cpu, VENDOR) != 0 || (fsw & FSW_ES) != 0;
  store<u32>(area, abridgedTags(cpu) | (pointers ? (load<u32>(cpu, FOP) & 0x7ff) << 16 : 0), 4);
  let fip: u64 = 0;
  let fdp: u64 = 0;
  if (pointers) {
    fip = load<u64>(cpu, FIP);
    fdp = load<u64>(cpu, FDP);
    if (!wide) {
      const selectors: u64 = has(cpu, FEATURE_ZERO_FCS_FDS) ? 0 : 0xffff;
      fip = (fip & 0xffffffff) | (<u64>load<u32>(cpu, FCS) & selectors) << 32;
      fdp = (fdp & 0xffffffff) | (<u64>load<u32>(cpu, FDS) & selectors) << 32;
    }
  }
  store<u64>(area, fip, 8);
  store<u64>(area, fdp, 16);
  for (let i: u32 = 0; i < 8; i++) {
    const from = cpu + (physical(cpu, i) << 4);
    const to = area + (i << 4);
    store<u64>(to, load<u64>(from, ST), AREA_ST);
    store<u64>(to, load<u16>(from, ST + 8), AREA_ST + 8);
  }
}

function loadX87(cpu: usize, area: usize, wide: bool): void {
  setControlWord(cpu, load<u16>(area));
  store<u32>(cpu, load<u16>(area, 2), FSW);
  setAbridgedTags(cpu, load<u8>(area, 4));
  store<u32>(cpu, load<u16>(area, 6) & 0x7ff, FOP);
  const fip = load<u64>(area, 8);
  const fdp = load<u64>(area, 16);
  if (wide) {
    store<u64>(cpu, fip, FIP);
    store<u64>(cpu, fdp, FDP);
    store<u32>(cpu, 0, FCS);
    store<u32>(cpu, 0, FDS);
  } else {
    store<u64>(cpu, fip & 0xffffffff, FIP);
    store<u64>(cpu, fdp & 0xffffffff, FDP);
    store<u32>(cpu, <u32>(fip >> 32) & 0xffff, FCS);
    store<u32>(cpu, <u32>(fdp >> 32) & 0xffff, FDS);
  }
  for (let i: u32 = 0; i < 8; i++) {
    const to = cpu + (physical(cpu, i) << 4);
    const from = area + (i << 4);
    store<u64>(to, load<u64>(from, AREA_ST), ST);
    store<u16>(to, load<u16>(from, AREA_ST + 8), ST + 8);
  }
  summarize(cpu);
}

function initializeX87(cpu: usize): void {
  initialize(cpu);
  memory.fill(cpu + ST, 0, 128);
}

/** 16 registers in 64-bit mode, else 8. */
// @ts-ignore: decorator
@inline
function xmmCount(rec: usize): u32 {
  return (load<u8>(rec, REC_FLAGS) & F_LONG) != 0 ? 16 : 8;
}

/** The lower (`upper` 0) or upper (16) halves of the YMM registers to 16-byte places at `to`. */
function storeHalves(cpu: usize, to: usize, count: u32, upper: usize): void {
  let from = cpu + XMM + upper;
  for (let i: u32 = 0; i < count; i++) {
    v128.store(to, v128.load(from));
    from += 32;
    to += 16;
  }
}

function loadHalves(cpu: usize, from: usize, count: u32, upper: usize): void {
  let to = cpu + XMM + upper;
  for (let i: u32 = 0; i < count; i++) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 32;
  }
}

function clearHalves(cpu: usize, count: u32, upper: usize): void {
  const zero = i64x2.splat(0);
  let to = cpu + XMM + upper;
  for (let i: u32 = 0; i < count; i++) {
    v128.store(to, zero);
    to += 32;
  }
}

/** MXCSR and MXCSR_MASK. */
function storeMxcsr(cpu: usize, area: usize): void {
  store<u32>(area, load<u32>(cpu, MXCSR), 24);
  store<u32>(area, mxcsrMask(cpu), 28);
}

/** The MXCSR of an area; #GP where a reserved bit is set. */
function checkedMxcsr(cpu: usize, area: usize): u32 {
  const value = load<u32>(area, 24);
  if ((value & ~mxcsrMask(cpu)) != 0) raiseGP(cpu);
  return value;
}

// ---- FXSAVE and FXRSTOR.

/** Whether XMM registers are left out: AMD's fast form in CPL 0, or an operating system that has no SSE. */
function withoutXmm(cpu: usize, rec: usize): bool {
  if ((load<u64>(cpu, CR4) & CR4_OSFXSR) == 0) return true;
  return (
    (load<u64>(cpu, MSR_EFER) & EFER_FFXSR) != 0 && load<u32>(cpu, CPL) == 0 && (load<u8>(rec, REC_FLAGS) & F_LONG) != 0
  );
}

function fxsave(cpu: usize, rec: usize): void {
  const vector = load<u32>(cpu, FPU_BLOCKED);
  if (vector != 0) raise(cpu, vector);
  const linear = areaAddress(cpu, rec, 512, 16, 1);
  const area = openForWrite(cpu, linear, 512);
  storeX87(cpu, area, (load<u8>(rec, REC_FLAGS) & F_REXW) != 0);
  storeMxcsr(cpu, area);
  if (!withoutXmm(cpu, rec)) storeHalves(cpu, area + AREA_XMM, xmmCount(rec), 0);
  closeAfterWrite(cpu, area, linear, AREA_FXSAVE_END);
}

function fxrstor(cpu: usize, rec: usize): void {
  const vector = load<u32>(cpu, FPU_BLOCKED);
  if (vector != 0) raise(cpu, vector);
  const linear = areaAddress(cpu, rec, 512, 16, 0);
  const area = openForRead(cpu, linear, 512);
  const mxcsr = checkedMxcsr(cpu, area);
  loadX87(cpu, area, (load<u8>(rec, REC_FLAGS) & F_REXW) != 0);
  store<u32>(cpu, mxcsr, MXCSR);
  if (!withoutXmm(cpu, rec)) loadHalves(cpu, area + AREA_XMM, xmmCount(rec), 0);
}

// ---- XSAVE and XRSTOR.

/** The components of XCR0 that the CPU model has. */
export function userComponents(cpu: usize): u64 {
  let components = X87 | SSE;
  if (has(cpu, FEATURE_AVX)) components |= AVX;
  if (has(cpu, FEATURE_PKU)) components |= KEYS;
  return components;
}

// @ts-ignore: decorator
@inline
function operandMask(cpu: usize): u64 {
  return <u64>load<u32>(cpu, GPR + 2 * 8) << 32 | load<u32>(cpu, GPR);
}

/** The requested components: EDX:EAX within XCR0. */
function requested(cpu: usize): u64 {
  return operandMask(cpu) & load<u64>(cpu, XCR0);
}

/** Those of XSAVES and XRSTORS: within XCR0 and IA32_XSS. */
function requestedBySupervisor(cpu: usize): u64 {
  return operandMask(cpu) & (load<u64>(cpu, XCR0) | load<u64>(cpu, MSR_XSS));
}

/** Which components are not in their initial configuration: XINUSE. MXCSR does not count. */
function inUse(cpu: usize): u64 {
  let used: u64 = 0;
  if (
    load<u32>(cpu, FCW) != 0x37f || load<u32>(cpu, FSW) != 0 || load<u32>(cpu, FTW) != 0xffff ||
    load<u32>(cpu, FOP) != 0 ||
    load<u64>(cpu, FIP) != 0 || load<u64>(cpu, FDP) != 0 || load<u32>(cpu, FCS) != 0 || load<u32>(cpu, FDS) != 0
  ) {
    used = X87;
  } else {
    let bits: u64 = 0;
    for (let at: usize = cpu; at < cpu + 128; at += 16) bits |= load<u64>(at, ST) | load<u16>(at, ST + 8);
    if (bits != 0) used = X87;
  }
  let low = i64x2.splat(0);
  let high = i64x2.splat(0);
  for (let at: usize = cpu; at < cpu + 512; at += 32) {
    low = v128.or(low, v128.load(at, XMM));
    high = v128.or(high, v128.load(at, XMM + 16));
  }
  if (v128.any_true(low)) used |= SSE;
  if (v128.any_true(high)) used |= AVX;
  if (load<u32>(cpu, PKRU) != 0) used |= KEYS;
  return used;
}

/** Likewise, as XGETBV with ECX = 1 tells and the compacted format stores: a changed MXCSR is SSE in use. */
export function inUseWithMxcsr(cpu: usize): u64 {
  return load<u32>(cpu, MXCSR) != MXCSR_INIT ? inUse(cpu) | SSE : inUse(cpu);
}

/** Where PKRU is, in the standard format (`layout` 0) or in a compacted one of these components. */
function keysOffset(cpu: usize, layout: u64): u32 {
  if ((layout & COMPACTED) != 0) return AREA_HEADER_END + ((layout & AVX) != 0 ? AREA_YMM_BYTES : 0);
  return isIntel(cpu) ? AREA_KEYS_INTEL : AREA_KEYS_AMD;
}

/** Bytes from an area's start to the end of the last of these components. */
function areaSize(cpu: usize, components: u64, layout: u64): u32 {
  if ((components & KEYS) != 0) return keysOffset(cpu, layout) + AREA_KEYS_BYTES;
  return (components & AVX) != 0 ? AREA_YMM_END : AREA_HEADER_END;
}

/** XSAVE, and XSAVEOPT, which leaves out components in their initial configuration. */
function xsave(cpu: usize, rec: usize, optimized: bool): void {
  requireXsave(cpu);
  const components = requested(cpu);
  const used = inUse(cpu);
  const stored = optimized ? components & used : components;
  const size = areaSize(cpu, stored, 0);
  const linear = areaAddress(cpu, rec, size, 64, 1);
  const area = openForWrite(cpu, linear, size);
  storeComponents(cpu, rec, area, stored, 0);
  if ((components & (SSE | AVX)) != 0) storeMxcsr(cpu, area);
  store<u64>(area, (load<u64>(area, AREA_XSTATE_BV) & ~components) | (components & used), AREA_XSTATE_BV);
  closeAfterWrite(cpu, area, linear, size);
}

/** XSAVEC and XSAVES. No component asks for alignment, and those of IA32_XSS are not there. */
function xsaveCompacted(cpu: usize, rec: usize, components: u64): void {
  const layout = components | COMPACTED;
  const stored = components & inUseWithMxcsr(cpu);
  const size = areaSize(cpu, stored, layout);
  const linear = areaAddress(cpu, rec, size, 64, 1);
  const area = openForWrite(cpu, linear, size);
  storeComponents(cpu, rec, area, stored, layout);
  if ((stored & SSE) != 0) storeMxcsr(cpu, area);
  store<u64>(area, stored, AREA_XSTATE_BV);
  store<u64>(area, layout, AREA_XCOMP_BV);
  closeAfterWrite(cpu, area, linear, size);
}

function storeComponents(cpu: usize, rec: usize, area: usize, components: u64, layout: u64): void {
  if ((components & X87) != 0) storeX87(cpu, area, (load<u8>(rec, REC_FLAGS) & F_REXW) != 0);
  if ((components & SSE) != 0) storeHalves(cpu, area + AREA_XMM, xmmCount(rec), 0);
  if ((components & AVX) != 0) storeHalves(cpu, area + AREA_YMM, xmmCount(rec), 16);
  if ((components & KEYS) != 0) store<u64>(area + keysOffset(cpu, layout), load<u32>(cpu, PKRU));
}

/** XRSTOR, and XRSTORS, which takes the compacted format only. What the header does not ask for is not read. */
function xrstor(cpu: usize, rec: usize, components: u64, supervisor: bool): void {
  const linear = areaAddress(cpu, rec, AREA_HEADER_END, 64, 0);
  let area = openForRead(cpu, linear, AREA_HEADER_END);
  const present = load<u64>(area, AREA_XSTATE_BV);
  const layout = load<u64>(area, AREA_XCOMP_BV);
  const compacted = (layout & COMPACTED) != 0;
  const enabled = load<u64>(cpu, XCR0) | (supervisor ? load<u64>(cpu, MSR_XSS) : 0);
  if ((present & ~enabled) != 0 || load<u64>(area, AREA_XCOMP_BV + 8) != 0) raiseGP(cpu);
  if (compacted) {
    if (!has(cpu, FEATURE_XSAVEC)) raiseGP(cpu);
    if ((layout & ~COMPACTED & ~enabled) != 0 || (present & ~layout) != 0) raiseGP(cpu);
    for (let at: usize = 16; at < 64; at += 8) if (load<u64>(area + at, AREA_XSTATE_BV) != 0) raiseGP(cpu);
  } else if (layout != 0 || supervisor) {
    raiseGP(cpu);
  }
  const size = areaSize(cpu, components & present, layout);
  if (size != AREA_HEADER_END) {
    areaAddress(cpu, rec, size, 64, 0);
    area = openForRead(cpu, linear, size);
  }
  let mxcsr = load<u32>(cpu, MXCSR);
  if (compacted) {
    if ((components & SSE) != 0) mxcsr = (present & SSE) != 0 ? checkedMxcsr(cpu, area) : MXCSR_INIT;
  } else if ((components & (SSE | AVX)) != 0) {
    mxcsr = checkedMxcsr(cpu, area);
  }
  const count = xmmCount(rec);
  if ((components & X87) != 0) {
    if ((present & X87) != 0) loadX87(cpu, area, (load<u8>(rec, REC_FLAGS) & F_REXW) != 0);
    else initializeX87(cpu);
  }
  if ((components & SSE) != 0) {
    if ((present & SSE) != 0) loadHalves(cpu, area + AREA_XMM, count, 0);
    else clearHalves(cpu, count, 0);
  }
  if ((components & AVX) != 0) {
    if ((present & AVX) != 0) loadHalves(cpu, area + AREA_YMM, count, 16);
    else clearHalves(cpu, count, 16);
  }
  store<u32>(cpu, mxcsr, MXCSR);
  if ((components & KEYS) != 0) {
    writePkru(cpu, (present & KEYS) != 0 ? load<u32>(area + keysOffset(cpu, layout)) : 0);
  }
}
