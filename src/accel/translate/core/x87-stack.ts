// The x87 register stack and status: registers by distance from the top, tags, exceptions, and the pointers to the
// last instruction and operand. Tags are kept as 0 (used) and 3 (empty); an environment is stored with full ones.
import { FEATURE_FDP_EXCPTN_ONLY } from "../feature-bits";
import {
  BLOCK_RIP, CR0, CS, FCS, FCW, FDP, FDS, FIP, FOP, FPU_BLOCKED, FPU_PENDING, FS, FSW, FTW, SEG_BASE, SEG_BYTES,
  SEG_SELECTOR, SEGMENTS, ST,
} from "../layout";
import { has } from "./cpu-features";
import { MF, raise } from "./exceptions";
import { errorCleared, waitForFloatError } from "./float-error";
import { C1, clearExceptions, exceptions, IE, resultExp, resultSig, setResult, SF, signal } from "./float80";
import { F_EA_SPECIAL, F_LONG, REC_ASIZE, REC_FLAGS, REC_IPOFF, REC_MODRM, REC_SEG } from "./record";

export const C0: u32 = 0x100;
export const C2: u32 = 0x400;
export const C3: u32 = 0x4000;
export const CONDITION_CODES: u32 = 0x4700;
/** ES, the error summary, and B, which follows it. */
const ES_B: u32 = 0x8080;
const CR0_NE: u64 = 0x20;
const UNMASKABLE: u32 = 0x3f;

// ---- Before an instruction.

/** #NM where x87 is not usable. */
// @ts-ignore: decorator
@inline
export function requireFpu(cpu: usize): void {
  const vector = load<u32>(cpu, FPU_BLOCKED);
  if (vector != 0) raise(cpu, vector);
}

/** #MF where an unmasked exception of an earlier instruction waits. */
// @ts-ignore: decorator
@inline
export function deliverPending(cpu: usize): void {
  if (load<u32>(cpu, FPU_PENDING) != 0) {
    // Without CR0.NE the error goes out on FERR# and comes back as IRQ 13.
    if ((load<u64>(cpu, CR0) & CR0_NE) == 0) waitForFloatError(cpu);
    else raise(cpu, MF);
  }
}

/** The checks of a waiting instruction; starts it with no exceptions. */
// @ts-ignore: decorator
@inline
export function begin(cpu: usize): void {
  requireFpu(cpu);
  deliverPending(cpu);
  clearExceptions();
  pointerWaits = false;
}

/** FOP, FIP and FCS of a non-control instruction. */
// @ts-ignore: decorator
@inline
export function setInstructionPointer(cpu: usize, rec: usize, opcode: u32): void {
  store<u32>(cpu, opcode << 8 | load<u8>(rec, REC_MODRM), FOP);
  store<u64>(cpu, load<u64>(cpu, BLOCK_RIP) + load<u16>(rec, REC_IPOFF), FIP);
  store<u32>(cpu, load<u32>(cpu, SEGMENTS + CS * SEG_BYTES + SEG_SELECTOR), FCS);
}

/** FDP and FDS of a memory operand at `linear`; where the model keeps them for exceptions only, `reportCodes` stores them. */
export function setDataPointer(cpu: usize, rec: usize, linear: u64): void {
  const flags = load<u8>(rec, REC_FLAGS);
  const segment = <u32>load<u8>(rec, REC_SEG);
  const at = cpu + SEGMENTS + segment * SEG_BYTES;
  if ((flags & F_EA_SPECIAL) != 0 && ((flags & F_LONG) == 0 || segment >= <u32>FS)) linear -= load<u64>(at, SEG_BASE);
  if ((flags & F_LONG) == 0) linear &= load<u8>(rec, REC_ASIZE) == 2 ? 0xffff : 0xffffffff;
  const selector = load<u32>(at, SEG_SELECTOR);
  if (has(cpu, FEATURE_FDP_EXCPTN_ONLY)) {
    waitingFdp = linear;
    waitingFds = selector;
    pointerWaits = true;
    return;
  }
  store<u64>(cpu, linear, FDP);
  store<u32>(cpu, selector, FDS);
}

// The data pointer of the running instruction, until it is known whether an unmasked exception comes of it.
let waitingFdp: u64 = 0;
let waitingFds: u32 = 0;
let pointerWaits: bool = false;

// ---- Registers.

/** The physical number of ST(i). */
// @ts-ignore: decorator
@inline
export function physical(cpu: usize, i: u32): u32 {
  return (load<u32>(cpu, FSW) >> 11) + i & 7;
}

/** The address of ST(i). */
// @ts-ignore: decorator
@inline
export function register(cpu: usize, i: u32): usize {
  return cpu + ST + (physical(cpu, i) << 4);
}

// @ts-ignore: decorator
@inline
export function sigOf(at: usize): u64 {
  return load<u64>(at);
}

// @ts-ignore: decorator
@inline
export function expOf(at: usize): u32 {
  return load<u16>(at, 8);
}

// @ts-ignore: decorator
@inline
export function isEmpty(cpu: usize, i: u32): bool {
  return (load<u32>(cpu, FTW) >> (physical(cpu, i) << 1) & 3) == 3;
}

// @ts-ignore: decorator
@inline
export function setRegister(cpu: usize, i: u32, exp: u32, sig: u64): void {
  const number = physical(cpu, i);
  const at = cpu + ST + (number << 4);
  store<u64>(at, sig);
  store<u16>(at, exp, 8);
  store<u32>(cpu, load<u32>(cpu, FTW) & ~(3 << (number << 1)), FTW);
}

/** ST(i) gets the result of the last float80 operation. */
// @ts-ignore: decorator
@inline
export function setRegisterToResult(cpu: usize, i: u32): void {
  setRegister(cpu, i, resultExp, resultSig);
}

export function free(cpu: usize, i: u32): void {
  store<u32>(cpu, load<u32>(cpu, FTW) | 3 << (physical(cpu, i) << 1), FTW);
}

/** Moves TOP by `by`, modulo 8. */
// @ts-ignore: decorator
@inline
export function moveTop(cpu: usize, by: u32): void {
  const fsw = load<u32>(cpu, FSW);
  store<u32>(cpu, (fsw & ~(<u32>0x3800)) | ((fsw >> 11) + by & 7) << 11, FSW);
}

// @ts-ignore: decorator
@inline
export function pop(cpu: usize): void {
  free(cpu, 0);
  moveTop(cpu, 1);
}

// ---- Exceptions.

/** Whether one of the exceptions `bits` was met and is unmasked. */
// @ts-ignore: decorator
@inline
export function unmasked(cpu: usize, bits: u32): bool {
  return (exceptions & bits & ~load<u32>(cpu, FCW)) != 0;
}

/** A source register is empty: the result is the indefinite. */
export function underflow(): void {
  clearExceptions();
  signal(IE | SF);
  setResult(0xffff, 0xc000000000000000);
}

/** A push finds its register used. */
export function overflow(): void {
  clearExceptions();
  signal(IE | SF | C1);
  setResult(0xffff, 0xc000000000000000);
}

/** Adds the exceptions met to FSW, C1 among them; other condition codes become `codes` where `mask` says. */
// @ts-ignore: decorator
@inline
export function reportCodes(cpu: usize, codes: u32, mask: u32): void {
  const fsw = (load<u32>(cpu, FSW) & ~(C1 | mask)) | codes | exceptions;
  store<u32>(cpu, fsw, FSW);
  if ((exceptions & UNMASKABLE & ~load<u32>(cpu, FCW)) != 0) {
    if (pointerWaits) {
      store<u64>(cpu, waitingFdp, FDP);
      store<u32>(cpu, waitingFds, FDS);
    }
    summarize(cpu);
  }
}

// @ts-ignore: decorator
@inline
export function report(cpu: usize): void {
  reportCodes(cpu, 0, 0);
}

/** Makes ES, B and FPU_PENDING follow from FSW and FCW. */
export function summarize(cpu: usize): void {
  const fsw = load<u32>(cpu, FSW);
  const pending = (fsw & UNMASKABLE & ~load<u32>(cpu, FCW)) != 0;
  store<u32>(cpu, pending ? fsw | ES_B : fsw & ~ES_B, FSW);
  store<u32>(cpu, u32(pending), FPU_PENDING);
  if (!pending) errorCleared(cpu);
}

/** No unmasked exception keeps the result from being stored: overflow, underflow and precision do not. */
// @ts-ignore: decorator
@inline
export function mayStore(cpu: usize): bool {
  return (exceptions & 7 & ~load<u32>(cpu, FCW)) == 0;
}

// ---- The tag word.

/** The full tag word: valid, zero, special or empty for each physical register. */
export function fullTagWord(cpu: usize): u32 {
  const ftw = load<u32>(cpu, FTW);
  let tags: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) {
    let tag: u32 = 3;
    if ((ftw >> (i << 1) & 3) != 3) {
      const at = cpu + ST + (i << 4);
      const exp = <u32>load<u16>(at, 8) & 0x7fff;
      const sig = load<u64>(at);
      tag = exp == 0 && sig == 0 ? 1 : exp - 1 < 0x7ffe && <i64>sig < 0 ? 0 : 2;
    }
    tags |= tag << (i << 1);
  }
  return tags;
}

/** Loads a full tag word: only empty or not is kept. */
export function setFullTagWord(cpu: usize, tags: u32): void {
  const empty = tags & tags >> 1 & 0x5555;
  store<u32>(cpu, empty | empty << 1, FTW);
}

/** The abridged tag byte of FXSAVE: a bit set for each used register. */
export function abridgedTags(cpu: usize): u32 {
  const ftw = load<u32>(cpu, FTW);
  let used: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) used |= u32((ftw >> (i << 1) & 3) != 3) << i;
  return used;
}

export function setAbridgedTags(cpu: usize, used: u32): void {
  let ftw: u32 = 0;
  for (let i: u32 = 0; i < 8; i++) if ((used >> i & 1) == 0) ftw |= 3 << (i << 1);
  store<u32>(cpu, ftw, FTW);
}
