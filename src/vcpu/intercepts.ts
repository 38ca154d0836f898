/**
 * Which events make a vCPU leave `run` before they take effect. Xen PV, nested virtualization, the
 * audit and the debugger are built on these.
 */
export interface Intercepts {
  /** Bit v: exception v leaves instead of being delivered. */
  exceptions: number;
  syscall: boolean;
  sysenter: boolean;
  iret: boolean;
  softwareInterrupt: boolean;
  /** MOV to and from CR0, CR2, CR3, CR4, CR8; LMSW; CLTS. */
  controlRegisters: boolean;
  debugRegisters: boolean;
  msrRead: boolean;
  msrWrite: boolean;
  ports: boolean;
  /** VMCALL and VMMCALL; without it they raise #UD. */
  hypercall: boolean;
  cpuid: boolean;
  hlt: boolean;
  invlpg: boolean;
  rdtsc: boolean;
  /** LGDT, LIDT, LLDT, LTR and their stores. */
  descriptorTables: boolean;
  wbinvd: boolean;
  pause: boolean;
}

/** Bit numbers of the intercept mask in the vCPU's state block, by name. `exceptions` is a mask of its own. */
export const INTERCEPT_BITS: Record<Exclude<keyof Intercepts, "exceptions">, number> = {
  syscall: 0,
  sysenter: 1,
  iret: 2,
  softwareInterrupt: 3,
  controlRegisters: 4,
  debugRegisters: 5,
  msrRead: 6,
  msrWrite: 7,
  ports: 8,
  hypercall: 9,
  cpuid: 10,
  hlt: 11,
  invlpg: 12,
  rdtsc: 13,
  descriptorTables: 14,
  wbinvd: 15,
  pause: 16,
};
