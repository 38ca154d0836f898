/** A vCPU that the interpreter runs: the contract's side of a state block in wasm memory. */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import type {
  DebugControl,
  InterruptMessage,
  RunLimits,
  Vcpu,
  VcpuCounters,
  VcpuExit,
  VcpuOptions,
} from "../../vcpu/accelerator.js";
import { AcceleratorError } from "../../vcpu/accelerator.js";
import { modelHash } from "../../vcpu/cpu-model.js";
import { cpuidTable } from "../../vcpu/cpuid.js";
import type { Intercepts } from "../../vcpu/intercepts.js";
import { INTERCEPT_BITS } from "../../vcpu/intercepts.js";
import type { MonitorState, VcpuState } from "../../vcpu/state.js";
import { checkState } from "../../vcpu/state-check.js";
import { stateMsrs } from "../../vcpu/state-msrs.js";
import type { Core, CoreHost } from "./core-module.js";
import * as L from "./layout.js";
import { StateBlock } from "./state-block.js";
import { UNWIND } from "./translator/guards.js";

/** Offset of a record's number in its block: REC_SEQ of core/record.ts. */
const REC_SEQ = 26;
/** The guest's TSC, unless told otherwise: a tick is a nanosecond of the machine's clock. */
const TSC_HERTZ = 1_000_000_000;
const DELIVERY_MODES = ["fixed", "lowest", "smi", "reserved", "nmi", "init", "startup", "extint"] as const;
const SHORTHANDS = ["none", "self", "all", "others"] as const;
const COUNTER_LABELS = [
  "blocksDecoded",
  "tlbMisses",
  "codeInvalidations",
  "exceptions",
  "interrupts",
  "systemCalls",
  "portAccesses",
  "mmioAccesses",
  "codeArenaFlushes",
  "cr3Writes",
  "tlbFlushes",
  "regionRuns",
  "regionInstructions",
  "regionExitsPending",
  "regionExitsUnknownBlock",
  "regionExitsColdBlock",
  "regionExitsLeave",
  "regionExitsFault",
  "regionSlowReads",
  "regionSlowWrites",
  "regionSystemOperations",
] as const;

/** Register of the local APIC's page. */
const APIC_TIMER_CURRENT = 0x39;

/** Faults in a row without an instruction retired after which `run` leaves. */
const MAX_FAULTS = 2000;

export class CoreVcpu implements Vcpu {
  readonly id: number;
  private readonly cpu: number;
  private readonly block: StateBlock;
  private readonly exits: Record<string, number> = {};
  private running = false;
  /** Ticks a second. */
  private tscFrequency: number;

  constructor(
    private readonly core: Core,
    private readonly memory: GuestMemory,
    private readonly options: VcpuOptions,
    /** What else `counters` tells of the machine. */
    private readonly machineCounters: () => Record<string, number> = () => ({}),
  ) {
    this.id = options.id;
    this.tscFrequency = options.tscFrequency ?? TSC_HERTZ;
    this.cpu = core.attach(options.id, this.host());
    this.block = new StateBlock(core.view, memory.bytes, this.cpu);
    this.writeModel();
    this.reset();
  }

  /** Instructions retired since reset, also right in the middle of a bus access. */
  get instructions(): number {
    // The budget is charged when a block ends; a record has its place in its block.
    const record = this.block.u32(L.CUR_REC);
    const inBlock = record === 0 ? 0 : this.core.view.getUint8(record + REC_SEQ);
    return this.block.count(L.RETIRED) + this.block.count(L.BUDGET) - this.block.count(L.REMAINING) + inBlock;
  }

  run(limits: RunLimits): VcpuExit {
    const { block, cpu } = this;
    const core = this.core.exports;
    block.setCount(L.RETIRED, this.instructions);
    const budget = Math.max(0, Math.floor(limits.instructions));
    block.setCount(L.BUDGET, budget);
    block.setCount(L.REMAINING, budget);
    block.setU32(L.EXIT_REASON, L.EXIT_NONE);
    block.setU32(L.EXIT_REQUEST, 0);
    block.setU32(L.YIELDED, 0);
    // A clock of the host's does not depend on where a run ends.
    const endsEarly = this.options.clock.mode === "real" && budget >= 2 * L.REGION_BUDGET;
    block.setU32(L.ENDS_EARLY, endsEarly ? 1 : 0);
    core.pollTimers(cpu);
    this.running = true;
    let progress = this.instructions;
    let faults = 0;
    try {
      do {
        try {
          core.run(cpu);
        } catch (error) {
          if (error !== UNWIND) throw error;
          core.settle(cpu);
        }
        if (block.u32(L.EXIT_REASON) !== L.EXIT_NONE) break;
        // A guest whose handlers fault at their first instruction retires none, and must not keep its host.
        const now = this.instructions;
        if (now !== progress) faults = 0;
        else if (++faults > MAX_FAULTS) block.setU32(L.EXIT_REASON, L.EXIT_BUDGET);
        progress = now;
      } while (block.u32(L.EXIT_REASON) === L.EXIT_NONE);
    } finally {
      this.running = false;
    }
    const exit = this.exit(block.u32(L.EXIT_REASON));
    this.exits[exit.reason] = (this.exits[exit.reason] ?? 0) + 1;
    return exit;
  }

  completeAccess(): void {
    throw new AcceleratorError("ACCELERATOR_DEFECT", "the interpreter performs its accesses itself: none is open");
  }

  kick(): void {
    if (this.running) this.block.setU32(L.EXIT_REQUEST, 1);
  }

  setExtInt(level: boolean): void {
    this.core.exports.apicLint0(this.cpu, level ? 1 : 0);
  }

  ignoreFloatErrors(): void {
    this.block.setU32(L.IGNNE, 1);
  }

  interrupt(message: InterruptMessage): boolean {
    if (!message.level && message.deliveryMode === "init") return true;
    const mode = DELIVERY_MODES.indexOf(message.deliveryMode);
    return this.core.exports.apicAccept(this.cpu, message.vector, mode, message.triggerMode === "level" ? 1 : 0) !== 0;
  }

  matches(message: InterruptMessage): boolean {
    return (
      this.core.exports.apicMatches(this.cpu, message.destination, message.destinationMode === "logical" ? 1 : 0) !== 0
    );
  }

  priority(): number {
    return this.core.exports.apicPriority(this.cpu);
  }

  nmi(): void {
    this.core.exports.apicNmi(this.cpu);
  }

  timerDeadline(): number | null {
    const deadline = this.core.exports.apicTimerDeadline(this.cpu);
    return Number.isFinite(deadline) ? deadline : null;
  }

  hasPendingWork(): boolean {
    return this.core.exports.hasPendingWork(this.cpu) !== 0;
  }

  getState(): VcpuState {
    this.core.exports.materializeFlags(this.cpu);
    const msrs: Record<number, bigint> = {};
    for (const index of stateMsrs(this.options.model)) {
      const value = this.readMsr(index);
      if (value !== null) msrs[index] = value;
    }
    const state = this.block.read();
    state.apic.registers[APIC_TIMER_CURRENT] = this.core.exports.apicTimerCount(this.cpu) >>> 0;
    const monitor = this.monitored();
    return {
      ...state,
      ...(monitor === null ? {} : { monitor }),
      modelHash: modelHash(this.options.model),
      msrs,
      tsc: this.readMsr(0x10) ?? 0n,
      tscFrequency: this.tscFrequency,
      instructions: this.instructions,
    };
  }

  setState(state: VcpuState): void {
    checkState(state, this.options.model);
    const before = this.getState();
    try {
      this.applyState(state);
    } catch (error) {
      this.applyState(before);
      throw error;
    }
  }

  private applyState(state: VcpuState): void {
    this.block.write(state);
    for (const [index, value] of Object.entries(state.msrs)) this.loadMsr(Number(index), value);
    this.block.setCount(L.RETIRED, state.instructions);
    this.block.setCount(L.BUDGET, 0);
    this.block.setCount(L.REMAINING, 0);
    if (state.tscFrequency !== this.tscFrequency) {
      this.tscFrequency = state.tscFrequency;
      this.writeModel();
    }
    this.block.setU64(L.SCRATCH, state.tsc);
    this.core.exports.loadTsc(this.cpu);
    this.block.writeApic(state);
    if (state.apic.timerStart === null) this.core.exports.apicResumeTimer(this.cpu);
    this.core.exports.stateLoaded(this.cpu);
    this.loadMonitor(state);
  }

  reset(): void {
    this.core.exports.resetVcpu(this.cpu);
  }

  setIntercepts(intercepts: Partial<Intercepts>): void {
    let mask = 0;
    for (const [name, bit] of Object.entries(INTERCEPT_BITS)) {
      if (intercepts[name as keyof typeof INTERCEPT_BITS]) mask |= 1 << bit;
    }
    this.block.setU32(L.INTERCEPTS, mask >>> 0);
    this.block.setU32(L.INTERCEPT_EXCEPTIONS, (intercepts.exceptions ?? 0) >>> 0);
  }

  setDebug(control: DebugControl | null): void {
    const breakpoints = control?.breakpoints ?? [];
    const watchpoints = control?.watchpoints ?? [];
    if (breakpoints.length > L.MAX_BREAKPOINTS || watchpoints.length > L.MAX_WATCHPOINTS) {
      throw new RangeError(
        `at most ${L.MAX_BREAKPOINTS} breakpoints and ${L.MAX_WATCHPOINTS} watchpoints can be set on a vCPU`,
      );
    }
    this.block.setU32(L.DEBUG_STEP, control?.singleStep ? 1 : 0);
    breakpoints.forEach((address, index) => {
      this.block.setU64(L.DEBUG_BP + index * 8, address);
    });
    watchpoints.forEach((point, index) => {
      const at = L.DEBUG_WP + index * 16;
      this.block.setU64(at, point.address);
      this.block.setU32(at + 8, point.size);
      this.block.setU32(at + 12, point.access === "write" ? 1 : point.access === "read" ? 2 : 3);
    });
    this.block.setU32(L.DEBUG_BREAKPOINTS, breakpoints.length);
    this.block.setU32(L.DEBUG_WATCHPOINTS, watchpoints.length);
    this.core.exports.stateLoaded(this.cpu);
  }

  translate(linear: bigint): number | null {
    const gpa = this.core.exports.translateLinear(this.cpu, BigInt.asUintN(64, linear));
    return gpa < 0 ? null : gpa;
  }

  counters(): VcpuCounters {
    const details: Record<string, number> = {};
    COUNTER_LABELS.forEach((label, index) => {
      details[label] = this.block.count(L.COUNTERS + index * 8);
    });
    // The arena is the machine's: it is counted once.
    if (this.id === 0) {
      details.codeBytes = this.core.view.getUint32(L.MACHINE_BLOCK + L.ARENA_NEXT, true) - L.CODE_ARENA;
      Object.assign(details, this.machineCounters());
    }
    return { instructions: this.instructions, exits: { ...this.exits }, details };
  }

  close(): void {
    this.core.detach(this.id);
  }

  private exit(reason: number): VcpuExit {
    const { block } = this;
    const detail = block.u32(L.EXIT_DETAIL);
    switch (reason) {
      case L.EXIT_BUDGET:
        return block.u32(L.YIELDED) !== 0 ? { reason: "budget", yielded: true } : { reason: "budget" };
      case L.EXIT_HALT:
        return { reason: "halt", deadline: this.timerDeadline() };
      case L.EXIT_SHUTDOWN:
        return { reason: "shutdown" };
      case L.EXIT_HYPERCALL:
        return { reason: "hypercall" };
      case L.EXIT_INTERCEPT:
        return this.intercepted(detail);
      case L.EXIT_BREAKPOINT:
        return { reason: "debug", cause: "breakpoint", address: block.u64(L.RIP) };
      case L.EXIT_WATCHPOINT:
        return {
          reason: "debug",
          cause: "watchpoint",
          address: block.u64(L.EXIT_ADDRESS),
          access: detail === 1 ? "write" : "read",
        };
      case L.EXIT_STEP:
        return { reason: "debug", cause: "step", address: block.u64(L.RIP) };
      case L.EXIT_UNIMPLEMENTED:
        return { reason: "internal-error", error: this.unimplemented() };
      default:
        return {
          reason: "internal-error",
          error: new AcceleratorError("ACCELERATOR_DEFECT", `the core left with reason ${reason}, detail ${detail}`),
        };
    }
  }

  private intercepted(detail: number): VcpuExit {
    const instructionLength = this.block.u32(L.EXIT_LENGTH);
    if (detail >= 32) {
      const errorCode = this.block.u32(L.EXC_HAS_ERROR) !== 0 ? this.block.u32(L.EXC_ERROR) : null;
      return { reason: "intercept", event: "exceptions", instructionLength, detail: detail - 32, errorCode };
    }
    const [event] = Object.entries(INTERCEPT_BITS).find(([, bit]) => bit === detail) ?? ["hypercall"];
    return { reason: "intercept", event: event as keyof Intercepts, instructionLength, detail: 0, errorCode: null };
  }

  private unimplemented(): AcceleratorError {
    const rip = this.block.u64(L.RIP);
    const linear = rip + this.block.u64(L.SEGMENTS + L.CS * L.SEG_BYTES + L.SEG_BASE);
    const bytes: string[] = [];
    for (let index = 0n; index < 15n; index++) {
      const gpa = this.translate(linear + index);
      const offset = gpa === null ? -1 : this.memory.offsetOf(gpa, 1);
      if (offset < 0) break;
      bytes.push((this.memory.bytes[offset] ?? 0).toString(16).padStart(2, "0"));
    }
    return new AcceleratorError(
      "UNIMPLEMENTED_INSTRUCTION",
      `the interpreter does not have the instruction at ${rip.toString(16)}: ${bytes.join(" ")}`,
    );
  }

  private readMsr(index: number): bigint | null {
    return this.core.exports.readMsr(this.cpu, index) !== 0 ? this.block.u64(L.SCRATCH) : null;
  }

  private loadMsr(index: number, value: bigint): void {
    // What this CPU does not have and the other never used.
    if (value === 0n && this.readMsr(index) === null) return;
    this.block.setU64(L.SCRATCH, value);
    if (this.core.exports.writeMsr(this.cpu, index) === 0) {
      throw new AcceleratorError("STATE_MISMATCH", `MSR ${index.toString(16)} does not take ${value.toString(16)}`);
    }
  }

  /** What MONITOR armed. */
  private monitored(): MonitorState | null {
    const line = this.block.u32(L.MONITOR_LINE);
    const slot = this.memory.slots.find(({ offset, size }) => line >= offset && line < offset + size);
    if (line === 0 || slot === undefined) return null;
    return { line: slot.gpa + line - slot.offset, interrupts: this.block.u32(L.MONITOR_INTERRUPTS) !== 0 };
  }

  private loadMonitor({ monitor }: VcpuState): void {
    this.block.setU32(L.MONITOR_LINE, 0);
    const offset = monitor === undefined ? -1 : this.memory.offsetOf(monitor.line, 1);
    if (monitor === undefined || offset < 0) return;
    this.block.setU32(L.MONITOR_INTERRUPTS, monitor.interrupts ? 1 : 0);
    this.core.exports.monitorLine(this.cpu, offset);
  }

  private writeModel(): void {
    const { model, id, count } = this.options;
    const { block } = this;
    model.features.forEach((word, index) => {
      block.setU32(L.FEATURES + index * 4, word);
    });
    block.setU32(L.VENDOR, model.vendor === "intel" ? 1 : 0);
    block.setU32(L.VCPU_ID, id);
    block.setU32(L.PHYSICAL_BITS, model.physicalBits);
    block.setF64(L.TSC_FREQUENCY, this.tscFrequency / 1e9);
    block.setU32(L.ICOUNT_MODE, this.options.clock.mode === "icount" ? 1 : 0);
    const leaves = cpuidTable(model, { id, count, tscHertz: this.tscFrequency, predictsNothing: true });
    if (leaves.length > L.MAX_CPUID)
      throw new RangeError(`${leaves.length} CPUID leaves; the core takes ${L.MAX_CPUID}`);
    leaves.forEach((leaf, index) => {
      const at = L.CPUID_TABLE + index * 32;
      block.setU32(at, leaf.leaf);
      block.setU32(at + 4, leaf.subleaf ?? 0xffffffff);
      block.setU32(at + 8, leaf.eax);
      block.setU32(at + 12, leaf.ebx);
      block.setU32(at + 16, leaf.ecx);
      block.setU32(at + 20, leaf.edx);
    });
    block.setU32(L.CPUID_COUNT, leaves.length);
  }

  private host(): CoreHost {
    const { bus, clock } = this.options;
    const random = new Uint32Array(1);
    return {
      portRead: (port, size) => bus.portRead(port, size),
      portWrite: (port, size, value) => bus.portWrite(port, size, value),
      mmioRead: (gpa, size) => bus.mmioRead(gpa, size),
      mmioWrite: (gpa, size, value) => bus.mmioWrite(gpa, size, value),
      acknowledgePic: () => bus.acknowledgePic(),
      endOfInterrupt: (vector) => bus.endOfInterrupt(vector),
      floatError: () => bus.floatError?.(),
      sendIpi: (icrLow, destination) =>
        bus.sendIpi(
          {
            destination,
            destinationMode: icrLow & 0x800 ? "logical" : "physical",
            deliveryMode: (DELIVERY_MODES[(icrLow >> 8) & 7] ?? "fixed") as InterruptMessage["deliveryMode"],
            vector: icrLow & 0xff,
            triggerMode: icrLow & 0x8000 ? "level" : "edge",
            level: (icrLow & 0x4000) !== 0,
            shorthand: SHORTHANDS[(icrLow >> 18) & 3] ?? "none",
          },
          this.id,
        ),
      now: () => clock.now(),
      random:
        this.options.random ??
        (() => {
          globalThis.crypto.getRandomValues(random);
          return random[0] ?? 0;
        }),
    };
  }
}
