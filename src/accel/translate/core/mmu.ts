// Paging, the TLB's slow side, and what lies behind physical addresses. Intel SDM vol. 3A chapter 4.
//
// The TLB is a pool of arrays, one for each MMU context: an address space (PCID; without paging a key of
// its own) and a class of access: supervisor, supervisor with RFLAGS.AC open under SMAP, user. SYSCALL,
// STAC and a CR3 write that keeps its PCID's entries change a pointer and flush nothing.
import {
  COUNT_CR3_WRITES, COUNT_MMIO, COUNT_TLB_FLUSHES, COUNT_TLB_MISSES, CPL, CR0, CR3, CR4, CUR_REC, DEBUG_PENDING,
  DEBUG_WATCHPOINTS, DEBUG_WP, DIRTY_BITMAP, DR, EMPTY_PAGE, EXIT_ADDRESS, INTERRUPT_CHECK, JUMPS, JUMP_ENTRIES, JUMP_GENERATION, JUMP_KEY, LINEAR_BITS,
  MACHINE_BLOCK, MAX_KEYED, MAX_VCPUS, MMU_CLASS_TLB, MMU_CLOCK, MMU_CONTEXTS, MMU_KEYED, MMU_KEYED_COUNT, MSR_APIC_BASE,
  MSR_EFER, NO_TLB, PDPTR, PHYSICAL_BITS, PKRS, PKRU, RFLAGS, SLOT_BYTES, SLOT_COUNT, SLOTS, SS, SYS_TLB, TLB, TLB_BASE, TLB_CONTEXTS, TLB_ENTRIES, TLB_ENTRY_BYTES,
  TLB_STRIDE, VCPU_BASE, VCPU_ID, VCPU_STRIDE, WATCH_HIT,
} from "../layout";
import { FEATURE_LA57, FEATURE_PAGE1GB, FEATURE_PSE36 } from "../feature-bits";
import { codeWritten, count, operationOf, pageHasCode } from "./blocks";
import { has } from "./cpu-features";
import { AC as ALIGNMENT_CHECK, GP, SSF, raiseError, raisePageFault } from "./exceptions";
import { AC } from "./flags";
import { hostMmioRead, hostMmioWrite } from "./host";
import { apicRead, apicWrite } from "./lapic";
import { TLB_ADDEND, TLB_FETCH, TLB_READ, TLB_SPARE, TLB_WRITE, tlbEntry } from "./memory";
import {
  CR0_AM, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PKS, CR4_PSE, CR4_SMAP, CR4_SMEP,
  EFER_LMA, EFER_NXE, is64,
} from "./mode";
import {
  OP_CALL64, OP_CALL64_M, OP_CALL64_R, OP_LEAVE64, OP_POP64_R, OP_PUSH64_I, OP_PUSH64_M, OP_PUSH64_R, OP_RET64,
} from "./ops-integer";
import { F_MODREG, REC_FLAGS, REC_SEG } from "./record";

const PTE_P: u64 = 1;
const PTE_RW: u64 = 1 << 1;
const PTE_US: u64 = 1 << 2;
const PTE_A: u64 = 1 << 5;
const PTE_D: u64 = 1 << 6;
const PTE_PS: u64 = 1 << 7;
const PTE_G: u64 = 1 << 8;
const PTE_NX: u64 = 1 << 63;

const ERROR_P: u32 = 1;
const ERROR_W: u32 = 2;
const ERROR_U: u32 = 4;
const ERROR_RSVD: u32 = 8;
const ERROR_I: u32 = 16;
const ERROR_PK: u32 = 32;

const ACCESS_READ: u32 = 0;
const ACCESS_WRITE: u32 = 1;
const ACCESS_FETCH: u32 = 2;

export const CLASS_SUPERVISOR: u32 = 0;
export const CLASS_SUPERVISOR_AC: u32 = 1;
export const CLASS_USER: u32 = 2;

// Flags of a TLB entry, in TLB_SPARE.
const ENTRY_GLOBAL: u32 = 1;
const ENTRY_LARGE: u32 = 2; // part of a page larger than 4 KiB
const ENTRY_CODE: u32 = 4; // writable, but without a write tag, because the page holds code

// A context: key u32 (address space << 2 | class), last use u32, filled u32 (whether it holds entries), huge u32:
// bit (linear >> 30) & 31 for each 1 GiB page that has an entry, large u64: bit (linear >> 21) & 63 likewise for
// 2 and 4 MiB pages.
const CONTEXT_KEY: usize = 0;
const CONTEXT_USE: usize = 4;
const CONTEXT_FILLED: usize = 8;
const CONTEXT_HUGE: usize = 12;
const CONTEXT_LARGE: usize = 16;
const CONTEXT_BYTES: usize = 32;
const NO_KEY: u32 = 0xffffffff;
const UNPAGED_SPACE: u32 = 0x1000; // beyond every PCID

export const NO_MEMORY: u32 = 0;

// ---- Physical addresses.

/** Whether the last physToHost met a read-only slot. */
let slotReadOnly: bool = false;

/** The wasm offset of a guest-physical address, or NO_MEMORY. */
export function physToHost(gpa: u64): u32 {
  const page = <u32>(gpa >> 12);
  const slots = load<u32>(MACHINE_BLOCK, SLOT_COUNT);
  for (let i: u32 = 0; i < slots; i++) {
    const at = MACHINE_BLOCK + SLOTS + i * SLOT_BYTES;
    const distance = page - load<u32>(at);
    if (distance < load<u32>(at, 4)) {
      slotReadOnly = load<u32>(at, 12) != 0;
      return load<u32>(at, 8) + (distance << 12) + (<u32>gpa & 0xfff);
    }
  }
  return NO_MEMORY;
}

function isApicPage(cpu: usize, gpa: u64): bool {
  const base = load<u64>(cpu, MSR_APIC_BASE);
  // Enabled, and not as x2APIC.
  return (base & 0xc00) == 0x800 && ((gpa ^ base) & 0xffffffffff000) == 0;
}

function mmioRead(cpu: usize, gpa: u64, size: u32): u64 {
  count(cpu, COUNT_MMIO);
  if (isApicPage(cpu, gpa)) {
    const word = apicRead(cpu, <u32>gpa & 0xffc);
    const value = <u64>(word >> ((<u32>gpa & 3) << 3));
    return size == 8 ? value | (<u64>apicRead(cpu, (<u32>gpa & 0xffc) + 4) << 32) : value;
  }
  if (size == 8) return <u64>hostMmioRead(cpu, <f64>gpa, 4) | (<u64>hostMmioRead(cpu, <f64>(gpa + 4), 4) << 32);
  return <u64>hostMmioRead(cpu, <f64>gpa, size);
}

function mmioWrite(cpu: usize, gpa: u64, size: u32, value: u64): void {
  count(cpu, COUNT_MMIO);
  if (isApicPage(cpu, gpa)) {
    // Registers are written whole; the architecture leaves other sizes undefined.
    if ((gpa & 3) == 0 && size >= 4) apicWrite(cpu, <u32>gpa & 0xffc, <u32>value);
    return;
  }
  if (size == 8) {
    hostMmioWrite(cpu, <f64>gpa, 4, <u32>value);
    hostMmioWrite(cpu, <f64>(gpa + 4), 4, <u32>(value >> 32));
  } else hostMmioWrite(cpu, <f64>gpa, size, <u32>value);
}

// ---- Linear addresses.

/** Whether an address is canonical for the width in force. */
export function canonical(cpu: usize, linear: u64): bool {
  const shift = 64 - load<u32>(cpu, LINEAR_BITS);
  return <u64>(<i64>(linear << <u64>shift) >> <i64>shift) == linear;
}

/**
 * Whether a base that is loaded (of a segment, a descriptor table, in an MSR) is canonical: the widest addresses that
 * the processor has count here, whatever CR4.LA57 says. SDM vol. 1 3.3.7.1.
 */
export function canonicalBase(cpu: usize, base: u64): bool {
  const shift: u64 = has(cpu, FEATURE_LA57) ? 7 : 16;
  return <u64>(<i64>(base << shift) >> <i64>shift) == base;
}

// In 64-bit mode segments do not check; what is not canonical is #SS for stack accesses, else #GP.
function checkCanonical(cpu: usize, linear: u64, access: u32): void {
  if (!is64(cpu) || canonical(cpu, linear)) return;
  const rec: usize = load<u32>(cpu, CUR_REC);
  raiseError(cpu, rec != 0 && isStackAccess(rec, access) ? SSF : GP, 0);
}

function isStackAccess(rec: usize, access: u32): bool {
  const op = operationOf(rec);
  switch (op) {
    case OP_PUSH64_R:
    case OP_POP64_R:
    case OP_PUSH64_I:
    case OP_LEAVE64:
    case OP_CALL64:
    case OP_CALL64_R:
    case OP_RET64:
      return true;
    case OP_PUSH64_M:
    case OP_CALL64_M:
      // Their operand is read, the stack is written.
      if (access == ACCESS_WRITE) return true;
      break;
  }
  return (load<u8>(rec, REC_FLAGS) & F_MODREG) == 0 && load<u8>(rec, REC_SEG) == SS;
}

// ---- The page walk. Its answers are in these.

let walkGpa: u64 = 0;
let walkError: u32 = 0;
let walkUser: bool = false;
let walkWritable: bool = false;
let walkNoExecute: bool = false;
let walkGlobal: bool = false;
let walkDirty: bool = false;
let walkKey: u32 = 0; // protection key; 0 where no keys are in force
let walkLarge: u32 = 0; // 0: 4 KiB, 1: 2 or 4 MiB, 2: 1 GiB
// Wasm offsets of the entries that the walk used, for the A and D bits.
let entries0: u32 = 0;
let entries1: u32 = 0;
let entries2: u32 = 0;
let entries3: u32 = 0;
let leafEntry: u32 = 0;

function readEntry(gpa: u64, wide: bool): u64 {
  const host = physToHost(gpa);
  lastEntry = host;
  if (host == NO_MEMORY) return 0;
  return wide ? load<u64>(host) : <u64>load<u32>(host);
}
let lastEntry: u32 = 0;

function reservedMask(cpu: usize): u64 {
  const bits = load<u32>(cpu, PHYSICAL_BITS);
  const nx: u64 = (load<u64>(cpu, MSR_EFER) & EFER_NXE) != 0 ? 0 : PTE_NX;
  return (0x000fffffffffffff & ~((<u64>1 << <u64>bits) - 1)) | nx;
}

/** Walks the page tables. False where there is no translation: walkError then has P and RSVD. */
function walk(cpu: usize, linear: u64): bool {
  entries0 = 0;
  entries1 = 0;
  entries2 = 0;
  entries3 = 0;
  leafEntry = 0;
  walkError = 0;
  walkLarge = 0;
  walkGlobal = false;
  walkKey = 0;
  const cr0 = load<u64>(cpu, CR0);
  if ((cr0 & CR0_PG) == 0) {
    walkGpa = linear & 0xffffffff;
    walkUser = true;
    walkWritable = true;
    walkNoExecute = false;
    walkDirty = true;
    return true;
  }
  const cr4 = load<u64>(cpu, CR4);
  if ((cr4 & CR4_PAE) == 0) return walk32(cpu, linear, cr4);
  let reserved = reservedMask(cpu);
  const cr3 = load<u64>(cpu, CR3);
  walkUser = true;
  walkWritable = true;
  walkNoExecute = false;
  let table: u64;
  if ((load<u64>(cpu, MSR_EFER) & EFER_LMA) != 0) {
    table = cr3 & 0x000ffffffffff000;
    if ((cr4 & CR4_LA57) != 0) {
      const pml5e = readEntry(table + ((linear >> 48) & 511) * 8, true);
      if (!through(pml5e, reserved | PTE_PS)) return false;
      entries3 = lastEntry;
      table = pml5e & 0x000ffffffffff000;
    }
    const pml4e = readEntry(table + ((linear >> 39) & 511) * 8, true);
    if (!through(pml4e, reserved | PTE_PS)) return false;
    entries0 = lastEntry;
    const pdpte = readEntry((pml4e & 0x000ffffffffff000) + ((linear >> 30) & 511) * 8, true);
    if ((pdpte & PTE_PS) != 0 && (pdpte & PTE_P) != 0) {
      if (!through(pdpte, reserved | (has(cpu, FEATURE_PAGE1GB) ? 0x3fffe000 : PTE_PS))) return false;
      walkLarge = 2;
      return leaf(cr4, pdpte, (pdpte & 0x000fffffc0000000) | (linear & 0x3fffffff));
    }
    if (!through(pdpte, reserved)) return false;
    entries1 = lastEntry;
    table = pdpte & 0x000ffffffffff000;
  } else {
    const pdpte = load<u64>(cpu + PDPTR + (<usize>(linear >> 30) & 3) * 8);
    if ((pdpte & PTE_P) == 0) return false;
    table = pdpte & 0x000ffffffffff000;
    reserved |= 0x7ff0000000000000;
  }
  const pde = readEntry(table + ((linear >> 21) & 511) * 8, true);
  if ((pde & PTE_PS) != 0 && (pde & PTE_P) != 0) {
    if (!through(pde, reserved | 0x1fe000)) return false;
    walkLarge = 1;
    return leaf(cr4, pde, (pde & 0x000fffffffe00000) | (linear & 0x1fffff));
  }
  if (!through(pde, reserved)) return false;
  entries2 = lastEntry;
  const pte = readEntry((pde & 0x000ffffffffff000) + ((linear >> 12) & 511) * 8, true);
  if (!through(pte, reserved)) return false;
  return leaf(cr4, pte, (pte & 0x000ffffffffff000) | (linear & 0xfff));
}

function walk32(cpu: usize, linear: u64, cr4: u64): bool {
  walkUser = true;
  walkWritable = true;
  walkNoExecute = false;
  const pde = readEntry((load<u64>(cpu, CR3) & 0xfffff000) + ((linear >> 22) & 1023) * 4, false);
  if ((pde & PTE_PS) != 0 && (pde & PTE_P) != 0 && (cr4 & CR4_PSE) != 0) {
    // PSE-36: address bits 32-39 are in bits 13-20, as many as there are.
    const bits = min<u32>(load<u32>(cpu, PHYSICAL_BITS), 40);
    const wide: u64 = has(cpu, FEATURE_PSE36) && bits > 32 ? (<u64>1 << <u64>(bits - 19)) - 1 : 0x1fff;
    if (!through(pde, 0x3fe000 & ~wide)) return false;
    walkLarge = 1;
    return leaf(cr4, pde, (pde & 0xffc00000) | (((pde >> 13) & 0xff) << 32) | (linear & 0x3fffff));
  }
  if (!through(pde, 0)) return false;
  entries2 = lastEntry;
  const pte = readEntry((pde & 0xfffff000) + ((linear >> 12) & 1023) * 4, false);
  if (!through(pte, 0)) return false;
  return leaf(cr4, pte, (pte & 0xfffff000) | (linear & 0xfff));
}

// One level: present, no reserved bits; permissions accumulate.
// @ts-ignore: decorator
@inline
function through(entry: u64, reserved: u64): bool {
  if ((entry & PTE_P) == 0) return false;
  if ((entry & reserved) != 0) {
    walkError = ERROR_P | ERROR_RSVD;
    return false;
  }
  if ((entry & PTE_US) == 0) walkUser = false;
  if ((entry & PTE_RW) == 0) walkWritable = false;
  if ((entry & PTE_NX) != 0) walkNoExecute = true;
  return true;
}

function leaf(cr4: u64, entry: u64, gpa: u64): bool {
  leafEntry = lastEntry;
  walkGpa = gpa;
  walkDirty = (entry & PTE_D) != 0;
  walkGlobal = (entry & PTE_G) != 0 && (cr4 & CR4_PGE) != 0;
  // Keys are looked at in long mode only, where CR4.PAE paging's bits 59-62 are not reserved.
  if ((cr4 & (CR4_PKE | CR4_PKS)) != 0) walkKey = <u32>(entry >> 59) & 15;
  return true;
}

function setBits(entry: u32, bits: u32): void {
  if (entry == 0) return;
  const old = load<u8>(entry);
  if ((old & bits) == bits) return;
  markDirty(entry);
  if (pageHasCode(entry)) codeWritten(entry, 1);
  store<u8>(entry, <u8>(old | bits));
}

// Whether the page's protection key forbids a data access. SDM vol. 3A 4.6.2.
function keyForbids(cpu: usize, access: u32, cls: u32): bool {
  const cr4 = load<u64>(cpu, CR4);
  if ((cr4 & (CR4_PKE | CR4_PKS)) == 0 || access == ACCESS_FETCH) return false;
  if ((load<u64>(cpu, MSR_EFER) & EFER_LMA) == 0) return false;
  if ((cr4 & (walkUser ? CR4_PKE : CR4_PKS)) == 0) return false;
  const rights = (walkUser ? load<u32>(cpu, PKRU) : load<u32>(cpu, PKRS)) >> (walkKey << 1);
  if (rights & 1) return true;
  if ((rights & 2) == 0 || access != ACCESS_WRITE) return false;
  return cls == CLASS_USER || (load<u64>(cpu, CR0) & CR0_WP) != 0;
}

function permitted(cpu: usize, access: u32, cls: u32): bool {
  return permittedByTables(cpu, access, cls) && !keyForbids(cpu, access, cls);
}

function permittedByTables(cpu: usize, access: u32, cls: u32): bool {
  if (cls == CLASS_USER) {
    if (!walkUser) return false;
    if (access == ACCESS_WRITE) return walkWritable;
    return access != ACCESS_FETCH || !walkNoExecute;
  }
  const cr4 = load<u64>(cpu, CR4);
  if (access == ACCESS_FETCH) return !walkNoExecute && !(walkUser && (cr4 & CR4_SMEP) != 0);
  if (walkUser && cls == CLASS_SUPERVISOR && (cr4 & CR4_SMAP) != 0) return false;
  return access == ACCESS_READ || walkWritable || (load<u64>(cpu, CR0) & CR0_WP) == 0;
}

function paged(cpu: usize): bool {
  return (load<u64>(cpu, CR0) & CR0_PG) != 0;
}

function fault(cpu: usize, linear: u64, access: u32, cls: u32, present: u32): void {
  let error = walkError | present;
  if (access == ACCESS_WRITE) error |= ERROR_W;
  if (cls == CLASS_USER) error |= ERROR_U;
  // Where the page is user's or the access the supervisor's own; with the tables' reasons or alone.
  const keyed = (error & (ERROR_P | ERROR_RSVD)) == ERROR_P && (walkUser || cls != CLASS_USER);
  if (keyed && keyForbids(cpu, access, cls)) error |= ERROR_PK;
  if (access == ACCESS_FETCH) {
    const nx = (load<u64>(cpu, MSR_EFER) & EFER_NXE) != 0 && (load<u64>(cpu, CR4) & CR4_PAE) != 0;
    if (nx || (load<u64>(cpu, CR4) & CR4_SMEP) != 0) error |= ERROR_I;
  }
  raisePageFault(cpu, linear, error);
}

function classOf(cpu: usize, system: u32): u32 {
  if (system != 0) return CLASS_SUPERVISOR;
  if (load<u32>(cpu, CPL) == 3) return CLASS_USER;
  const open = (load<u64>(cpu, RFLAGS) & AC) != 0 && (load<u64>(cpu, CR4) & CR4_SMAP) != 0;
  return open ? CLASS_SUPERVISOR_AC : CLASS_SUPERVISOR;
}

// The fast paths look at an entry's first place, the one of its index. What is displaced from there, as two streams do
// that lie a multiple of the TLB's reach apart, goes to the second place, the neighbour, and comes back without a walk.
// @ts-ignore: decorator
@inline
function secondPlace(entry: usize): usize {
  return entry ^ TLB_ENTRY_BYTES;
}

/** Brings a page back from its second place. Its wasm offset, or NO_MEMORY where the TLB does not allow the access. */
function recall(tlb: usize, linear: u64, access: u32): u32 {
  const page = linear & ~0xfff;
  const entry = tlbEntry(tlb, linear);
  const other = secondPlace(entry);
  if (!matches(other, page)) return NO_MEMORY;
  const low = v128.load(entry);
  const high = v128.load(entry, 16);
  v128.store(entry, v128.load(other));
  v128.store(entry, v128.load(other, 16), 16);
  v128.store(other, low);
  v128.store(other, high, 16);
  const tag = entry + (access == ACCESS_READ ? TLB_READ : access == ACCESS_WRITE ? TLB_WRITE : TLB_FETCH);
  return load<u64>(tag) == page ? <u32>linear + load<u32>(entry, TLB_ADDEND) : NO_MEMORY;
}

// An entry about to be replaced by another page's. What is in its second place goes: else two pages that are neighbours
// would push a third one back and forth, and each other out.
function displace(tlb: usize, entry: usize, page: u64): void {
  // All ones, where there is no entry, or its page: tags are that or the page.
  const old = load<u64>(entry, TLB_READ) & load<u64>(entry, TLB_WRITE) & load<u64>(entry, TLB_FETCH);
  if (old == page || old == ~(<u64>0) || tlbEntry(tlb, old) != entry) return;
  memory.copy(secondPlace(entry), entry, TLB_ENTRY_BYTES);
}

function forgetPage(tlb: usize, page: u64): void {
  const entry = tlbEntry(tlb, page);
  if (matches(entry, page)) clearEntry(entry);
  const other = secondPlace(entry);
  if (matches(other, page)) clearEntry(other);
}

/** Translates an access, or raises. Fills the TLB. Answers the wasm offset or NO_MEMORY; walkGpa is the address then. */
function translate(cpu: usize, linear: u64, access: u32, system: u32): u32 {
  const known = recall(load<u32>(cpu + (system != 0 ? SYS_TLB : TLB)), linear, access);
  if (known != NO_MEMORY) return known;
  count(cpu, COUNT_TLB_MISSES);
  checkCanonical(cpu, linear, access);
  const cls = classOf(cpu, system);
  if (!walk(cpu, linear)) fault(cpu, linear, access, cls, 0);
  if (paged(cpu)) {
    if (!permitted(cpu, access, cls)) fault(cpu, linear, access, cls, ERROR_P);
    setBits(entries3, <u32>PTE_A);
    setBits(entries0, <u32>PTE_A);
    setBits(entries1, <u32>PTE_A);
    setBits(entries2, <u32>PTE_A);
    setBits(leafEntry, <u32>(access == ACCESS_WRITE ? PTE_A | PTE_D : PTE_A));
    if (access == ACCESS_WRITE) walkDirty = true;
  }
  const gpa = walkGpa;
  const host = physToHost(gpa);
  if (host == NO_MEMORY) return NO_MEMORY;
  const readOnly = slotReadOnly;
  fill(cpu, linear, host & ~0xfff, cls, readOnly, system);
  if (access == ACCESS_WRITE && readOnly) return NO_MEMORY;
  return host;
}

function fill(cpu: usize, linear: u64, hostPage: u32, cls: u32, readOnly: bool, system: u32): void {
  const tlb: usize = load<u32>(cpu + (system != 0 ? SYS_TLB : TLB));
  if (tlb == NO_TLB) return;
  const entry = tlbEntry(tlb, linear);
  const page = linear & ~0xfff;
  const watched = watchesPage(cpu, page);
  const context = contextOf(cpu, tlb);
  store<u32>(context, 1, CONTEXT_FILLED);
  if (walkLarge == 1) store<u64>(context, load<u64>(context, CONTEXT_LARGE) | (<u64>1 << ((linear >> 21) & 63)), CONTEXT_LARGE);
  else if (walkLarge == 2) store<u32>(context, load<u32>(context, CONTEXT_HUGE) | (1 << (<u32>(linear >> 30) & 31)), CONTEXT_HUGE);
  const readable = !watched && permitted(cpu, ACCESS_READ, cls);
  const mayWrite = !watched && !readOnly && walkDirty && permitted(cpu, ACCESS_WRITE, cls);
  const writable = mayWrite && !pageHasCode(hostPage);
  const executable = permitted(cpu, ACCESS_FETCH, cls);
  displace(tlb, entry, page);
  store<u64>(entry, readable ? page : ~(<u64>0), TLB_READ);
  store<u64>(entry, writable ? page : ~(<u64>0), TLB_WRITE);
  store<u64>(entry, executable ? page : ~(<u64>0), TLB_FETCH);
  store<u32>(entry, hostPage - <u32>page, TLB_ADDEND);
  if (walkKey != 0) noteKeyed(cpu, page);
  let flags: u32 = walkGlobal ? ENTRY_GLOBAL : 0;
  if (walkLarge != 0) flags |= ENTRY_LARGE;
  if (mayWrite && !writable) flags |= ENTRY_CODE;
  store<u32>(entry, flags, TLB_SPARE);
  if (writable) markDirty(hostPage);
}

export function markDirty(offset: u32): void {
  const at: usize = DIRTY_BITMAP + (offset >> 15);
  store<u8>(at, <u8>(<u32>load<u8>(at) | (1 << ((offset >> 12) & 7))));
}

// Remembers a page in the TLB that has a key, for keysChanged.
function noteKeyed(cpu: usize, page: u64): void {
  const pages = load<u32>(cpu, MMU_KEYED_COUNT);
  if (pages > <u32>MAX_KEYED) return;
  if (pages < <u32>MAX_KEYED) store<u64>(cpu + (pages << 3), page, MMU_KEYED);
  store<u32>(cpu, pages + 1, MMU_KEYED_COUNT);
}

/** WRPKRU, and XRSTOR of component 9. */
export function writePkru(cpu: usize, value: u32): void {
  const changed = load<u32>(cpu, PKRU) ^ value;
  store<u32>(cpu, value, PKRU);
  if (changed != 0) keysChanged(cpu, changed);
}

/** PKRU or PKRS has changed: the TLB's entries know the rights of before. `changed`: the bits that are different. */
export function keysChanged(cpu: usize, changed: u32): void {
  const pages = load<u32>(cpu, MMU_KEYED_COUNT);
  if ((changed & 3) != 0 || pages > <u32>MAX_KEYED) {
    flushTlb(cpu);
    return;
  }
  store<u32>(cpu, 0, MMU_KEYED_COUNT);
  for (let i: u32 = 0; i < pages; i++) {
    const page = load<u64>(cpu + (i << 3), MMU_KEYED);
    for (let c: u32 = 0; c < <u32>TLB_CONTEXTS; c++) {
      if (load<u32>(cpu + MMU_CONTEXTS + c * CONTEXT_BYTES, CONTEXT_FILLED) == 0) continue;
      forgetPage(tlbOf(cpu, c), page);
    }
  }
}

// ---- Accesses that missed.

// CR0.AM and RFLAGS.AC in ring 3: misaligned accesses are #AC(0). The fast path does not look, so it is not taken then.
function checksAlignment(cpu: usize): bool {
  return (
    (load<u64>(cpu, RFLAGS) & AC) != 0 && load<u32>(cpu, CPL) == 3 && (load<u64>(cpu, CR0) & (CR0_AM | CR0_PE)) == (CR0_AM | CR0_PE)
  );
}

// @ts-ignore: decorator
@inline
export function checkAlignment(cpu: usize, linear: u64, size: u32, system: u32): void {
  if (system == 0 && load<u32>(cpu, TLB) == NO_TLB && (linear & (size - 1)) != 0) raiseError(cpu, ALIGNMENT_CHECK, 0);
}

export function slowRead(cpu: usize, linear: u64, size: u32, system: u32): u64 {
  if ((linear & 0xfff) + size > 0x1000) return crossingRead(cpu, linear, size, system);
  const host = translate(cpu, linear, ACCESS_READ, system);
  const gpa = walkGpa;
  checkAlignment(cpu, linear, size, system);
  watch(cpu, linear, size, false);
  if (host == NO_MEMORY) return mmioRead(cpu, gpa, size);
  return loadSized(host, size);
}

function loadSized(host: u32, size: u32): u64 {
  if (size == 8) return load<u64>(host);
  if (size == 4) return <u64>load<u32>(host);
  if (size == 2) return <u64>load<u16>(host);
  return <u64>load<u8>(host);
}

// Outside 64-bit mode linear addresses wrap at 4 GiB.
export function wrap(cpu: usize, linear: u64): u64 {
  return (load<u64>(cpu, MSR_EFER) & EFER_LMA) != 0 ? linear : linear & 0xffffffff;
}

/** Where a byte can be read, as a wasm offset or NO_MEMORY; from the TLB where it knows. Raises what the read would raise. */
export function readHost(cpu: usize, linear: u64, system: u32): u32 {
  const entry = tlbEntry(load<u32>(cpu + (system != 0 ? SYS_TLB : TLB)), linear);
  if (load<u64>(entry, TLB_READ) == (linear & ~0xfff)) return <u32>linear + load<u32>(entry, TLB_ADDEND);
  return translate(cpu, linear, ACCESS_READ, system);
}

// Where a byte can be written; from the TLB where it knows.
export function writeHost(cpu: usize, linear: u64, system: u32): u32 {
  const entry = tlbEntry(load<u32>(cpu + (system != 0 ? SYS_TLB : TLB)), linear);
  if (load<u64>(entry, TLB_WRITE) == (linear & ~0xfff)) return <u32>linear + load<u32>(entry, TLB_ADDEND);
  const host = codeHost(entry, linear);
  return host != NO_MEMORY ? host : translate(cpu, linear, ACCESS_WRITE, system);
}

// A writable page that has no write tag because it holds code, or held it when the entry was made.
function codeHost(entry: usize, linear: u64): u32 {
  const page = linear & ~0xfff;
  if (load<u64>(entry, TLB_READ) != page || (load<u32>(entry, TLB_SPARE) & ENTRY_CODE) == 0) return NO_MEMORY;
  const host = <u32>linear + load<u32>(entry, TLB_ADDEND);
  if (!pageHasCode(host)) {
    store<u64>(entry, page, TLB_WRITE);
    store<u32>(entry, load<u32>(entry, TLB_SPARE) & ~ENTRY_CODE, TLB_SPARE);
    markDirty(host);
  }
  return host;
}

function crossingRead(cpu: usize, linear: u64, size: u32, system: u32): u64 {
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  const second = wrap(cpu, linear + first);
  const host1 = readHost(cpu, linear, system);
  const gpa1 = walkGpa;
  const host2 = readHost(cpu, second, system);
  const gpa2 = walkGpa;
  checkAlignment(cpu, linear, size, system);
  watch(cpu, linear, size, false);
  let value: u64 = 0;
  for (let i: u32 = 0; i < size; i++) {
    let byte: u64;
    if (i < first) byte = host1 != NO_MEMORY ? <u64>load<u8>(host1 + i) : mmioRead(cpu, gpa1 + i, 1);
    else byte = host2 != NO_MEMORY ? <u64>load<u8>(host2 + i - first) : mmioRead(cpu, gpa2 + i - first, 1);
    value |= byte << <u64>(i << 3);
  }
  return value;
}

export function slowWrite(cpu: usize, linear: u64, size: u32, value: u64, system: u32): void {
  if ((linear & 0xfff) + size > 0x1000) {
    crossingWrite(cpu, linear, size, value, system);
    return;
  }
  const host = writeHost(cpu, linear, system);
  const gpa = walkGpa;
  checkAlignment(cpu, linear, size, system);
  watch(cpu, linear, size, true);
  if (host == NO_MEMORY) {
    mmioWrite(cpu, gpa, size, value);
    return;
  }
  written(host, size);
  if (size == 8) store<u64>(host, value);
  else if (size == 4) store<u32>(host, <u32>value);
  else if (size == 2) store<u16>(host, <u16>value);
  else store<u8>(host, <u8>value);
}

function crossingWrite(cpu: usize, linear: u64, size: u32, value: u64, system: u32): void {
  const first: u32 = 0x1000 - (<u32>linear & 0xfff);
  const second = wrap(cpu, linear + first);
  const host1 = writeHost(cpu, linear, system);
  const gpa1 = walkGpa;
  const host2 = writeHost(cpu, second, system);
  const gpa2 = walkGpa;
  checkAlignment(cpu, linear, size, system);
  watch(cpu, linear, size, true);
  if (host1 != NO_MEMORY) written(host1, first);
  if (host2 != NO_MEMORY) written(host2, size - first);
  for (let i: u32 = 0; i < size; i++) {
    const byte = (value >> <u64>(i << 3)) & 0xff;
    const host = i < first ? host1 : host2;
    const at = i < first ? i : i - first;
    if (host != NO_MEMORY) store<u8>(host + at, <u8>byte);
    else mmioWrite(cpu, (i < first ? gpa1 : gpa2) + at, 1, byte);
  }
}

function written(host: u32, size: u32): void {
  markDirty(host);
  if (pageHasCode(host)) codeWritten(host, size);
}

export function slowReadForWrite(cpu: usize, linear: u64, size: u32): u64 {
  if ((linear & 0xfff) + size > 0x1000) {
    writeHost(cpu, linear, 0);
    writeHost(cpu, wrap(cpu, (linear | 0xfff) + 1), 0);
    return crossingRead(cpu, linear, size, 0);
  }
  const host = writeHost(cpu, linear, 0);
  const gpa = walkGpa;
  checkAlignment(cpu, linear, size, 0);
  watch(cpu, linear, size, false);
  if (host != NO_MEMORY) return loadSized(host, size);
  // Read-only memory is still read from memory.
  const rom = physToHost(gpa);
  return rom != NO_MEMORY ? loadSized(rom, size) : mmioRead(cpu, gpa, size);
}

export function slowRead128(cpu: usize, linear: u64): v128 {
  probeRead(cpu, linear, 16);
  checkAlignment(cpu, linear, 16, 0);
  const low = slowRead(cpu, linear, 8, 0);
  const high = slowRead(cpu, wrap(cpu, linear + 8), 8, 0);
  return i64x2.replace_lane(i64x2.splat(low), 1, high);
}

export function slowWrite128(cpu: usize, linear: u64, value: v128): void {
  probeWrite(cpu, linear, 16);
  checkAlignment(cpu, linear, 16, 0);
  slowWrite(cpu, linear, 8, i64x2.extract_lane(value, 0), 0);
  slowWrite(cpu, wrap(cpu, linear + 8), 8, i64x2.extract_lane(value, 1), 0);
}

/** Raises what a write of `size` bytes (at most 4096) would raise, and changes nothing. */
export function probeWrite(cpu: usize, linear: u64, size: u32): void {
  probe(cpu, linear, 0);
  const last = wrap(cpu, linear + size - 1);
  if (((linear ^ last) & ~0xfff) != 0) probe(cpu, last & ~0xfff, 0);
}

/** Likewise for an x87 operand, whose alignment counts. */
export function probeWriteX87(cpu: usize, linear: u64, size: u32): void {
  probeWrite(cpu, linear, size);
  checkAlignment(cpu, linear, size == 10 ? 8 : size, 0);
}

export function probeWriteSystem(cpu: usize, linear: u64, size: u32): void {
  probe(cpu, linear, 1);
  const last = wrap(cpu, linear + size - 1);
  if (((linear ^ last) & ~0xfff) != 0) probe(cpu, last & ~0xfff, 1);
}

function probe(cpu: usize, linear: u64, system: u32): void {
  writeHost(cpu, linear, system);
}

/** Raises what a read would raise. For larger areas that are copied later. */
export function probeRead(cpu: usize, linear: u64, size: u32): void {
  const first = tlbEntry(load<u32>(cpu, TLB), linear);
  if (load<u64>(first, TLB_READ) != (linear & ~0xfff)) translate(cpu, linear, ACCESS_READ, 0);
  const last = wrap(cpu, linear + size - 1);
  if (((linear ^ last) & ~0xfff) != 0) {
    const entry = tlbEntry(load<u32>(cpu, TLB), last);
    if (load<u64>(entry, TLB_READ) != (last & ~0xfff)) translate(cpu, last & ~0xfff, ACCESS_READ, 0);
  }
}

/** The wasm offset of the page to fetch code from. Where no memory is, all bytes are ff. */
export function fetchPage(cpu: usize, linear: u64): u32 {
  const host = translate(cpu, linear, ACCESS_FETCH, 0);
  return host == NO_MEMORY ? EMPTY_PAGE : host & ~0xfff;
}

/** Guest-physical address of a linear one, or -1; nothing is raised or changed. */
export function translateLinear(cpu: usize, linear: u64): f64 {
  if ((load<u64>(cpu, MSR_EFER) & EFER_LMA) != 0 && !canonical(cpu, linear)) return -1;
  return walk(cpu, linear) ? <f64>walkGpa : -1;
}

/** Loads the four PDPTEs of PAE paging; false where a reserved bit is set. */
export function loadPdptrs(cpu: usize, cr3: u64): bool {
  const reserved = reservedMask(cpu) | 0xfff00000000001e6;
  for (let i: usize = 0; i < 4; i++) {
    const entry = readEntry((cr3 & 0xffffffe0) + i * 8, true);
    if ((entry & PTE_P) != 0 && (entry & reserved) != 0) return false;
    store<u64>(cpu + SCRATCH_PDPTR + i * 8, entry);
  }
  memory.copy(cpu + PDPTR, cpu + SCRATCH_PDPTR, 32);
  return true;
}
const SCRATCH_PDPTR: usize = 0x4100;

// ---- Contexts and flushing.

function tlbOf(cpu: usize, context: u32): usize {
  return TLB_BASE + load<u32>(cpu, VCPU_ID) * TLB_STRIDE + context * (TLB_ENTRIES * TLB_ENTRY_BYTES);
}

function contextOf(cpu: usize, tlb: usize): usize {
  const index = (tlb - TLB_BASE - load<u32>(cpu, VCPU_ID) * TLB_STRIDE) / (TLB_ENTRIES * TLB_ENTRY_BYTES);
  return cpu + MMU_CONTEXTS + index * CONTEXT_BYTES;
}

function spaceOf(cpu: usize): u32 {
  if (!paged(cpu)) return UNPAGED_SPACE;
  return (load<u64>(cpu, CR4) & CR4_PCIDE) != 0 ? <u32>load<u64>(cpu, CR3) & 0xfff : 0;
}

function clearContext(cpu: usize, index: u32): void {
  const context = cpu + MMU_CONTEXTS + index * CONTEXT_BYTES;
  if (load<u32>(context, CONTEXT_FILLED) == 0) return;
  forgetJumps(cpu);
  memory.fill(tlbOf(cpu, index), 0xff, TLB_ENTRIES * TLB_ENTRY_BYTES);
  store<u32>(context, 0, CONTEXT_FILLED);
  store<u32>(context, 0, CONTEXT_HUGE);
  store<u64>(context, 0, CONTEXT_LARGE);
}

// The TLB array of an address space and class, taken from the pool.
function findContext(cpu: usize, key: u32): usize {
  const now = load<u32>(cpu, MMU_CLOCK) + 1;
  store<u32>(cpu, now, MMU_CLOCK);
  let victim: u32 = 0;
  let oldest: u32 = 0xffffffff;
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    const context = cpu + MMU_CONTEXTS + i * CONTEXT_BYTES;
    if (load<u32>(context, CONTEXT_KEY) == key) {
      store<u32>(context, now, CONTEXT_USE);
      return tlbOf(cpu, i);
    }
    if (load<u32>(context, CONTEXT_USE) < oldest && !inUse(cpu, tlbOf(cpu, i))) {
      oldest = load<u32>(context, CONTEXT_USE);
      victim = i;
    }
  }
  clearContext(cpu, victim);
  const context = cpu + MMU_CONTEXTS + victim * CONTEXT_BYTES;
  store<u32>(context, key, CONTEXT_KEY);
  store<u32>(context, now, CONTEXT_USE);
  return tlbOf(cpu, victim);
}

function inUse(cpu: usize, tlb: usize): bool {
  for (let c: usize = 0; c < 3; c++) if (load<u32>(cpu + MMU_CLASS_TLB + (c << 2)) == tlb) return true;
  return false;
}

function classTlb(cpu: usize, cls: u32): u32 {
  const at = cpu + MMU_CLASS_TLB + (cls << 2);
  let tlb = load<u32>(at);
  if (tlb == 0) {
    tlb = <u32>findContext(cpu, (spaceOf(cpu) << 2) | cls);
    store<u32>(at, tlb);
  }
  return tlb;
}

/** Points TLB and SYS_TLB at the arrays for the present CPL, AC and address space. */
export function selectTlb(cpu: usize): void {
  const cls = paged(cpu) ? classOf(cpu, 0) : CLASS_SUPERVISOR;
  store<u32>(cpu, checksAlignment(cpu) ? NO_TLB : classTlb(cpu, cls), TLB);
  store<u32>(cpu, classTlb(cpu, CLASS_SUPERVISOR), SYS_TLB);
  setJumpKey(cpu);
}

// Entries of JUMPS are valid in the MMU context and generation that they were made in.
// @ts-ignore: decorator
@inline
function setJumpKey(cpu: usize): void {
  const tlb = load<u32>(cpu, TLB);
  // A context's array is 64 KiB: four bits of its address say which of the vCPU's it is.
  store<u32>(cpu, tlb == NO_TLB ? 0 : (load<u32>(cpu, JUMP_GENERATION) << 4) | ((tlb >> 16) & 15), JUMP_KEY);
}

/** Code may be mapped elsewhere now, or blocks are gone: no entry of JUMPS is valid any more. */
export function forgetJumps(cpu: usize): void {
  let generation = load<u32>(cpu, JUMP_GENERATION) + 1;
  if (generation >> 28 != 0) {
    memory.fill(cpu + JUMPS, 0, JUMP_ENTRIES << 4);
    generation = 1;
  }
  store<u32>(cpu, generation, JUMP_GENERATION);
  setJumpKey(cpu);
}

// Another address space: the class table starts anew.
function switchSpace(cpu: usize): void {
  memory.fill(cpu + MMU_CLASS_TLB, 0, 12);
  selectTlb(cpu);
}

/** Power-on: empties the pool. */
export function resetMmu(cpu: usize): void {
  memory.fill(cpu + JUMPS, 0, JUMP_ENTRIES << 4);
  store<u32>(cpu, 1, JUMP_GENERATION);
  store<u32>(cpu, 0, JUMP_KEY);
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    const context = cpu + MMU_CONTEXTS + i * CONTEXT_BYTES;
    memory.fill(context, 0, CONTEXT_BYTES);
    store<u32>(context, NO_KEY, CONTEXT_KEY);
    memory.fill(tlbOf(cpu, i), 0xff, TLB_ENTRIES * TLB_ENTRY_BYTES);
  }
  memory.fill(cpu + MMU_CLASS_TLB, 0, 12);
  store<u32>(cpu, 0, MMU_CLOCK);
  store<u32>(cpu, 0, MMU_KEYED_COUNT);
}

/** Everything, global pages too: paging mode changes, slots, CR4.PGE. */
export function flushTlb(cpu: usize): void {
  count(cpu, COUNT_TLB_FLUSHES);
  store<u32>(cpu, 0, MMU_KEYED_COUNT);
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    clearContext(cpu, i);
    store<u32>(cpu + MMU_CONTEXTS + i * CONTEXT_BYTES, NO_KEY, CONTEXT_KEY);
  }
  switchSpace(cpu);
}

// The entries of one address space that are not global.
function flushSpace(cpu: usize, space: u32): void {
  forgetJumps(cpu);
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    const context = cpu + MMU_CONTEXTS + i * CONTEXT_BYTES;
    if (load<u32>(context, CONTEXT_KEY) >> 2 != space || load<u32>(context, CONTEXT_FILLED) == 0) continue;
    dropEntries(tlbOf(cpu, i));
  }
}

// @ts-ignore: decorator
@inline
function clearEntry(entry: usize): void {
  store<u64>(entry, ~(<u64>0), TLB_READ);
  store<u64>(entry, ~(<u64>0), TLB_WRITE);
  store<u64>(entry, ~(<u64>0), TLB_FETCH);
}

function dropEntries(tlb: usize): void {
  const end = tlb + TLB_ENTRIES * TLB_ENTRY_BYTES;
  for (let entry = tlb; entry < end; entry += TLB_ENTRY_BYTES) {
    if ((load<u32>(entry, TLB_SPARE) & ENTRY_GLOBAL) == 0) clearEntry(entry);
  }
}

/** CR3 is loaded; `keep`: bit 63 said that the PCID's entries stay. */
export function cr3Loaded(cpu: usize, keep: bool): void {
  count(cpu, COUNT_CR3_WRITES);
  if (!keep) flushSpace(cpu, spaceOf(cpu));
  switchSpace(cpu);
}

/** INVLPG, and INVPCID type 0 (`space` then; -1 is the current one and globals). */
export function flushPage(cpu: usize, linear: u64, space: i32): void {
  forgetJumps(cpu);
  const page = linear & ~0xfff;
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    const context = cpu + MMU_CONTEXTS + i * CONTEXT_BYTES;
    if (load<u32>(context, CONTEXT_FILLED) == 0) continue;
    if (space >= 0 && <i32>(load<u32>(context, CONTEXT_KEY) >> 2) != space) continue;
    const tlb = tlbOf(cpu, i);
    forgetPage(tlb, page);
    if ((load<u32>(context, CONTEXT_HUGE) >> (<u32>(linear >> 30) & 31)) & 1) {
      dropLarge(tlb, linear >> 30);
    } else if ((load<u64>(context, CONTEXT_LARGE) >> ((linear >> 21) & 63)) & 1) {
      dropRegion(context, tlb, linear & ~0x1fffff);
      // 4 MiB pages of 32-bit paging are two such regions.
      if ((load<u64>(cpu, CR4) & CR4_PAE) == 0) dropRegion(context, tlb, (linear & ~0x1fffff) ^ 0x200000);
    }
  }
}

// The entries of large pages in 2 MiB. Regions that share the entries' places are told again which of them have any.
function dropRegion(context: usize, tlb: usize, region: u64): void {
  let left: u64 = 0;
  for (let offset: u64 = 0; offset < 0x200000; offset += 0x1000) {
    const entry = tlbEntry(tlb, region + offset);
    if ((load<u32>(entry, TLB_SPARE) & ENTRY_LARGE) == 0) continue;
    if (matches(entry, region + offset) || matches(entry, region + (offset ^ 0x1000))) clearEntry(entry);
    else left |= bitOf(load<u64>(entry, TLB_READ)) | bitOf(load<u64>(entry, TLB_WRITE)) | bitOf(load<u64>(entry, TLB_FETCH));
  }
  // TLB_ENTRIES are four regions.
  const mates: u64 = 0x1111111111111111 << ((region >> 21) & 3);
  store<u64>(context, (load<u64>(context, CONTEXT_LARGE) & ~mates) | left, CONTEXT_LARGE);
}

// A tag's bit in CONTEXT_LARGE.
function bitOf(tag: u64): u64 {
  return tag == ~(<u64>0) ? 0 : <u64>1 << ((tag >> 21) & 63);
}

// The entries of the large pages in one GiB.
function dropLarge(tlb: usize, gigabyte: u64): void {
  const end = tlb + TLB_ENTRIES * TLB_ENTRY_BYTES;
  for (let entry = tlb; entry < end; entry += TLB_ENTRY_BYTES) {
    if ((load<u32>(entry, TLB_SPARE) & ENTRY_LARGE) == 0) continue;
    const inside =
      load<u64>(entry, TLB_READ) >> 30 == gigabyte ||
      load<u64>(entry, TLB_WRITE) >> 30 == gigabyte ||
      load<u64>(entry, TLB_FETCH) >> 30 == gigabyte;
    if (inside) clearEntry(entry);
  }
}

function matches(entry: usize, page: u64): bool {
  return load<u64>(entry, TLB_READ) == page || load<u64>(entry, TLB_WRITE) == page || load<u64>(entry, TLB_FETCH) == page;
}

/** INVPCID types 1 (one space), 2 (all with globals), 3 (all but globals). */
export function flushSpaces(cpu: usize, type: u32, space: u32): void {
  if (type == 2) {
    flushTlb(cpu);
    return;
  }
  forgetJumps(cpu);
  for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
    const context = cpu + MMU_CONTEXTS + i * CONTEXT_BYTES;
    if (load<u32>(context, CONTEXT_FILLED) == 0) continue;
    if (type == 3 || load<u32>(context, CONTEXT_KEY) >> 2 == space) dropEntries(tlbOf(cpu, i));
  }
}

/** A page begins to hold code: every vCPU's writes to it take the slow path. */
export function tlbDropWrite(hostPage: u32): void {
  // A page with a write tag is marked dirty.
  if ((load<u8>(DIRTY_BITMAP + (hostPage >> 15)) >> <u8>((hostPage >> 12) & 7) & 1) == 0) return;
  for (let vcpu: u32 = 0; vcpu < <u32>MAX_VCPUS; vcpu++) {
    const cpu: usize = VCPU_BASE + vcpu * VCPU_STRIDE;
    if (load<u32>(cpu, TLB) == 0) continue;
    for (let i: u32 = 0; i < <u32>TLB_CONTEXTS; i++) {
      if (load<u32>(cpu + MMU_CONTEXTS + i * CONTEXT_BYTES, CONTEXT_FILLED) == 0) continue;
      const tlb = tlbOf(cpu, i);
      const end = tlb + TLB_ENTRIES * TLB_ENTRY_BYTES;
      for (let entry = tlb; entry < end; entry += TLB_ENTRY_BYTES) {
        const tag = load<u64>(entry, TLB_WRITE);
        if (tag == ~(<u64>0) || <u32>tag + load<u32>(entry, TLB_ADDEND) != hostPage) continue;
        store<u64>(entry, ~(<u64>0), TLB_WRITE);
        store<u32>(entry, load<u32>(entry, TLB_SPARE) | ENTRY_CODE, TLB_SPARE);
      }
    }
  }
}

// ---- Breakpoints on data: DR0-DR3 and the debugger's watchpoints.

function dataBreakpoint(dr7: u64, index: u32): bool {
  // Enabled, and not for instructions (0) or I/O (2).
  return ((dr7 >> <u64>(index * 2)) & 3) != 0 && ((dr7 >> <u64>(16 + index * 4)) & 1) != 0;
}

export function breakpointSize(dr7: u64, index: u32): u64 {
  const code = (dr7 >> <u64>(18 + index * 4)) & 3;
  return code == 2 ? 8 : code + 1;
}

export function watchesPage(cpu: usize, page: u64): bool {
  const dr7 = load<u64>(cpu, DR + 56);
  if ((dr7 & 0xff) != 0) {
    for (let i: u32 = 0; i < 4; i++) {
      if (dataBreakpoint(dr7, i) && ((load<u64>(cpu + DR + (i << 3)) ^ page) & ~0xfff) == 0) return true;
    }
  }
  const points = load<u32>(cpu, DEBUG_WATCHPOINTS);
  for (let i: u32 = 0; i < points; i++) {
    const at = cpu + DEBUG_WP + (i << 4);
    const first = load<u64>(at) & ~0xfff;
    const last = (load<u64>(at) + load<u32>(at, 8) - 1) & ~0xfff;
    if (first == page || last == page) return true;
  }
  return false;
}

function watch(cpu: usize, linear: u64, size: u32, write: bool): void {
  const dr7 = load<u64>(cpu, DR + 56);
  if ((dr7 & 0xff) != 0) {
    for (let i: u32 = 0; i < 4; i++) {
      if (!dataBreakpoint(dr7, i)) continue;
      const onlyWrites = ((dr7 >> <u64>(16 + i * 4)) & 3) == 1;
      if (onlyWrites && !write) continue;
      const length = breakpointSize(dr7, i);
      const address = load<u64>(cpu + DR + (i << 3)) & ~(length - 1);
      if (linear < address + length && address < linear + size) {
        store<u64>(cpu, load<u64>(cpu, DEBUG_PENDING) | (<u64>1 << i), DEBUG_PENDING);
        store<u32>(cpu, 1, INTERRUPT_CHECK);
      }
    }
  }
  const points = load<u32>(cpu, DEBUG_WATCHPOINTS);
  for (let i: u32 = 0; i < points; i++) {
    const at = cpu + DEBUG_WP + (i << 4);
    const address = load<u64>(at);
    if (linear >= address + load<u32>(at, 8) || address >= linear + size) continue;
    if ((load<u32>(at, 12) & (write ? 1 : 2)) == 0) continue;
    store<u32>(cpu, write ? 2 : 1, WATCH_HIT);
    store<u64>(cpu, address, EXIT_ADDRESS);
    store<u32>(cpu, 1, INTERRUPT_CHECK);
  }
}
