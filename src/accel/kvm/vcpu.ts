/** A vCPU of KVM behind the accelerator contract. */
import {
  AcceleratorError,
  type DebugControl,
  type InterruptMessage,
  type RunLimits,
  type Vcpu,
  type VcpuCounters,
  type VcpuExit,
  type VcpuOptions,
} from "../../vcpu/accelerator.js";
import { modelHash } from "../../vcpu/cpu-model.js";
import { type CpuidLeaf, cpuidTable } from "../../vcpu/cpuid.js";
import type { Intercepts } from "../../vcpu/intercepts.js";
import { VCPU_STATE_VERSION, type VcpuState } from "../../vcpu/state.js";
import { checkState } from "../../vcpu/state-check.js";
import { stateMsrs, TUNING_MSRS } from "../../vcpu/state-msrs.js";
import * as api from "./api.js";
import { RUN } from "./api.js";
import { debugControl } from "./guest-debug.js";
import { EAGAIN, EINTR, errno, libc, systemError } from "./libc.js";
import { RunPage } from "./run-page.js";
import { RunTimer } from "./run-timer.js";
import * as registers from "./vcpu-state.js";
import { VcpuThread } from "./vcpu-thread.js";
import type { KvmVm } from "./vm.js";

const MSR_EFER = 0xc0000080;
const MSR_APIC_BASE = 0x1b;
const MSR_TSC = 0x10;
const MSR_TSC_DEADLINE = 0x6e0;
/** HWCR of AMD: the TSC counts at the P0 frequency, or Linux does not trust it. */
const MSR_HWCR = 0xc0010015;
const HWCR_TSC_FREQ_SEL = 1n << 24n;
const APIC_LINT0 = 0x35;
const LVT_MASKED = 0x10000;
const FCW_AT_RESET = 0x40;
/** All registers are zero, and not empty. */
const FTW_AT_RESET = 0x5555;
const PAGE_FAULT = 14;
const DEBUG_EXCEPTION = 1;
/** Parts per million by which a saved TSC's rate may differ from the host's: KVM's own tolerance. */
const TSC_TOLERANCE = 250e-6;
/** Exits served in a row before the caller gets a turn. */
const EXITS_A_TURN = 64;
/** Two to this power runs go to the vCPU's own thread, at most, before the caller's thread is tried again. */
const MAX_FAILURES = 6;
const SHORTEST_PERIOD = 1;
const LONGEST_PERIOD = 8;
/** A limited run looks this often (ms, growing) whether the vCPU has halted, and gives up after LONGEST_RUN. */
const FIRST_LOOK = 1;
const LAST_LOOK = 50;
const LONGEST_RUN = 20_000;

export class KvmVcpu implements Vcpu {
  readonly id: number;
  /** KVM does not count instructions. */
  readonly instructions = 0;
  private readonly fd: number;
  private readonly page: RunPage;
  private readonly thread: VcpuThread;
  private readonly exits: Record<string, number> = {};
  private readonly resetState: VcpuState;
  private readonly tscFrequency: number;
  private readonly msrs: readonly number[];
  private running = false;
  private closed = false;
  private extInt = false;
  /** The caller wants `run` to return. */
  private kicked = false;
  /** A limited run wants to know whether the vCPU has halted. */
  private lookForHalt = false;
  /** The last exit's instruction ends when KVM_RUN is entered again. */
  private unfinished = false;
  private pausedTsc: bigint | null = null;
  /** Runs in a row that were no use on the caller's thread, and how many are left to the vCPU's own for that. */
  private failures = 0;
  private runsElsewhere = 0;
  /** How long (ms) the caller's thread stays away at most. Grows where it is too short for a single exit. */
  private period = SHORTEST_PERIOD;

  constructor(
    private readonly vm: KvmVm,
    private readonly options: VcpuOptions,
  ) {
    this.id = options.id;
    this.msrs = stateMsrs(options.model);
    this.fd = libc().ioctl(vm.fd, api.KVM_CREATE_VCPU, options.id);
    if (this.fd < 0) throw systemError("ACCELERATOR_UNAVAILABLE", `KVM_CREATE_VCPU ${options.id}`);
    try {
      this.page = new RunPage(vm.device, this.fd);
    } catch (error) {
      libc().close(this.fd);
      throw error;
    }
    this.thread = VcpuThread.acquire();
    try {
      this.tscFrequency = this.setTscFrequency(options.tscFrequency);
      const leaves = this.setCpuid();
      this.resetState = this.afterReset(leaves);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  run(limits: RunLimits): VcpuExit | Promise<VcpuExit> {
    if (this.running) throw new AcceleratorError("ACCELERATOR_DEFECT", "the vCPU runs already");
    const alone = this.options.count === 1 && isUnlimited(limits);
    if (alone && --this.runsElsewhere < 0) {
      const exit = this.runHere();
      if (exit !== null) return this.left(exit);
    }
    for (let count = 0; count < EXITS_A_TURN; count++) {
      if (!this.enter()) return this.left({ reason: "budget" });
      const result = this.thread.poll();
      if (result === null) return this.waitForExit(limits, alone ? 1 : EXITS_A_TURN);
      const exit = this.leave(result);
      if (exit !== null) return this.left(exit);
    }
    return this.left({ reason: "budget" });
  }

  completeAccess(): void {
    throw new AcceleratorError("ACCELERATOR_DEFECT", "a vCPU of KVM performs its accesses itself: none is open");
  }

  kick(): void {
    this.kicked = true;
    this.interruptRun();
  }

  setExtInt(level: boolean): void {
    this.extInt = level;
    if (level) this.interruptRun();
  }

  interrupt(message: InterruptMessage): boolean {
    return this.vm.deliver({ ...message, destination: this.id, destinationMode: "physical", shorthand: "none" });
  }

  /** Only between runs: KVM finds the targets of messages itself, see `KvmVm.deliver`. */
  matches(message: InterruptMessage): boolean {
    const apic = registers.getApic(this.ioctl);
    const x2apic = ((this.readMsr(MSR_APIC_BASE) ?? 0n) & 0x400n) !== 0n;
    return apicMatches(apic, x2apic, this.id, message);
  }

  priority(): number {
    return registers.getApic(this.ioctl)[8] ?? 0;
  }

  nmi(): void {
    this.interrupt({ ...NMI, destination: this.id });
  }

  /** The kernel runs the timer. */
  timerDeadline(): number | null {
    return null;
  }

  hasPendingWork(): boolean {
    return this.extInt;
  }

  getState(): VcpuState {
    this.finishInstruction();
    const { efer, apicBase, pdptrs, ...system } = registers.getSystem(this.ioctl);
    const msrs: Record<number, bigint> = {};
    for (const index of this.msrs) {
      const value = this.readMsr(index);
      if (value !== null) msrs[index] = value;
    }
    msrs[MSR_EFER] = efer;
    msrs[MSR_APIC_BASE] = apicBase;
    return {
      version: VCPU_STATE_VERSION,
      modelHash: modelHash(this.options.model),
      ...registers.getRegisters(this.ioctl),
      ...system,
      pdptrs: pdptrs ?? this.vm.directoryPointers(system.cr3),
      xcr0: registers.getXcr0(this.ioctl),
      dr: registers.getDebugRegisters(this.ioctl),
      msrs,
      fpu: registers.getFpu(this.ioctl),
      ...registers.getEvents(this.ioctl),
      runState: registers.getRunState(this.ioctl),
      apic: {
        registers: registers.getApic(this.ioctl),
        tscDeadline: this.readMsr(MSR_TSC_DEADLINE) ?? 0n,
        timerStart: null,
        timerDeadline: null,
      },
      tsc: this.pausedTsc ?? this.readMsr(MSR_TSC) ?? 0n,
      tscFrequency: this.tscFrequency,
      instructions: 0,
      nested: null,
    };
  }

  setState(state: VcpuState): void {
    this.checkState(state);
    const before = this.getState();
    try {
      this.applyState(state);
    } catch (error) {
      this.applyState(before);
      throw new AcceleratorError(
        "STATE_MISMATCH",
        `this host's KVM does not take the vCPU's state: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  reset(): void {
    this.extInt = false;
    this.applyState(this.resetState);
  }

  setIntercepts(intercepts: Partial<Intercepts>): void {
    const asked = Object.entries(intercepts).filter(([, value]) => value !== false && value !== 0);
    if (asked.length > 0) {
      throw new AcceleratorError(
        "UNIMPLEMENTED_FEATURE",
        `KVM cannot intercept ${asked.map(([name]) => name).join(", ")}`,
      );
    }
  }

  setDebug(control: DebugControl | null): void {
    this.finishInstruction();
    this.ioctl(api.KVM_SET_GUEST_DEBUG, debugControl(control), "KVM_SET_GUEST_DEBUG");
  }

  translate(linear: bigint): number | null {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt.asUintN(64, linear), true);
    this.ioctl(api.KVM_TRANSLATE, bytes, "KVM_TRANSLATE");
    return view.getUint8(16) !== 0 ? Number(view.getBigUint64(8, true)) : null;
  }

  counters(): VcpuCounters {
    return { instructions: 0, exits: { ...this.exits }, details: {} };
  }

  /** The guest's TSC stands still until `resumeTime`. */
  pauseTime(): void {
    this.pausedTsc = this.readMsr(MSR_TSC);
  }

  resumeTime(): void {
    const tsc = this.pausedTsc;
    this.pausedTsc = null;
    if (tsc !== null) this.writeMsr(MSR_TSC, tsc);
  }

  close(): void {
    if (this.closed) return;
    this.kick();
    this.closed = true;
    const giveBack = () => {
      this.page.close();
      libc().close(this.fd);
      this.thread.release();
    };
    if (!this.running) {
      giveBack();
      return;
    }
    void this.thread.wait().then(giveBack);
  }

  // ---- Running.

  /**
   * Runs on this thread while the guest leaves often: an exit then costs no word between threads. Null when it has
   * stayed inside for a while, computing or halted: that is for the vCPU's own thread. For machines of one vCPU:
   * others could not run meanwhile.
   */
  private runHere(): VcpuExit | null {
    const timer = RunTimer.ofThread();
    timer.arm(this.period);
    try {
      for (let count = 0; count < EXITS_A_TURN; count++) {
        if (!this.prepare()) break;
        const result = libc().ioctl(this.fd, api.KVM_RUN, 0) < 0 ? -errno() : 0;
        const exit = this.leave(result);
        if (exit !== null) return exit;
        if (result === -EINTR) {
          this.failures = count === 0 ? Math.min(MAX_FAILURES, this.failures + 1) : 0;
          if (count === 0) this.period = Math.min(LONGEST_PERIOD, this.period * 2);
          this.runsElsewhere = (1 << this.failures) - 1;
          return null;
        }
      }
    } finally {
      timer.disarm();
    }
    this.failures = 0;
    this.period = Math.max(SHORTEST_PERIOD, this.period / 2);
    return { reason: "budget" };
  }

  /** Lets the thread enter the guest. False when the caller wants `run` to return instead. */
  private enter(): boolean {
    if (!this.prepare()) return false;
    this.thread.start(this.fd);
    return true;
  }

  private prepare(): boolean {
    this.page.setU8(RUN.immediateExit, 0);
    if (this.kicked || this.closed) {
      this.kicked = false;
      return false;
    }
    this.injectExtInt();
    this.running = true;
    return true;
  }

  /** What KVM_RUN came back with: an exit for the caller, or null to enter again. */
  private leave(result: number): VcpuExit | null {
    this.running = false;
    if (this.closed) return { reason: "budget" };
    this.page.drainRing(this.options.bus);
    if (result === -EINTR || result === -EAGAIN) {
      this.unfinished = false;
      this.count("signal");
      return this.lookForHalt ? this.halted() : null;
    }
    if (result < 0) return defect(systemError("ACCELERATOR_DEFECT", "KVM_RUN", -result));
    return this.serve(this.page.u32(RUN.exitReason));
  }

  /** Serves up to `exits` of them. */
  private async waitForExit(limits: RunLimits, exits: number): Promise<VcpuExit> {
    const limit = new RunLimit(limits, this.options.clock.now(), () => {
      this.lookForHalt = true;
      this.interruptRun();
    });
    try {
      for (let count = 1; ; count++) {
        const exit = this.leave(await this.thread.wait());
        if (exit !== null) return this.left(exit);
        if (count === exits || limit.isOver() || !this.enter()) return this.left({ reason: "budget" });
      }
    } finally {
      limit.close();
      this.lookForHalt = false;
    }
  }

  private left(exit: VcpuExit): VcpuExit {
    this.count(exit.reason);
    return exit;
  }

  private count(reason: string): void {
    this.exits[reason] = (this.exits[reason] ?? 0) + 1;
  }

  /** Makes KVM_RUN return soon, and one that is about to be entered at once. */
  private interruptRun(): void {
    if (this.closed || !this.running) return;
    this.page.setU8(RUN.immediateExit, 1);
    this.thread.kick();
  }

  private halted(): VcpuExit | null {
    this.lookForHalt = false;
    return registers.getRunState(this.ioctl) === "halted" ? { reason: "halt", deadline: null } : null;
  }

  // With a split irqchip the PIC is ours: its vector goes in when KVM says that the guest takes one.
  private injectExtInt(): void {
    const { page } = this;
    page.setU8(RUN.requestInterruptWindow, 0);
    if (!this.extInt) return;
    if (page.u8(RUN.readyForInterrupt) === 0) {
      page.setU8(RUN.requestInterruptWindow, 1);
      return;
    }
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.options.bus.acknowledgePic(), true);
    this.ioctl(api.KVM_INTERRUPT, bytes, "KVM_INTERRUPT");
  }

  private serve(reason: number): VcpuExit | null {
    const { page } = this;
    const { bus } = this.options;
    switch (reason) {
      case api.KVM_EXIT_IO:
        this.count("io");
        this.unfinished = true;
        page.performIo(bus);
        return null;
      case api.KVM_EXIT_MMIO:
        this.count("mmio");
        this.unfinished = true;
        page.performMmio(bus);
        return null;
      case api.KVM_EXIT_HLT:
        return { reason: "halt", deadline: null };
      case api.KVM_EXIT_IRQ_WINDOW_OPEN:
        this.count("interrupt-window");
        return null;
      case api.KVM_EXIT_INTR:
        return null;
      case api.KVM_EXIT_IOAPIC_EOI:
        this.count("ioapic-eoi");
        bus.endOfInterrupt(page.u8(RUN.eoiVector));
        return null;
      case api.KVM_EXIT_SHUTDOWN:
        return { reason: "shutdown" };
      case api.KVM_EXIT_DEBUG:
        return this.debugExit();
      case api.KVM_EXIT_HYPERCALL:
        return { reason: "hypercall" };
      case api.KVM_EXIT_FAIL_ENTRY:
        return this.refused(`the CPU does not enter the guest: reason 0x${page.u64(RUN.failReason).toString(16)}`);
      case api.KVM_EXIT_INTERNAL_ERROR:
        return this.internalError();
      default:
        return this.refused(`KVM left with reason ${reason}`);
    }
  }

  private internalError(): VcpuExit {
    const { page } = this;
    const suberror = page.u32(RUN.internalSuberror);
    if (suberror !== EMULATION_FAILURE) return this.refused(`KVM cannot go on: internal error ${suberror}`);
    const { rip } = registers.getRegisters(this.ioctl);
    const error = new AcceleratorError(
      "UNIMPLEMENTED_INSTRUCTION",
      `KVM's emulator does not have the instruction at 0x${rip.toString(16)}: ${this.bytesAt(rip)}`,
    );
    return { reason: "internal-error", error };
  }

  private bytesAt(rip: bigint): string {
    const { segments } = registers.getSystem(this.ioctl);
    const bytes: string[] = [];
    for (let index = 0n; index < 15n; index++) {
      const gpa = this.translate(segments.cs.base + rip + index);
      const byte = gpa === null ? null : this.vm.byteAt(gpa);
      if (byte === null) break;
      bytes.push(byte.toString(16).padStart(2, "0"));
    }
    return bytes.join(" ");
  }

  private refused(message: string): VcpuExit {
    return defect(new AcceleratorError("ACCELERATOR_DEFECT", message));
  }

  private debugExit(): VcpuExit {
    const { page } = this;
    const address = page.u64(RUN.debugPc);
    const dr6 = Number(page.u64(RUN.debugDr6) & 0xffffn);
    if (dr6 & 0x4000) return { reason: "debug", cause: "step", address };
    const hit = [0, 1, 2, 3].find((index) => dr6 & (1 << index));
    const dr7 = Number(page.u64(RUN.debugDr7) & 0xffffffffn);
    const kind = hit === undefined ? 0 : (dr7 >>> (16 + hit * 4)) & 3;
    if (kind === 0) return { reason: "debug", cause: "breakpoint", address };
    return { reason: "debug", cause: "watchpoint", address, access: kind === 1 ? "write" : "read" };
  }

  /** Ends the instruction whose access was the last exit: KVM does that when it is entered, and then leaves at once. */
  private finishInstruction(): void {
    if (!this.unfinished) return;
    this.unfinished = false;
    this.page.setU8(RUN.immediateExit, 1);
    libc().ioctl(this.fd, api.KVM_RUN, 0);
    this.page.setU8(RUN.immediateExit, 0);
  }

  // ---- State.

  private checkState(state: VcpuState): void {
    checkState(state, this.options.model);
    const refuse = (reason: string) => {
      throw new AcceleratorError("STATE_MISMATCH", reason);
    };
    if (state.runState === "shutdown") refuse("the vCPU has shut down");
    if (state.pendingDebug) refuse("MOV SS holds a debug trap back");
    if (Math.abs(state.tscFrequency / this.tscFrequency - 1) > TSC_TOLERANCE) {
      refuse(
        `the guest's TSC runs at ${megahertz(state.tscFrequency)}, here it would at ${megahertz(this.tscFrequency)}`,
      );
    }
  }

  private applyState(state: VcpuState): void {
    this.unfinished = false;
    this.pausedTsc = null;
    const { event } = state;
    const payload = event.kind === "exception" ? event.payload : null;
    const faultAddress = event.vector === PAGE_FAULT ? payload : null;
    const debugBits = event.vector === DEBUG_EXCEPTION ? payload : null;
    registers.setSystem(this.ioctl, {
      ...state,
      cr2: faultAddress ?? state.cr2,
      efer: state.msrs[MSR_EFER] ?? 0n,
      apicBase: state.msrs[MSR_APIC_BASE] ?? 0xfee00900n,
    });
    registers.setRegisters(this.ioctl, state);
    registers.setXcr0(this.ioctl, state.xcr0);
    registers.setFpu(this.ioctl, state.fpu, state.xcr0);
    registers.setDebugRegisters(this.ioctl, { ...state.dr, dr6: state.dr.dr6 | (debugBits ?? 0n) });
    this.writeMsr(MSR_TSC, state.tsc);
    for (const [index, value] of Object.entries(state.msrs)) {
      if (Number(index) !== MSR_EFER && Number(index) !== MSR_APIC_BASE) this.loadMsr(Number(index), value);
    }
    registers.setApic(this.ioctl, state.apic.registers);
    if (state.apic.tscDeadline !== 0n) this.writeMsr(MSR_TSC_DEADLINE, state.apic.tscDeadline);
    registers.setRunState(this.ioctl, state.runState === "shutdown" ? "running" : state.runState);
    registers.setEvents(this.ioctl, state);
    // The run page tells whether the guest takes an interrupt now; KVM writes it when KVM_RUN returns.
    this.unfinished = true;
    this.finishInstruction();
  }

  /** A fresh vCPU of KVM, and where the manuals' table (Intel SDM 3A 10-1) says otherwise. */
  private afterReset(leaves: readonly CpuidLeaf[]): VcpuState {
    const state = this.getState();
    // RDX holds the processor's signature.
    state.gpr[2] = BigInt(leaves.find(({ leaf }) => leaf === 1)?.eax ?? 0);
    if (this.id !== 0) state.runState = "wait-for-sipi";
    // KVM's is as FNINIT leaves it.
    state.fpu.fcw = FCW_AT_RESET;
    state.fpu.ftw = FTW_AT_RESET;
    // KVM opens LINT0 to the PIC, as firmware would.
    state.apic.registers[APIC_LINT0] = LVT_MASKED;
    if (this.msrs.includes(MSR_HWCR) && this.writeMsr(MSR_HWCR, HWCR_TSC_FREQ_SEL)) {
      state.msrs[MSR_HWCR] = HWCR_TSC_FREQ_SEL;
    }
    return state;
  }

  private readMsr(index: number): bigint | null {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 1, true);
    view.setUint32(8, index, true);
    return libc().ioctlBuffer(this.fd, api.KVM_GET_MSRS, bytes) === 1 ? view.getBigUint64(16, true) : null;
  }

  private writeMsr(index: number, value: bigint): boolean {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 1, true);
    view.setUint32(8, index, true);
    view.setBigUint64(16, value, true);
    return libc().ioctlBuffer(this.fd, api.KVM_SET_MSRS, bytes) === 1;
  }

  private loadMsr(index: number, value: bigint): void {
    if (this.writeMsr(index, value)) return;
    // What this host does not have and the guest never used, or what cannot be set and is the same here.
    if (value === 0n || this.readMsr(index) === value || TUNING_MSRS.has(index)) return;
    throw new AcceleratorError("STATE_MISMATCH", `MSR 0x${index.toString(16)} does not take 0x${value.toString(16)}`);
  }

  private setTscFrequency(wanted: number | undefined): number {
    const kilohertz = libc().ioctl(this.fd, api.KVM_GET_TSC_KHZ, 0);
    if (kilohertz <= 0) throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_GET_TSC_KHZ");
    const host = kilohertz * 1000;
    if (wanted === undefined || Math.abs(wanted / host - 1) <= TSC_TOLERANCE) return host;
    if (libc().ioctl(this.fd, api.KVM_SET_TSC_KHZ, Math.round(wanted / 1000)) < 0) {
      throw new AcceleratorError(
        "STATE_MISMATCH",
        `the guest's TSC is to run at ${megahertz(wanted)}, this host's runs at ${megahertz(host)} and its KVM cannot scale it; ` +
          `boot with --tsc-frequency ${host} to be able to move here`,
      );
    }
    return Math.round(wanted / 1000) * 1000;
  }

  private setCpuid(): CpuidLeaf[] {
    const { model, id, count } = this.options;
    const leaves = cpuidTable(model, { id, count, tscHertz: this.tscFrequency });
    const bytes = new Uint8Array(8 + leaves.length * 40);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, leaves.length, true);
    leaves.forEach((leaf, index) => {
      const at = 8 + index * 40;
      const significant = leaf.subleaf === null ? 0 : 1;
      [leaf.leaf, leaf.subleaf ?? 0, significant, leaf.eax, leaf.ebx, leaf.ecx, leaf.edx].forEach((word, field) => {
        view.setUint32(at + field * 4, word, true);
      });
    });
    this.ioctl(api.KVM_SET_CPUID2, bytes, "KVM_SET_CPUID2");
    return leaves;
  }

  private readonly ioctl: registers.VcpuIoctl = (request, bytes, what) => {
    if (libc().ioctlBuffer(this.fd, request, bytes) < 0) throw systemError("ACCELERATOR_DEFECT", what);
  };
}

function isUnlimited({ instructions, deadline }: RunLimits): boolean {
  return instructions === Number.POSITIVE_INFINITY && deadline === undefined;
}

/** When a limited run ends, and when it is worth a look whether the vCPU has halted: KVM waits in HLT by itself. */
class RunLimit {
  private readonly end: number;
  private timer: NodeJS.Timeout | undefined;
  private wait = FIRST_LOOK;

  constructor(
    limits: RunLimits,
    now: number,
    private readonly look: () => void,
  ) {
    const { deadline } = limits;
    if (isUnlimited(limits)) {
      this.end = Number.POSITIVE_INFINITY;
      return;
    }
    const left = deadline === undefined ? LONGEST_RUN : Math.max(0, (deadline - now) / 1e6);
    this.end = performance.now() + left;
    this.arm();
  }

  isOver(): boolean {
    return performance.now() >= this.end;
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private arm(): void {
    this.timer = setTimeout(
      () => {
        this.look();
        this.wait = Math.min(LAST_LOOK, this.wait * 2);
        this.arm();
      },
      Math.min(this.wait, Math.max(0, this.end - performance.now())),
    );
  }
}

/** KVM_INTERNAL_ERROR_EMULATION. */
const EMULATION_FAILURE = 1;

const NMI: InterruptMessage = {
  destination: 0,
  destinationMode: "physical",
  deliveryMode: "nmi",
  vector: 0,
  triggerMode: "edge",
  level: true,
  shorthand: "none",
};

function defect(error: AcceleratorError): VcpuExit {
  return { reason: "internal-error", error };
}

function megahertz(hertz: number): string {
  return `${(hertz / 1e6).toFixed(3)} MHz`;
}

/** Whether a local APIC is meant by a message. SDM vol. 3A 11.6.2. */
function apicMatches(page: readonly number[], x2apic: boolean, id: number, message: InterruptMessage): boolean {
  const { destination, destinationMode } = message;
  if (destination === 0xffffffff || destination === 0xff) return true;
  const logical = page[13] ?? 0;
  if (destinationMode === "physical") return destination === id;
  if (x2apic) return logical >>> 16 === destination >>> 16 && (logical & destination & 0xffff) !== 0;
  const own = logical >>> 24;
  const flat = (page[14] ?? 0) >>> 28 === 15;
  return flat ? (own & destination & 0xff) !== 0 : own >> 4 === destination >> 4 && (own & destination & 15) !== 0;
}
