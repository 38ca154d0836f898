/** The MSRs that belong to a vCPU's saved state, in the order in which they are restored. */
export const STATE_MSRS: readonly number[] = [
  0x1b, // APIC_BASE: first, because x2APIC MSRs depend on it
  0xc0000080, // EFER
  0xc0000081, // STAR
  0xc0000082, // LSTAR
  0xc0000083, // CSTAR
  0xc0000084, // FMASK
  0xc0000102, // KERNEL_GS_BASE
  0xc0000103, // TSC_AUX
  0x174, // SYSENTER_CS
  0x175, // SYSENTER_ESP
  0x176, // SYSENTER_EIP
  0x1a0, // MISC_ENABLE
  0x1d9, // DEBUGCTL
  0x277, // PAT
  0x2ff, // MTRR_DEF_TYPE
  ...range(0x200, 0x20f), // variable MTRRs
  0x250,
  0x258,
  0x259,
  ...range(0x268, 0x26f), // fixed MTRRs
  0x3b, // TSC_ADJUST
  0xda0, // XSS
  0x17a, // MCG_STATUS
  0x17b, // MCG_CTL
  0x400, // MC0_CTL to MC3_CTL: no error is ever reported in the banks' other registers
  0x404,
  0x408,
  0x40c,
  0xc0010010, // SYSCFG
  0xc0010015, // HWCR
  0xc0011029, // DE_CFG
  0xc0011020, // LS_CFG
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
