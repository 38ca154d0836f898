// Model-specific registers. What is not here raises #GP. Intel SDM vol. 4; AMD APM vol. 2 appendix A.
import {
  CPL, CR0, FS, GS, INTERRUPT_CHECK, MCE_BANKS, MCG_CTL, MCG_STATUS, MSR_APIC_BASE, MSR_CSTAR, MSR_DEBUGCTL,
  MSR_EFER, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_LSTAR, MSR_MISC_ENABLE, MSR_MTRR_DEF_TYPE, MSR_PAT, MSR_SPARE,
  MSR_STAR, MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_SYSENTER_ESP, MSR_TSC_ADJUST, MSR_TSC_AUX, MSR_XSS, MTRR_FIXED,
  MTRR_VARIABLE, PKRS, SCRATCH, SEG_BASE, 
} from "../layout";
import {
  FEATURE_APIC, FEATURE_FFXSR, FEATURE_LM, FEATURE_MCA, FEATURE_MTRR, FEATURE_NX, FEATURE_PAT,
  FEATURE_PKS, FEATURE_RDPID, FEATURE_RDTSCP, FEATURE_SEP, FEATURE_SYSCALL, FEATURE_TSC_ADJUST,
  FEATURE_TSC_DEADLINE, FEATURE_X2APIC, FEATURE_XSAVES,
} from "../feature-bits";
import {
  apicBaseValid, apicMsrReadable, apicReadMsr, apicRearmTscDeadline, apicSetBase, apicSetTscDeadline, apicTscDeadline,
  apicWriteMsr,
} from "./lapic";
import { has, isIntel, physicalMask } from "./cpu-features";
import { CR0_PG, EFER_FFXSR, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE } from "./mode";
import { canonicalBase, flushTlb, keysChanged } from "./mmu";
import { seg } from "./segments";
import { tscNow, tscSet } from "./tsc";

// AMD's registers without a meaning here: stored in MSR_SPARE, 8 bytes each, in this order.
const SPARE_SYSCFG: usize = 0;
export const SPARE_HWCR: usize = 1;
const HWCR_STATUS_WRITE: u64 = 1 << 18;
const SPARE_DE_CFG: usize = 2;
const SPARE_LS_CFG: usize = 3;

/** Intel IA32_MISC_ENABLE: MONITOR and MWAIT exist. AMD HWCR: they do not, they do outside ring 0 too. */
const MISC_ENABLE_MONITOR: u64 = 1 << 18;
const HWCR_NO_MONITOR: u64 = 1 << 9;
const HWCR_USER_MONITOR: u64 = 1 << 10;

export let msrValue: u64 = 0;

/** Whether MONITOR and MWAIT are switched on. CPUID says the same. */
export function monitorEnabled(cpu: usize): bool {
  if (isIntel(cpu)) return (load<u64>(cpu, MSR_MISC_ENABLE) & MISC_ENABLE_MONITOR) != 0;
  return (load<u64>(cpu + MSR_SPARE, SPARE_HWCR * 8) & HWCR_NO_MONITOR) == 0;
}

/** Whether the running program may use MONITOR and MWAIT; else they are #UD. */
export function monitorPermitted(cpu: usize): bool {
  if (!monitorEnabled(cpu)) return false;
  if (load<u32>(cpu, CPL) == 0) return true;
  return !isIntel(cpu) && (load<u64>(cpu + MSR_SPARE, SPARE_HWCR * 8) & HWCR_USER_MONITOR) != 0;
}

function isAmd(cpu: usize): bool {
  return !isIntel(cpu);
}

/** Which place in the state block a plainly stored MSR has, or 0. */
function plain(cpu: usize, index: u32): usize {
  switch (index) {
    case 0x174:
      return has(cpu, FEATURE_SEP) ? MSR_SYSENTER_CS : 0;
    case 0x175:
      return has(cpu, FEATURE_SEP) ? MSR_SYSENTER_ESP : 0;
    case 0x176:
      return has(cpu, FEATURE_SEP) ? MSR_SYSENTER_EIP : 0;
    case 0x17a:
      return has(cpu, FEATURE_MCA) ? MCG_STATUS : 0;
    case 0x17b:
      return has(cpu, FEATURE_MCA) ? MCG_CTL : 0;
    case 0x1a0:
      return isAmd(cpu) ? 0 : MSR_MISC_ENABLE;
    case 0x1d9:
      return MSR_DEBUGCTL;
    case 0x277:
      return has(cpu, FEATURE_PAT) ? MSR_PAT : 0;
    case 0xc0000081:
      return has(cpu, FEATURE_SYSCALL) ? MSR_STAR : 0;
    case 0xc0000082:
      return has(cpu, FEATURE_LM) ? MSR_LSTAR : 0;
    case 0xc0000083:
      return has(cpu, FEATURE_LM) ? MSR_CSTAR : 0;
    case 0xc0000084:
      return has(cpu, FEATURE_LM) ? MSR_FMASK : 0;
    case 0xc0000102:
      return has(cpu, FEATURE_LM) ? MSR_KERNEL_GS_BASE : 0;
    case 0xc0000103:
      return has(cpu, FEATURE_RDTSCP) || has(cpu, FEATURE_RDPID) ? MSR_TSC_AUX : 0;
    case 0xda0:
      return has(cpu, FEATURE_XSAVES) ? MSR_XSS : 0;
    case 0xc0010010:
      return isAmd(cpu) ? MSR_SPARE + SPARE_SYSCFG * 8 : 0;
    case 0xc0010015:
      return isAmd(cpu) ? MSR_SPARE + SPARE_HWCR * 8 : 0;
    case 0xc0011029:
      return isAmd(cpu) ? MSR_SPARE + SPARE_DE_CFG * 8 : 0;
    case 0xc0011020:
      return isAmd(cpu) ? MSR_SPARE + SPARE_LS_CFG * 8 : 0;
    default:
      if (index >= 0x200 && index <= 0x2ff) return has(cpu, FEATURE_MTRR) ? memoryType(index) : 0;
      // Machine check: four banks of CTL, STATUS, ADDR, MISC.
      if (index >= 0x400 && index < 0x410) return has(cpu, FEATURE_MCA) ? MCE_BANKS + (index - 0x400) * 8 : 0;
      return 0;
  }
}

// The place of an MTRR.
function memoryType(index: u32): usize {
  if (index <= 0x20f) return MTRR_VARIABLE + (index - 0x200) * 8;
  if (index >= 0x268 && index <= 0x26f) return MTRR_FIXED + 24 + (index - 0x268) * 8;
  switch (index) {
    case 0x250:
      return MTRR_FIXED;
    case 0x258:
      return MTRR_FIXED + 8;
    case 0x259:
      return MTRR_FIXED + 16;
    case 0x2ff:
      return MSR_MTRR_DEF_TYPE;
    default:
      return 0;
  }
}

/** Reads an MSR into msrValue; false where there is none (#GP). */
export function readMsrValue(cpu: usize, index: u32): bool {
  const place = plain(cpu, index);
  if (place != 0) {
    msrValue = load<u64>(cpu + place);
    return true;
  }
  msrValue = 0;
  switch (index) {
    case 0x10:
      msrValue = tscNow(cpu);
      return true;
    case 0x1b:
      msrValue = load<u64>(cpu, MSR_APIC_BASE);
      return has(cpu, FEATURE_APIC);
    case 0x3b:
      msrValue = load<u64>(cpu, MSR_TSC_ADJUST);
      return has(cpu, FEATURE_TSC_ADJUST);
    case 0x8b: // microcode revision: AMD's in the low half
      msrValue = isAmd(cpu) ? 0x08001250 : 0;
      return true;
    case 0xfe: // MTRR_CAP: fixed ranges, write combining, 8 variable ranges
      msrValue = 0x508;
      return has(cpu, FEATURE_MTRR);
    case 0x179: // MCG_CAP: four banks, MCG_CTL
      msrValue = 0x104;
      return has(cpu, FEATURE_MCA);
    case 0xce:
    case 0x17:
    case 0x2a:
      // Intel: platform info, platform id, power-on configuration.
      return !isAmd(cpu);
    case 0x3a: // FEATURE_CONTROL: locked, nothing enabled
      msrValue = 1;
      return !isAmd(cpu);
    case 0x6e0:
      msrValue = apicTscDeadline(cpu);
      return has(cpu, FEATURE_TSC_DEADLINE);
    case 0x6e1:
      msrValue = <u64>load<u32>(cpu, PKRS);
      return has(cpu, FEATURE_PKS);
    case 0xc0000080:
      msrValue = load<u64>(cpu, MSR_EFER);
      return has(cpu, FEATURE_NX) || has(cpu, FEATURE_SYSCALL) || has(cpu, FEATURE_LM);
    case 0xc0000100:
      msrValue = load<u64>(seg(cpu, FS), SEG_BASE);
      return has(cpu, FEATURE_LM);
    case 0xc0000101:
      msrValue = load<u64>(seg(cpu, GS), SEG_BASE);
      return has(cpu, FEATURE_LM);
    case 0xc001001f: // NB_CFG
    case 0xc0010055: // interrupt pending message
    case 0xc0010058: // MMIO configuration base
    case 0xc0010140: // OSVW: no errata
    case 0xc0010141:
    case 0xc0010064: // P-state 0
    case 0xc0011022: // DC_CFG
    case 0xc0011023: // BU_CFG
    case 0xc0011021: // IC_CFG
    case 0xc001102a:
    case 0xc001102c:
    case 0xc001001a: // tops of memory: the MTRRs say it all
    case 0xc001001d:
    case 0xc0010112: // SMM base and masks: no SMM
    case 0xc0010113:
      return isAmd(cpu);
    case 0xc0010114: // VM_CR: SVM disabled and locked
      msrValue = 0x18;
      return isAmd(cpu);
    default:
      if (index >= 0xc0010000 && index <= 0xc0010007) return isAmd(cpu); // K7 performance counters: off
      if (index >= 0xc0010200 && index <= 0xc001020b) return isAmd(cpu);
      if (index >= 0x800 && index < 0x900) {
        if (!apicMsrReadable(cpu, index)) return false;
        msrValue = apicReadMsr(cpu, index);
        return true;
      }
      return false;
  }
}

// Memory types that exist: 0, 1, 4, 5, 6 and, in PAT, 7.
function typesValid(value: u64, pat: bool): bool {
  for (let i: u64 = 0; i < 64; i += 8) {
    const type = (value >> i) & 0xff;
    if (type > 7 || type == 2 || type == 3 || (type == 7 && !pat)) return false;
  }
  return true;
}

function allOrNothing(value: u64): bool {
  return value == 0 || value == ~(<u64>0);
}

// A machine-check bank's CTL is all ones or zeros on Intel; STATUS can only be cleared, but under AMD's HWCR.McStatusWrEn.
function bankTakes(cpu: usize, register: u32, value: u64): bool {
  if (register == 0) return isAmd(cpu) || allOrNothing(value);
  if (register != 1 || value == 0) return true;
  return isAmd(cpu) && (load<u64>(cpu + MSR_SPARE, SPARE_HWCR * 8) & HWCR_STATUS_WRITE) != 0;
}

/** Writes an MSR; false where there is none or it does not take the value (#GP). */
export function writeMsrValue(cpu: usize, index: u32, value: u64): bool {
  switch (index) {
    case 0x277:
      if (!typesValid(value, true)) return false;
      break;
    case 0x2ff:
      if ((value & ~(<u64>0xcff)) != 0 || !typesValid(value & 0xff, false)) return false;
      break;
    case 0x174:
      value &= 0xffffffff;
      break;
    case 0x175:
    case 0x176:
    case 0xc0000082:
    case 0xc0000083:
    case 0xc0000102:
      if (!canonicalBase(cpu, value)) return false;
      break;
    case 0xc0000103:
      if (value >> 32 != 0) return false;
      break;
    case 0xc0000084:
      value &= 0xffffffff;
      break;
    case 0x1d9:
      if ((value & ~(<u64>0xffff)) != 0) return false;
      break;
    case 0xda0:
      if (value != 0) return false;
      break;
    case 0x17b:
      if (isIntel(cpu) && !allOrNothing(value)) return false;
      break;
    default:
      if (index >= 0x250 && index <= 0x26f && plain(cpu, index) != 0 && !typesValid(value, false)) return false;
      if (index >= 0x200 && index <= 0x20f) {
        const allowed = index & 1 ? (physicalMask(cpu) & ~(<u64>0xfff)) | 0x800 : (physicalMask(cpu) & ~(<u64>0xfff)) | 0xff;
        if ((value & ~allowed) != 0 || ((index & 1) == 0 && !typesValid(value & 0xff, false))) return false;
      }
      if (index >= 0x400 && index < 0x410 && !bankTakes(cpu, index & 3, value)) return false;
  }
  const place = plain(cpu, index);
  if (place != 0) {
    store<u64>(cpu + place, value);
    return true;
  }
  switch (index) {
    case 0x10: {
      const old = tscNow(cpu);
      tscSet(cpu, value);
      store<u64>(cpu, load<u64>(cpu, MSR_TSC_ADJUST) + (value - old), MSR_TSC_ADJUST);
      apicRearmTscDeadline(cpu);
      return true;
    }
    case 0x1b:
      if (!has(cpu, FEATURE_APIC) || !apicBaseValid(cpu, value, physicalMask(cpu), has(cpu, FEATURE_X2APIC))) return false;
      apicSetBase(cpu, value);
      flushTlb(cpu);
      return true;
    case 0x3b: {
      if (!has(cpu, FEATURE_TSC_ADJUST)) return false;
      const delta = value - load<u64>(cpu, MSR_TSC_ADJUST);
      tscSet(cpu, tscNow(cpu) + delta);
      store<u64>(cpu, value, MSR_TSC_ADJUST);
      apicRearmTscDeadline(cpu);
      return true;
    }
    case 0x8b:
      return true;
    case 0x79: // microcode update: none is taken
    case 0xc0010020:
      return isAmd(cpu) == (index == 0xc0010020);
    case 0x6e0:
      if (!has(cpu, FEATURE_TSC_DEADLINE)) return false;
      apicSetTscDeadline(cpu, value);
      return true;
    case 0x6e1: {
      if (!has(cpu, FEATURE_PKS) || value >> 32 != 0) return false;
      const changed = load<u32>(cpu, PKRS) ^ <u32>value;
      store<u32>(cpu, <u32>value, PKRS);
      if (changed != 0) keysChanged(cpu, changed);
      return true;
    }
    case 0xc0000080:
      return writeEfer(cpu, value);
    case 0xc0000100:
      if (!has(cpu, FEATURE_LM) || !canonicalBase(cpu, value)) return false;
      store<u64>(seg(cpu, FS), value, SEG_BASE);
      return true;
    case 0xc0000101:
      if (!has(cpu, FEATURE_LM) || !canonicalBase(cpu, value)) return false;
      store<u64>(seg(cpu, GS), value, SEG_BASE);
      return true;
    case 0xc001001f:
    case 0xc0010055:
    case 0xc0010140:
    case 0xc0010141:
    case 0xc0011021:
    case 0xc0011022:
    case 0xc0011023:
      return isAmd(cpu);
    default:
      if (index >= 0xc0010000 && index <= 0xc0010007) return isAmd(cpu);
      if (index >= 0xc0010200 && index <= 0xc001020b) return isAmd(cpu);
      if (index >= 0x800 && index < 0x900) {
        store<u32>(cpu, 1, INTERRUPT_CHECK);
        return apicWriteMsr(cpu, index, value);
      }
      return false;
  }
}

function writeEfer(cpu: usize, value: u64): bool {
  let allowed: u64 = 0;
  if (has(cpu, FEATURE_SYSCALL)) allowed |= EFER_SCE;
  if (has(cpu, FEATURE_LM)) allowed |= EFER_LME | EFER_LMA;
  if (has(cpu, FEATURE_NX)) allowed |= EFER_NXE;
  if (has(cpu, FEATURE_FFXSR)) allowed |= EFER_FFXSR;
  const old = load<u64>(cpu, MSR_EFER);
  if (allowed == 0 || (value & ~allowed) != 0) return false;
  // LMA is the processor's; LME may not change while paging is on.
  if (((old ^ value) & EFER_LME) != 0 && (load<u64>(cpu, CR0) & CR0_PG) != 0) return false;
  const now = (value & ~EFER_LMA) | (old & EFER_LMA);
  store<u64>(cpu, now, MSR_EFER);
  if (((old ^ now) & EFER_NXE) != 0) flushTlb(cpu);
  return true;
}

/** For the host: the value passes through SCRATCH. */
export function readMsr(cpu: usize, index: u32): i32 {
  if (!readMsrValue(cpu, index)) return 0;
  store<u64>(cpu, msrValue, SCRATCH);
  return 1;
}

/** For the host, which restores a state: EFER's LMA and the TSC's companions are taken as they are. */
export function writeMsr(cpu: usize, index: u32): i32 {
  const value = load<u64>(cpu, SCRATCH);
  if (index == 0xc0000080) {
    store<u64>(cpu, value, MSR_EFER);
    return 1;
  }
  if (index == 0x1b) {
    store<u64>(cpu, value, MSR_APIC_BASE);
    return 1;
  }
  if (index == 0x3b) {
    store<u64>(cpu, value, MSR_TSC_ADJUST);
    return 1;
  }
  return writeMsrValue(cpu, index, value) ? 1 : 0;
}
