// Power-on, RESET and INIT. Intel SDM vol. 3A table 9-1.
import {
  CC_OP, CPL, CR0, CR2, CR3, CR4, CR8, CS, CUR_REC, DEBUG_PENDING, DELIVERING, DR, EXC_PENDING, EXIT_REASON, EXTINT, EXTINT_MESSAGE, FCW,
  FSW, FTW, GDTR_BASE, GDTR_LIMIT, GPR, IDTR_BASE, IDTR_LIMIT, LDTR, MSR_APIC_BASE, MSR_DEBUGCTL, MSR_EFER,
  FPU_PENDING, IGNNE, MSR_MTRR_DEF_TYPE, MSR_PAT, MSR_TSC_AUX, MXCSR, NMI_MASKED, NMI_PENDING, PKRS, PKRU, RFLAGS, RIP, RUN_STATE, SEG_ATTR, SEG_BASE,
  SEG_LIMIT, SEG_SELECTOR, MONITOR_LINE, SHADOW, SIPI_VECTOR, ST, TR, TSC_OFFSET, VCPU_ID, XCR0, XMM, MSR_MISC_ENABLE, MTRR_FIXED,
  REPEATING, STEP_TRAP, EMPTY_PAGE, ARENA_NEXT, MACHINE_BLOCK, MCE_BANKS, MCG_CTL, MSR_SPARE, MSR_STAR, MSR_TSC_ADJUST, MSR_XSS, NO_TLB,
  TLB_ENTRIES, TLB_ENTRY_BYTES,
} from "../layout";
import { FEATURE_APIC, FEATURE_MONITOR } from "../feature-bits";
import { emptyCodeCache } from "./blocks";
import { has } from "./cpu-features";
import { apicInit, apicReset } from "./lapic";
import { refreshAll } from "./mode";
import { resetMmu } from "./mmu";
import { SPARE_HWCR } from "./msr";
import { seg } from "./segments";
import { signatureOf } from "./cpuid";

const BASE_BSP: u64 = 1 << 8;
const BASE_ENABLE: u64 = 1 << 11;

function setSegment(cpu: usize, number: u32, selector: u32, base: u64, attributes: u32): void {
  const at = seg(cpu, number);
  store<u32>(at, selector, SEG_SELECTOR);
  store<u64>(at, base, SEG_BASE);
  store<u32>(at, 0xffff, SEG_LIMIT);
  store<u32>(at, attributes, SEG_ATTR);
}

// What RESET and INIT have in common.
function common(cpu: usize): void {
  memory.fill(cpu + GPR, 0, 128);
  store<u64>(cpu, signatureOf(cpu), GPR + 2 * 8);
  store<u64>(cpu, 2, RFLAGS);
  store<u32>(cpu, 0, CC_OP);
  store<u64>(cpu, 0xfff0, RIP);
  setSegment(cpu, CS, 0xf000, 0xffff0000, 0x9b);
  for (let number: u32 = 0; number < 6; number++) if (number != CS) setSegment(cpu, number, 0, 0, 0x93);
  setSegment(cpu, LDTR, 0, 0, 0x82);
  setSegment(cpu, TR, 0, 0, 0x8b);
  store<u64>(cpu, 0, GDTR_BASE);
  store<u32>(cpu, 0xffff, GDTR_LIMIT);
  store<u64>(cpu, 0, IDTR_BASE);
  store<u32>(cpu, 0xffff, IDTR_LIMIT);
  store<u64>(cpu, 0, CR2);
  store<u64>(cpu, 0, CR3);
  store<u64>(cpu, 0, CR4);
  store<u64>(cpu, 0, MSR_EFER);
  memory.fill(cpu + DR, 0, 64);
  store<u64>(cpu, 0xffff0ff0, DR + 48);
  store<u64>(cpu, 0x400, DR + 56);
  store<u32>(cpu, 0, CPL);
  store<u32>(cpu, 0, SHADOW);
  store<u32>(cpu, 0, STEP_TRAP);
  store<u64>(cpu, 0, DEBUG_PENDING);
  store<u32>(cpu, 0, REPEATING);
  store<u32>(cpu, 0, NMI_MASKED);
  store<u32>(cpu, 0, NMI_PENDING);
  store<u32>(cpu, 0, EXC_PENDING);
  store<u32>(cpu, 0, DELIVERING);
  store<u32>(cpu, 0xffffffff, SIPI_VECTOR);
  store<u32>(cpu, 0, MONITOR_LINE);
  store<u32>(cpu, 0, EXTINT_MESSAGE);
}

/** Power-on: the bootstrap processor (vCPU 0) runs at the reset vector, the others wait for SIPI. */
export function resetVcpu(cpu: usize): void {
  if (load<u32>(MACHINE_BLOCK, ARENA_NEXT) == 0) {
    emptyCodeCache();
    memory.fill(EMPTY_PAGE, 0xff, 4096);
    memory.fill(NO_TLB, 0xff, TLB_ENTRIES * TLB_ENTRY_BYTES);
  }
  store<u32>(cpu, 0, CUR_REC);
  store<u32>(cpu, 0, EXIT_REASON);
  store<u32>(cpu, 0, EXTINT);
  store<u32>(cpu, 0, IGNNE);
  common(cpu);
  store<u64>(cpu, 0x60000010, CR0);
  store<u64>(cpu, 1, XCR0);
  store<u32>(cpu, 0, PKRU);
  store<u32>(cpu, 0, PKRS);
  store<u64>(cpu, 0x0007040600070406, MSR_PAT);
  store<u64>(cpu, 0, MSR_MTRR_DEF_TYPE);
  memory.fill(cpu + MTRR_FIXED, 0, 88 + 128);
  memory.fill(cpu + MSR_STAR, 0, MSR_PAT - MSR_STAR);
  store<u64>(cpu, 0, MSR_TSC_AUX);
  store<u64>(cpu, 0, MSR_XSS);
  store<u64>(cpu, 0, MSR_TSC_ADJUST);
  memory.fill(cpu + MSR_SPARE, 0, MTRR_FIXED - MSR_SPARE);
  // AMD HWCR: the TSC counts at the P0 frequency.
  store<u64>(cpu + MSR_SPARE, 1 << 24, SPARE_HWCR * 8);
  memory.fill(cpu + MCE_BANKS, 0, MCG_CTL + 8 - MCE_BANKS);
  store<u64>(cpu, 0, CR8);
  // Fast strings, and MONITOR where the model has it.
  store<u64>(cpu, has(cpu, FEATURE_MONITOR) ? 0x40001 : 1, MSR_MISC_ENABLE);
  store<u64>(cpu, 0, MSR_DEBUGCTL);
  store<u64>(cpu, 0, TSC_OFFSET);
  const first = load<u32>(cpu, VCPU_ID) == 0;
  // Without a local APIC, interrupts go to the CPU as with one that is disabled.
  const enable: u64 = has(cpu, FEATURE_APIC) ? BASE_ENABLE : 0;
  store<u64>(cpu, 0xfee00000 | enable | (first ? BASE_BSP : 0), MSR_APIC_BASE);
  store<u32>(cpu, first ? 0 : 2, RUN_STATE);
  apicReset(cpu);
  store<u32>(cpu, 0x40, FCW);
  store<u32>(cpu, 0, FSW);
  store<u32>(cpu, 0, FPU_PENDING);
  store<u32>(cpu, 0x5555, FTW);
  store<u32>(cpu, 0x1f80, MXCSR);
  memory.fill(cpu + ST, 0, 128);
  memory.fill(cpu + XMM, 0, 512);
  resetMmu(cpu);
  refreshAll(cpu);
}

/** INIT: like RESET, but caches, x87, SSE, most MSRs and the APIC's id stay. The bootstrap processor starts anew. */
export function initVcpu(cpu: usize): void {
  const cr0 = load<u64>(cpu, CR0);
  common(cpu);
  // CD and NW keep their values.
  store<u64>(cpu, 0x10 | (cr0 & 0x60000000), CR0);
  apicInit(cpu);
  const first = (load<u64>(cpu, MSR_APIC_BASE) & BASE_BSP) != 0;
  store<u32>(cpu, first ? 0 : 2, RUN_STATE);
  resetMmu(cpu);
  refreshAll(cpu);
}

/** SIPI: starts at vector * 4 KiB in real mode. */
export function startVcpu(cpu: usize, vector: u32): void {
  setSegment(cpu, CS, vector << 8, <u64>vector << 12, 0x9b);
  store<u64>(cpu, 0, RIP);
  store<u32>(cpu, 0xffffffff, SIPI_VECTOR);
  store<u32>(cpu, 0, RUN_STATE);
  refreshAll(cpu);
}
