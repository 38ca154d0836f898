/**
 * An accelerator whose vCPUs follow a script instead of guest code, for tests of the machine.
 *
 * A script is a generator of steps. Each step is one instruction, but `spin`, which is many.
 */
import { resetState } from "../../boot/testing/reset-state.js";
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import {
  type Accelerator,
  AcceleratorError,
  BROADCAST,
  type InterruptMessage,
  type RunLimits,
  type Vcpu,
  type VcpuCounters,
  type VcpuExit,
  type VcpuOptions,
} from "../../vcpu/accelerator.js";
import type { VcpuState } from "../../vcpu/state.js";

export type FakeStep =
  | { op: "spin"; instructions: number }
  | { op: "in"; port: number; size: number }
  | { op: "out"; port: number; size: number; value: number }
  | { op: "load"; gpa: number; size: number }
  | { op: "store"; gpa: number; size: number; value: number }
  /** Waits for an interrupt, an NMI or the vCPU's timer. */
  | { op: "hlt" }
  | { op: "apic-timer"; deadline: number }
  | { op: "exit"; exit: VcpuExit };

export type FakeScript = (vcpu: FakeVcpu) => Generator<FakeStep, void, number>;

export interface FakeOptions {
  /** Leave the loop for port and memory accesses, as KVM does. */
  leaveForAccesses?: boolean;
  /** Answer `run` by a promise, as KVM does. */
  promises?: boolean;
}

export class FakeVcpu implements Vcpu {
  readonly id: number;
  /** Interrupt messages that arrived and nobody has taken yet; the PIC's is not among them. */
  readonly arrived: InterruptMessage[] = [];
  extInt = false;
  nmiPending = false;
  state: VcpuState = resetState();
  private readonly exits: Record<string, number> = {};
  private script: Generator<FakeStep, void, number>;
  private step: IteratorResult<FakeStep, void> | null = null;
  private answer = 0;
  private spun = 0;
  private count = 0;
  private deadline: number | null = null;
  private kicked = false;

  constructor(
    readonly memory: GuestMemory,
    readonly options: VcpuOptions,
    private readonly source: FakeScript,
    private readonly fake: FakeOptions,
  ) {
    this.id = options.id;
    this.script = source(this);
  }

  get bus() {
    return this.options.bus;
  }

  /** The vector that the PIC hands over now. */
  acknowledge(): number {
    return this.options.bus.acknowledgePic();
  }

  run(limits: RunLimits): VcpuExit | Promise<VcpuExit> {
    const exit = this.runSteps(limits);
    this.exits[exit.reason] = (this.exits[exit.reason] ?? 0) + 1;
    return this.fake.promises ? Promise.resolve(exit) : exit;
  }

  private runSteps(limits: RunLimits): VcpuExit {
    const end = this.count + limits.instructions;
    this.kicked = false;
    if (this.deadline !== null && this.deadline <= this.options.clock.now()) {
      this.deadline = null;
      this.arrived.push(timerMessage(this.id));
    }
    while (this.count < end && !this.kicked) {
      this.step ??= this.script.next(this.answer);
      if (this.step.done) return { reason: "halt", deadline: null };
      const exit = this.perform(this.step.value, end);
      if (exit !== null) return exit;
    }
    return { reason: "budget" };
  }

  private perform(step: FakeStep, end: number): VcpuExit | null {
    const { bus } = this.options;
    if (step.op === "spin") {
      const now = Math.min(end - this.count, step.instructions - this.spun);
      this.count += now;
      this.spun += now;
      if (this.spun < step.instructions) return null;
      this.spun = 0;
      this.step = null;
      return null;
    }
    if (step.op === "hlt" && !this.hasPendingWork()) return { reason: "halt", deadline: this.deadline };
    this.count++;
    this.step = null;
    switch (step.op) {
      case "in":
        if (this.fake.leaveForAccesses)
          return { reason: "io", port: step.port, size: step.size, write: false, value: 0 };
        this.answer = bus.portRead(step.port, step.size);
        return null;
      case "out":
        if (this.fake.leaveForAccesses)
          return { reason: "io", port: step.port, size: step.size, write: true, value: step.value };
        bus.portWrite(step.port, step.size, step.value);
        return null;
      case "load":
        if (this.fake.leaveForAccesses)
          return { reason: "mmio", gpa: step.gpa, size: step.size, write: false, value: 0 };
        this.answer = bus.mmioRead(step.gpa, step.size);
        return null;
      case "store":
        if (this.fake.leaveForAccesses)
          return { reason: "mmio", gpa: step.gpa, size: step.size, write: true, value: step.value };
        bus.mmioWrite(step.gpa, step.size, step.value);
        return null;
      case "apic-timer":
        this.deadline = step.deadline;
        this.kicked = true;
        return null;
      case "exit":
        return step.exit;
      case "hlt":
        return null;
    }
  }

  completeAccess(value: number): void {
    this.answer = value;
  }

  kick(): void {
    this.kicked = true;
  }

  setExtInt(level: boolean): void {
    this.extInt = level;
  }

  interrupt(message: InterruptMessage): boolean {
    this.arrived.push(message);
    return true;
  }

  matches(message: InterruptMessage): boolean {
    if (message.destination === BROADCAST) return true;
    if (message.destinationMode === "logical") return (message.destination & (1 << this.id)) !== 0;
    return message.destination === this.id;
  }

  priority(): number {
    return this.arrived.length;
  }

  nmi(): void {
    this.nmiPending = true;
  }

  timerDeadline(): number | null {
    return this.deadline;
  }

  hasPendingWork(): boolean {
    return this.extInt || this.nmiPending || this.arrived.length > 0;
  }

  getState(): VcpuState {
    return { ...this.state, instructions: this.count };
  }

  setState(state: VcpuState): void {
    this.state = structuredClone(state);
    this.count = state.instructions;
  }

  /** Power-on: the script starts again. */
  reset(): void {
    this.state = resetState();
    this.arrived.length = 0;
    this.extInt = false;
    this.nmiPending = false;
    this.deadline = null;
    this.count = 0;
    this.spun = 0;
    this.step = null;
    this.script = this.source(this);
  }

  setIntercepts(): void {}

  setDebug(): void {}

  translate(linear: bigint): number | null {
    return Number(linear);
  }

  counters(): VcpuCounters {
    return { instructions: this.count, exits: { ...this.exits }, details: {} };
  }

  get instructions(): number {
    return this.count;
  }

  close(): void {}
}

function timerMessage(destination: number): InterruptMessage {
  return {
    destination,
    destinationMode: "physical",
    deliveryMode: "fixed",
    vector: 0xec,
    triggerMode: "edge",
    level: true,
    shorthand: "self",
  };
}

/** vCPU n follows the script n; vCPUs beyond the last script wait for ever. */
export function fakeAccelerator(scripts: FakeScript[], options: FakeOptions = {}): Accelerator & { vcpus: FakeVcpu[] } {
  const vcpus: FakeVcpu[] = [];
  const idle: FakeScript = function* () {};
  return {
    name: "fake",
    vcpus,
    parallel: false,
    offer: (model) => model,
    createVm: (memory) => ({
      createVcpu(vcpuOptions) {
        const vcpu = new FakeVcpu(memory, vcpuOptions, scripts[vcpuOptions.id] ?? idle, options);
        vcpus.push(vcpu);
        return vcpu;
      },
      startDirtyLog() {
        throw new AcceleratorError("UNIMPLEMENTED_FEATURE", "the fake accelerator has no dirty log");
      },
      close() {},
    }),
  };
}
