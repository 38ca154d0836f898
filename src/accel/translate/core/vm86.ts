// Virtual-8086 mode's sensitive instructions (PUSHF, POPF, IRET, CLI, STI, INT n), which are the program's own at
// IOPL 3 and the monitor's below; and the virtual interrupt flag of CR4.VME and CR4.PVI, which lets a program have
// them below IOPL 3 too. Intel SDM vol. 3A 21.2 to 21.4.
import {
  CPL, CR4, CS, INTERRUPT_CHECK, RFLAGS, RIP, SEG_ATTR, SEG_BASE, SEG_LIMIT, STEP_TRAP, TR,
} from "../layout";
import { raiseGP } from "./exceptions";
import { ARITHMETIC, DF, IF, IOPL, NT, RF, TF, VIF, VIP, VM, getFlags, setFlags } from "./flags";
import { sysRead16, sysRead32, sysRead8 } from "./memory";
import { CR4_PVI, CR4_VME, isProtected } from "./mode";
import { realSegment, seg, segSelector } from "./segments";
import { setStackPointer, stackMask, stackPointer, stackWrite } from "./stack";

/** VIF is this many bits above IF. */
const VIRTUAL: u64 = 10;
/** What POPF and IRET below IOPL 3 take from memory, besides IF, which goes to VIF. */
const OWN_FLAGS: u64 = ARITHMETIC | DF | NT;

function iopl(cpu: usize): u32 {
  return <u32>(load<u64>(cpu, RFLAGS) >> 12) & 3;
}

/** Virtual-8086 mode: RFLAGS.VM, which only protected mode can have set. */
export function isVirtual86(cpu: usize): bool {
  return (load<u64>(cpu, RFLAGS) & VM) != 0;
}

/**
 * In virtual-8086 mode, before PUSHF, POPF or IRET of `bytes`: whether it works on VIF. False where it works on IF as
 * in real mode, IOPL being 3. #GP(0) where the monitor has to do it.
 */
export function usesVirtualFlag(cpu: usize, bytes: u32): bool {
  if (iopl(cpu) == 3) return false;
  if ((load<u64>(cpu, CR4) & CR4_VME) == 0 || bytes != 2) raiseGP(cpu);
  return true;
}

/** FLAGS as a program with a virtual interrupt flag sees them: IOPL 3, and VIF as IF. */
export function virtualFlags(flags: u64): u64 {
  return (flags & ~IF) | IOPL | ((flags & VIF) >> VIRTUAL);
}

/** FLAGS that POPF or IRET of such a program loads; answers RFLAGS. #GP(0) where the monitor has an interrupt to deliver. */
export function withVirtualFlags(cpu: usize, old: u64, popped: u64): u64 {
  if ((popped & TF) != 0 || ((popped & IF) != 0 && (old & VIP) != 0)) raiseGP(cpu);
  return (old & ~(OWN_FLAGS | TF | VIF)) | (popped & OWN_FLAGS) | ((popped & IF) << VIRTUAL);
}

// Whether CLI and STI work on VIF: the program is above IOPL, and VME or PVI is on. #GP(0) where neither is.
function masksVirtually(cpu: usize): bool {
  const cpl = load<u32>(cpu, CPL);
  if (!isProtected(cpu) || cpl <= iopl(cpu)) return false;
  const enabled = isVirtual86(cpu) ? CR4_VME : CR4_PVI;
  if (cpl != 3 || (load<u64>(cpu, CR4) & enabled) == 0) raiseGP(cpu);
  return true;
}

/** CLI. */
export function clearInterruptFlag(cpu: usize): void {
  const flag = masksVirtually(cpu) ? VIF : IF;
  store<u64>(cpu, load<u64>(cpu, RFLAGS) & ~flag, RFLAGS);
}

/** STI. True where interrupts come to be allowed after the next instruction. */
export function setInterruptFlag(cpu: usize): bool {
  const flags = load<u64>(cpu, RFLAGS);
  if (masksVirtually(cpu)) {
    if (flags & VIP) raiseGP(cpu);
    store<u64>(cpu, flags | VIF, RFLAGS);
    return false;
  }
  store<u64>(cpu, flags | IF, RFLAGS);
  return (flags & IF) == 0;
}

/**
 * INT n in virtual-8086 mode. True where the program's own handler has it, by the TSS's redirection bitmap; false
 * where the IDT's gate is to be taken. #GP(0) where the monitor has to do it.
 */
export function redirectInterrupt(cpu: usize, vector: u32): bool {
  const virtual = iopl(cpu) < 3;
  if ((load<u64>(cpu, CR4) & CR4_VME) == 0 || monitorHas(cpu, vector)) {
    if (virtual) raiseGP(cpu);
    return false;
  }
  // The vector table of the 8086 at linear address 0.
  const entry = sysRead32(cpu, vector * 4);
  const flags = getFlags(cpu);
  const sp = stackPointer(cpu);
  const mask = stackMask(cpu);
  stackWrite(cpu, (sp - 2) & mask, 2, virtual ? virtualFlags(flags) : flags);
  stackWrite(cpu, (sp - 4) & mask, 2, segSelector(cpu, CS));
  stackWrite(cpu, (sp - 6) & mask, 2, load<u64>(cpu, RIP));
  setStackPointer(cpu, sp - 6);
  realSegment(cpu, CS, entry >> 16);
  store<u64>(cpu, entry & 0xffff, RIP);
  setFlags(cpu, flags & ~(TF | RF | (virtual ? VIF : IF)));
  store<u32>(cpu, 0, STEP_TRAP);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
  return true;
}

// The vector's bit in the 32 bytes below the I/O permission bitmap.
function monitorHas(cpu: usize, vector: u32): bool {
  const tr = seg(cpu, TR);
  const limit = load<u32>(tr, SEG_LIMIT);
  if ((load<u32>(tr, SEG_ATTR) & 8) == 0 || limit < 103) raiseGP(cpu);
  const base = load<u64>(tr, SEG_BASE);
  const at = <u32>sysRead16(cpu, base + 102) - 32 + (vector >> 3);
  if (at > limit) raiseGP(cpu);
  return ((sysRead8(cpu, base + at) >> <u8>(vector & 7)) & 1) != 0;
}
