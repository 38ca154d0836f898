/**
 * The architectural state of a virtual CPU: one versioned value that every accelerator can give and
 * take between runs. Plain data; 64-bit values are bigint because nothing hot touches them here.
 */

export const VCPU_STATE_VERSION = 1;

/** A segment register with its hidden part. Intel SDM 3A 3.4.3. */
export interface SegmentState {
  selector: number;
  base: bigint;
  /** In bytes, granularity already applied. */
  limit: number;
  /** Descriptor bits 40-47 and 52-55 as VMX holds them: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
  attributes: number;
}

export interface DescriptorTableState {
  base: bigint;
  limit: number;
}

/** An event taken from its source but not yet delivered, or one that was being delivered. */
export interface PendingEvent {
  kind: "none" | "exception" | "interrupt" | "nmi" | "software";
  vector: number;
  errorCode: number | null;
  /** CR2 of a #PF, DR6 bits of a #DB, not yet written to the register. */
  payload: bigint | null;
}

/** x87, MMX, SSE and AVX registers. Vol. 1 chapters 8, 10, 13. */
export interface FpuState {
  fcw: number;
  fsw: number;
  /** Full tag word, two bits a register, in physical order. */
  ftw: number;
  fop: number;
  fip: bigint;
  fdp: bigint;
  fcs: number;
  fds: number;
  mxcsr: number;
  /** Physical registers R0-R7: 64-bit significand and 16-bit sign and exponent. */
  registers: { significand: bigint; signExponent: number }[];
  /** XMM0-XMM15: 32 bytes each, low half XMM, high half the upper part of YMM, as hex digits of bytes in memory order. */
  vectors: string[];
}

/** The local APIC's registers: the 4 KiB register page as KVM's `kvm_lapic_state` lays it out, and what the page does not show. */
export interface LocalApicState {
  /** 64 32-bit registers: register i is at offset i * 16 of the page. */
  registers: number[];
  /** TSC deadline (MSR 0x6e0); 0 when not armed. */
  tscDeadline: bigint;
  /**
   * Clock time in ns at which the timer count was last loaded, where the accelerator knows it exactly. null: the
   * current count register (0x39, which is right in every saved state) says where the timer is.
   */
  timerStart: number | null;
  /** With `timerStart`: time in ns at which the timer fires, or null for never. */
  timerDeadline: number | null;
  /** Errors that the next write to ESR brings into it; absent for none. */
  pendingErrors?: number;
}

/** `mwait`: in MWAIT, with {@link VcpuState.monitor} armed. */
export type RunState = "running" | "halted" | "wait-for-sipi" | "init-received" | "shutdown" | "mwait";

/** What MONITOR armed, until a store to it. */
export interface MonitorState {
  /** Guest-physical address of the line. */
  line: number;
  /** In MWAIT: an interrupt ends the wait, be it masked or not. */
  interrupts: boolean;
}

export interface VcpuState {
  version: typeof VCPU_STATE_VERSION;
  /** Hash of the CPU model the state was made under. */
  modelHash: string;
  /** RAX RCX RDX RBX RSP RBP RSI RDI R8-R15. */
  gpr: bigint[];
  rip: bigint;
  rflags: bigint;
  segments: {
    es: SegmentState;
    cs: SegmentState;
    ss: SegmentState;
    ds: SegmentState;
    fs: SegmentState;
    gs: SegmentState;
    ldtr: SegmentState;
    tr: SegmentState;
  };
  gdtr: DescriptorTableState;
  idtr: DescriptorTableState;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  cr8: bigint;
  xcr0: bigint;
  /** Rights of protection keys for user pages, WRPKRU's register; absent for 0. */
  pkru?: number;
  /** DR0-DR3, DR6, DR7. */
  dr: { dr0: bigint; dr1: bigint; dr2: bigint; dr3: bigint; dr6: bigint; dr7: bigint };
  /** PAE's page-directory-pointer registers, four. */
  pdptrs: bigint[];
  /** MSRs by index, those the model has. EFER, STAR, APIC_BASE and so on are here. The TSC is not. */
  msrs: Record<number, bigint>;
  fpu: FpuState;
  /** Interrupts held off for one instruction, and by what. */
  interruptShadow: "none" | "sti" | "mov-ss";
  nmiMasked: boolean;
  nmiPending: boolean;
  /** Another one waits behind the pending NMI; absent for none. */
  secondNmi?: boolean;
  /** Vector of a SIPI that arrived, or null. */
  sipiVector: number | null;
  runState: RunState;
  event: PendingEvent;
  /** DR6 bits of debug traps that MOV SS holds back; absent for none. */
  pendingDebug?: bigint;
  /** IGNNE# is asserted, for the x87 error that waits; absent for not. */
  ignoresFloatError?: true;
  /** A message told of the PIC's interrupt, which was not taken yet; absent for not. */
  picMessage?: boolean;
  /** Absent: not armed, or a store came. */
  monitor?: MonitorState;
  apic: LocalApicState;
  /** Guest TSC at the moment of saving, and ticks a second. */
  tsc: bigint;
  tscFrequency: number;
  /** Instructions retired since reset. */
  instructions: number;
  /** VMCS12 or VMCB12 and what belongs to it; null outside nested virtualization. */
  nested: string | null;
}

/** Names of the general registers in the order of `VcpuState.gpr`. */
export const GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;
