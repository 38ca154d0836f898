import type { CpuModel } from "./cpu-model.js";
import { type FeatureName, hasFeature } from "./features.js";

/** Which models have a register: those of a vendor, or with a feature; null for all. */
type Owner = CpuModel["vendor"] | FeatureName | null;

/** The MSRs that belong to a vCPU's saved state. APIC_BASE comes first, because x2APIC MSRs depend on it. */
const STATE_MSRS: readonly (readonly [Owner, ...numbers: number[]])[] = [
  ["apic", 0x1b],
  [null, 0xc0000080], // EFER
  ["syscall", 0xc0000081], // STAR
  ["lm", 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102], // LSTAR, CSTAR, FMASK, KERNEL_GS_BASE
  ["rdtscp", 0xc0000103], // TSC_AUX
  ["sep", 0x174, 0x175, 0x176], // SYSENTER_CS, ESP, EIP
  ["intel", 0x1a0], // MISC_ENABLE
  [null, 0x1d9], // DEBUGCTL
  ["pat", 0x277], // PAT
  ["mtrr", 0x2ff], // MTRR_DEF_TYPE
  ["mtrr", ...range(0x200, 0x20f)], // variable MTRRs
  ["mtrr", 0x250, 0x258, 0x259, ...range(0x268, 0x26f)], // fixed MTRRs
  ["tsc_adjust", 0x3b],
  ["xsaves", 0xda0], // XSS
  ["pks", 0x6e1], // PKRS
  ["mca", 0x17a, 0x17b], // MCG_STATUS, MCG_CTL
  ["mca", ...range(0x400, 0x40f)], // four banks of CTL, STATUS, ADDR, MISC
  ["amd", 0xc0010010, 0xc0010015], // SYSCFG, HWCR
  ["amd", 0xc0011020, 0xc0011029], // LS_CFG, DE_CFG
];

/** Of these, those that a CPU model has. */
export function stateMsrs(model: CpuModel): number[] {
  const has = (owner: Owner) => {
    if (owner === null || owner === "amd" || owner === "intel") return owner === null || owner === model.vendor;
    return hasFeature(model.features, owner);
  };
  return STATE_MSRS.flatMap(([owner, ...numbers]) => (has(owner) ? numbers : []));
}

/**
 * Registers by which software tunes a CPU without seeing a difference: a CPU that has none like them takes a state
 * over all the same.
 */
export const TUNING_MSRS: ReadonlySet<number> = new Set([0xc0011020, 0xc0011029]);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
