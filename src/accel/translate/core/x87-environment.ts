// The control word, FNINIT, and environments in memory: FNSTENV, FLDENV, FNSAVE, FRSTOR. Intel SDM Vol. 1, 8.1.10.
import { FEATURE_ZERO_FCS_FDS } from "../feature-bits";
import { CR0, FCS, FCW, FDP, FDS, FIP, FOP, FSW, FTW, RFLAGS } from "../layout";
import { has } from "./cpu-features";
import { eaSized } from "./ea";
import { FCW_INIT } from "./float80";
import { errorCleared } from "./float-error";
import { read16, read32, read64, write16, write32, write64 } from "./memory";
import { probeWrite } from "./mmu";
import { REC_OSIZE } from "./record";
import { begin, expOf, fullTagWord, register, requireFpu, setFullTagWord, sigOf, summarize } from "./x87-stack";

const CR0_PE: u64 = 1;
const RFLAGS_VM: u64 = 0x20000;

/** FNINIT's state. */
export function initialize(cpu: usize): void {
  store<u32>(cpu, FCW_INIT, FCW);
  store<u32>(cpu, 0, FSW);
  store<u32>(cpu, 0xffff, FTW);
  store<u32>(cpu, 0, FOP);
  store<u64>(cpu, 0, FIP);
  store<u64>(cpu, 0, FDP);
  store<u32>(cpu, 0, FCS);
  store<u32>(cpu, 0, FDS);
  errorCleared(cpu);
}

/** FCW as it is kept: bit 6 reads as one, reserved bits as zero. */
export function setControlWord(cpu: usize, value: u32): void {
  store<u32>(cpu, (value & 0x1f3f) | 0x40, FCW);
}

export function loadControl(cpu: usize, rec: usize): void {
  begin(cpu);
  setControlWord(cpu, read16(cpu, eaSized(cpu, rec, 2, 0)));
  summarize(cpu);
}

// @ts-ignore: decorator
@inline
function is16(rec: usize): bool {
  return load<u8>(rec, REC_OSIZE) == 2;
}

function isProtected(cpu: usize): bool {
  return (load<u64>(cpu, CR0) & CR0_PE) != 0 && (load<u64>(cpu, RFLAGS) & RFLAGS_VM) == 0;
}

/** Writes the 14 or 28 bytes of an environment. The caller has probed them. */
function writeEnvironment(cpu: usize, linear: u64, half: bool): void {
  const fcw = load<u32>(cpu, FCW);
  const fsw = load<u32>(cpu, FSW);
  const ftw = fullTagWord(cpu);
  const fop = load<u32>(cpu, FOP) & 0x7ff;
  let fip = load<u32>(cpu, FIP);
  let fdp = load<u32>(cpu, FDP);
  let fcs = load<u32>(cpu, FCS);
  let fds = load<u32>(cpu, FDS);
  if (isProtected(cpu)) {
    if (has(cpu, FEATURE_ZERO_FCS_FDS)) {
      fcs = 0;
      fds = 0;
    }
    if (half) {
      write16(cpu, linear, <u16>fcw);
      write16(cpu, linear + 2, <u16>fsw);
      write16(cpu, linear + 4, <u16>ftw);
      write16(cpu, linear + 6, <u16>fip);
      write16(cpu, linear + 8, <u16>fcs);
      write16(cpu, linear + 10, <u16>fdp);
      write16(cpu, linear + 12, <u16>fds);
    } else {
      write32(cpu, linear, 0xffff0000 | fcw);
      write32(cpu, linear + 4, 0xffff0000 | fsw);
      write32(cpu, linear + 8, 0xffff0000 | ftw);
      write32(cpu, linear + 12, fip);
      write32(cpu, linear + 16, fop << 16 | fcs);
      write32(cpu, linear + 20, fdp);
      write32(cpu, linear + 24, 0xffff0000 | fds);
    }
    return;
  }
  // Real and virtual-8086 mode: linear addresses instead of selectors.
  fip += fcs << 4;
  fdp += fds << 4;
  if (half) {
    write16(cpu, linear, <u16>fcw);
    write16(cpu, linear + 2, <u16>fsw);
    write16(cpu, linear + 4, <u16>ftw);
    write16(cpu, linear + 6, <u16>fip);
    write16(cpu, linear + 8, <u16>((fip >> 16 & 15) << 12 | fop));
    write16(cpu, linear + 10, <u16>fdp);
    write16(cpu, linear + 12, <u16>((fdp >> 16 & 15) << 12));
  } else {
    write32(cpu, linear, 0xffff0000 | fcw);
    write32(cpu, linear + 4, 0xffff0000 | fsw);
    write32(cpu, linear + 8, 0xffff0000 | ftw);
    write32(cpu, linear + 12, 0xffff0000 | (fip & 0xffff));
    write32(cpu, linear + 16, fip >> 16 << 12 | fop);
    write32(cpu, linear + 20, 0xffff0000 | (fdp & 0xffff));
    write32(cpu, linear + 24, fdp >> 16 << 12);
  }
}

/** Loads what `writeEnvironment` writes. The caller has read the last byte, so that nothing faults half-way. */
function readEnvironment(cpu: usize, linear: u64, half: bool): void {
  const step: u64 = half ? 2 : 4;
  const fcw = <u32>read16(cpu, linear);
  const fsw = <u32>read16(cpu, linear + step);
  const ftw = <u32>read16(cpu, linear + 2 * step);
  const word3 = half ? <u32>read16(cpu, linear + 6) : read32(cpu, linear + 12);
  const word4 = half ? <u32>read16(cpu, linear + 8) : read32(cpu, linear + 16);
  const word5 = half ? <u32>read16(cpu, linear + 10) : read32(cpu, linear + 20);
  const word6 = half ? <u32>read16(cpu, linear + 12) : read32(cpu, linear + 24);
  setControlWord(cpu, fcw);
  store<u32>(cpu, fsw, FSW);
  setFullTagWord(cpu, ftw);
  summarize(cpu);
  if (isProtected(cpu)) {
    store<u64>(cpu, word3, FIP);
    store<u32>(cpu, word4 & 0xffff, FCS);
    if (!half) store<u32>(cpu, word4 >> 16 & 0x7ff, FOP);
    store<u64>(cpu, word5, FDP);
    store<u32>(cpu, word6 & 0xffff, FDS);
  } else {
    store<u64>(cpu, (word3 & 0xffff) | word4 >> 12 << 16, FIP);
    store<u32>(cpu, word4 & 0x7ff, FOP);
    store<u64>(cpu, (word5 & 0xffff) | word6 >> 12 << 16, FDP);
    store<u32>(cpu, 0, FCS);
    store<u32>(cpu, 0, FDS);
  }
}

/** FNSTENV: stores the environment, then masks all exceptions. */
export function storeEnvironment(cpu: usize, rec: usize): void {
  requireFpu(cpu);
  const half = is16(rec);
  const size: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, size, 1);
  probeWrite(cpu, linear, size);
  writeEnvironment(cpu, linear, half);
  store<u32>(cpu, load<u32>(cpu, FCW) | 0x3f, FCW);
  summarize(cpu);
}

export function loadEnvironment(cpu: usize, rec: usize): void {
  begin(cpu);
  const half = is16(rec);
  const size: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, size, 0);
  read16(cpu, linear);
  read16(cpu, linear + size - 2);
  readEnvironment(cpu, linear, half);
}

/** FNSAVE: environment and registers in stack order, then FNINIT. */
export function save(cpu: usize, rec: usize): void {
  requireFpu(cpu);
  const half = is16(rec);
  const header: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, header + 80, 1);
  probeWrite(cpu, linear, header + 80);
  writeEnvironment(cpu, linear, half);
  for (let i: u32 = 0; i < 8; i++) {
    const at = register(cpu, i);
    const to = linear + header + 10 * i;
    write64(cpu, to, sigOf(at));
    write16(cpu, to + 8, <u16>expOf(at));
  }
  initialize(cpu);
}

export function restore(cpu: usize, rec: usize): void {
  begin(cpu);
  const half = is16(rec);
  const header: u32 = half ? 14 : 28;
  const linear = eaSized(cpu, rec, header + 80, 0);
  read16(cpu, linear);
  read16(cpu, linear + header + 78);
  readEnvironment(cpu, linear, half);
  for (let i: u32 = 0; i < 8; i++) {
    const at = register(cpu, i);
    const from = linear + header + 10 * i;
    store<u64>(at, read64(cpu, from));
    store<u16>(at, read16(cpu, from + 8), 8);
  }
}
