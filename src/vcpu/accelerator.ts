/**
 * The accelerator contract, shaped after KVM's: an accelerator makes vCPUs for a machine, a vCPU runs
 * until there is a reason to leave and says which. Interpreter, translator and KVM implement it; the
 * machine, its devices, the loaders and the tests know nothing else.
 */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { CpuModel } from "./cpu-model.js";
import type { Intercepts } from "./intercepts.js";
import type { VcpuState } from "./state.js";

/** What the vCPU's instructions and interrupt logic reach outside of it: the machine's side. */
export interface VcpuBus {
  /** `size` is 1, 2 or 4; unsigned. */
  portRead(port: number, size: number): number;
  portWrite(port: number, size: number, value: number): void;
  /** Guest-physical addresses outside every writable slot. `size` is 1, 2 or 4; wider accesses come as several. */
  mmioRead(gpa: number, size: number): number;
  mmioWrite(gpa: number, size: number, value: number): void;
  /** The PIC's interrupt acknowledge cycle: returns the vector. */
  acknowledgePic(): number;
  /** A level-triggered vector was ended in a local APIC: IOAPICs look for it. */
  endOfInterrupt(vector: number): void;
  /** FERR#: an x87 error waits while CR0.NE is clear, and the vCPU with it, for an interrupt. IRQ 13 on a PC. */
  floatError?(): void;
  /** A vCPU sends an interrupt by its local APIC's ICR; the machine finds the targets and calls `interrupt` on them. */
  sendIpi(message: InterruptMessage, from: number): void;
}

/** The machine's clock as a vCPU sees it. */
export interface VcpuClock {
  /** `icount`: time is instructions retired, and `run` must count exactly. */
  readonly mode: "real" | "icount";
  /** Nanoseconds since power-on. In icount mode it follows from the vCPUs' instruction counts. */
  now(): number;
}

/** The destination of a message for every local APIC. Where a destination has 8 bits, its 0xff means this. */
export const BROADCAST = 0xffff_ffff;

/** An interrupt on the way to local APICs, from an MSI, an IOAPIC or an ICR. */
export interface InterruptMessage {
  /** APIC id, or logical destination; {@link BROADCAST} for everybody. */
  destination: number;
  destinationMode: "physical" | "logical";
  deliveryMode: "fixed" | "lowest" | "smi" | "nmi" | "init" | "startup" | "extint";
  vector: number;
  triggerMode: "edge" | "level";
  /** False only for the INIT level de-assert. */
  level: boolean;
  shorthand: "none" | "self" | "all" | "others";
}

export interface VcpuOptions {
  /** Index, and the initial APIC id. */
  id: number;
  /** How many vCPUs the machine has. */
  count: number;
  model: CpuModel;
  bus: VcpuBus;
  clock: VcpuClock;
  /** Guest TSC's ticks a second. Default: what the accelerator does best (1 GHz, or the host's own rate under KVM). */
  tscFrequency?: number;
  /** 32 random bits for RDRAND and RDSEED; without it the host's generator. A deterministic machine passes a seeded one. */
  random?: () => number;
}

export interface RunLimits {
  /**
   * Leave after this many instructions: exactly with an icount clock, never more where the accelerator counts, as a
   * hint elsewhere.
   */
  instructions: number;
  /** Leave at this clock time (ns) at the latest, or a little after it. */
  deadline?: number;
}

/** Why a vCPU left `run`. */
export type VcpuExit =
  /** The budget or the deadline was reached, `kick` was called, or (yielded) the guest executed PAUSE while another vCPU waits for its turn. */
  | { reason: "budget"; yielded?: true }
  /** HLT (or MWAIT): nothing to do until an interrupt, or `deadline` of the vCPU's own timer (ns; null: none). */
  | { reason: "halt"; deadline: number | null }
  /** An access that this accelerator leaves to its caller: perform it, hand a read's value to `completeAccess`, run again. */
  | { reason: "io"; port: number; size: number; write: boolean; value: number }
  | { reason: "mmio"; gpa: number; size: number; write: boolean; value: number }
  /** Triple fault. */
  | { reason: "shutdown" }
  | { reason: "hypercall" }
  /** An event of the intercept mask; the instruction has not executed; RIP is at it. */
  | {
      reason: "intercept";
      event: keyof Intercepts;
      instructionLength: number;
      detail: number;
      errorCode: number | null;
    }
  /** Breakpoint (address in RIP), watchpoint (its address and kind) or a finished single step. */
  | { reason: "debug"; cause: "breakpoint" | "watchpoint" | "step"; address: bigint; access?: "read" | "write" }
  /** Something the accelerator does not implement, or a defect in it. The machine stops with it. */
  | { reason: "internal-error"; error: AcceleratorError };

export type AcceleratorErrorCode =
  | "UNIMPLEMENTED_INSTRUCTION"
  | "UNIMPLEMENTED_FEATURE"
  | "ACCELERATOR_UNAVAILABLE"
  | "ACCELERATOR_DEFECT"
  | "STATE_MISMATCH";

export class AcceleratorError extends Error {
  override readonly name = "AcceleratorError";
  constructor(
    readonly code: AcceleratorErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What a debugger asks of a vCPU. Addresses are linear. */
export interface DebugControl {
  singleStep: boolean;
  breakpoints: readonly bigint[];
  watchpoints: readonly { address: bigint; size: number; access: "write" | "read" | "access" }[];
}

/** Counters since creation, for `--stats`. All are monotonic. */
export interface VcpuCounters {
  instructions: number;
  /** Exits by reason, and the accelerator's own kinds. */
  exits: Record<string, number>;
  /** What else the accelerator counts: blocks decoded, TLB misses, invalidations... */
  details: Record<string, number>;
}

export interface Vcpu {
  readonly id: number;
  /** Instructions retired since reset; right also when read from inside a bus access. */
  readonly instructions: number;
  /**
   * Runs until there is a reason to leave. Interpreter and translator answer at once, KVM by a promise.
   * Interrupts from `interrupt`, `nmi` and `setExtInt` are taken inside.
   */
  run(limits: RunLimits): VcpuExit | Promise<VcpuExit>;
  /** The value of the read that the last `io` or `mmio` exit asked for. */
  completeAccess(value: number): void;
  /** Makes a `run` under way leave soon with `budget`. May be called from inside a bus access. */
  kick(): void;
  /** The PIC's INTR wire, at LINT0. */
  setExtInt(level: boolean): void;
  /** IGNNE#: the x87 error that waits is not reported any more, until it is cleared. Not under KVM, which has no such pin. */
  ignoreFloatErrors?(): void;
  /** A message arrives at this vCPU's local APIC; true when this APIC accepts it as a destination. */
  interrupt(message: InterruptMessage): boolean;
  /** Whether this APIC matches the destination (for lowest priority and shorthands). */
  matches(message: InterruptMessage): boolean;
  /** For lowest priority delivery: the vCPU with the lowest value gets it. */
  priority(): number;
  /** An edge on the NMI wire, at LINT1. */
  nmi(): void;
  /** Time (ns) at which the local APIC's timer or TSC deadline wants to fire, or null. */
  timerDeadline(): number | null;
  /** Whether something would wake the vCPU from HLT now. */
  hasPendingWork(): boolean;
  getState(): VcpuState;
  /** Throws AcceleratorError STATE_MISMATCH before anything changed where the state cannot be taken. */
  setState(state: VcpuState): void;
  /** Power-on state; the bootstrap processor runs at the reset vector, the others wait for SIPI. */
  reset(): void;
  setIntercepts(intercepts: Partial<Intercepts>): void;
  setDebug(control: DebugControl | null): void;
  /** Linear to guest-physical by the current page tables, without side effects; null where not mapped. */
  translate(linear: bigint): number | null;
  counters(): VcpuCounters;
  /** Gives back what the vCPU holds. It must not be used afterwards. */
  close(): void;
}

/** Guest pages written since they were last asked for: one bit a page of the wasm memory, from ROM_OFFSET on. */
export interface DirtyLog {
  /** The pages written since the last call, by vCPUs or through GuestMemory; they count as clean from now on. */
  collect(): Uint8Array;
  stop(): void;
}

/** A write by the guest that wakes a device without making the vCPU leave, as KVM's ioeventfd. */
export interface DoorbellWindow {
  space: "ports" | "memory";
  address: number;
  /** 1, 2, 4 or 8: only writes of this size ring. */
  size: number;
  /** Only writes of this value ring. */
  value?: bigint;
}

/** What an accelerator holds for one machine: its vCPUs have the machine's memory in common. */
export interface AcceleratorVm {
  /** Throws AcceleratorError. */
  createVcpu(options: VcpuOptions): Vcpu;
  /** Where the accelerator finds the local APICs that a message is for by itself: true when one took it. */
  readonly deliver?: (message: InterruptMessage) => boolean;
  /** An IOAPIC's pin got another message (null: masked): an accelerator may have to know which vectors end level-triggered interrupts. */
  readonly routeIoapicPin?: (pin: number, message: InterruptMessage | null) => void;
  /** Writes to this window may reach its device late, in their order, and at the next exit at the latest. */
  readonly coalesce?: (space: "ports" | "memory", address: number, size: number) => void;
  /** Rings `ring` on the device thread when the guest writes there. The result takes the doorbell away. */
  readonly addDoorbell?: (window: DoorbellWindow, ring: () => void) => () => void;
  /** A wire from outside the device thread to an MSI: writing 8 bytes of a number to the descriptor sends it. */
  readonly addInterruptDescriptor?: (message: InterruptMessage) => { descriptor: number; close(): void };
  /** One log at a time. Throws UNIMPLEMENTED_FEATURE where the accelerator has none. */
  startDirtyLog(): DirtyLog;
  /** The guest's time stands still between the two; no vCPU runs. */
  readonly pauseTime?: () => void;
  readonly resumeTime?: () => void;
  /** Gives back what the VM holds, its vCPUs included. */
  close(): void;
}

export interface Accelerator {
  readonly name: "interpret" | "translate" | "kvm" | "fake";
  /** vCPUs run on threads of their own, side by side: they take no turns, count no instructions and wait in HLT by themselves. */
  readonly parallel: boolean;
  /** The model less the features that this accelerator does not have on this host. */
  offer(model: CpuModel): CpuModel;
  /** Throws AcceleratorError. */
  createVm(memory: GuestMemory): AcceleratorVm;
}
