/**
 * What the two ways of running a machine's vCPUs have in common: inputs from outside, pauses, the end, and
 * what becomes of an exit.
 */
import { StateError } from "../devices/device.js";
import { dword, integer, object, type StateOf } from "../devices/state-shape.js";
import type { AcceleratorVm, Vcpu, VcpuExit } from "../vcpu/accelerator.js";
import type { Bus } from "./bus.js";
import type { MachineClock } from "./clock.js";
import type { MachineOutcome } from "./outcome.js";
import type { HostScheduler } from "./scheduler.js";

/** The host's events are let in after this many ns of its time. */
export const YIELD_AFTER = 4e6;
/** A wait shorter than this (ns) is not worth a timer of the host, which is a millisecond late. */
export const SHORT_WAIT = 0.5e6;
/** The longest wait of a host's timer. */
export const LONGEST_WAIT_MS = 0x7fffffff;

export interface MachineLoopOptions {
  vcpus: readonly Vcpu[];
  vm: Pick<AcceleratorVm, "pauseTime" | "resumeTime">;
  clock: MachineClock;
  ports: Bus;
  mmio: Bus;
  scheduler: HostScheduler;
  /** Performs the reset that {@link MachineLoop.requestReset} asked for, while no vCPU runs. */
  reset(): void;
}

/** A breakpoint, watchpoint or step of the debugger: the machine pauses at it. */
export interface DebugStop {
  vcpu: number;
  exit: Extract<VcpuExit, { reason: "debug" }>;
}

/** A time of the machine's clock in ns, or a number of instructions that all vCPUs together have retired since reset. */
export type StopPoint = { readonly time: number } | { readonly instructions: number };

const SHAPE = object({
  /** The vCPU whose turn it is, where they take turns. */
  turn: integer(0, 255),
  /** Icount mode: instructions that are left of a turn that a stop point cut in two. */
  rest: dword,
});
export type LoopState = StateOf<typeof SHAPE>;

export interface RunLoopStats {
  /** Times that a vCPU was entered. */
  slices: number;
  /** Host time in ns that the machine spent waiting; 0 where its vCPUs wait by themselves. */
  idle: number;
  inputs: number;
  resets: number;
}

interface Stop {
  readonly point: StopPoint;
  resolve(reached: boolean): void;
}

export abstract class MachineLoop {
  readonly stats: RunLoopStats = { slices: 0, idle: 0, inputs: 0, resets: 0 };
  /** Called when a debug exit has paused the machine. */
  onDebugStop: (stop: DebugStop) => void = () => {};
  /** Emulates what an intercept or a hypercall left to the host. Without it such an exit is an internal error. */
  onIntercept: ((vcpu: Vcpu, exit: VcpuExit) => void | Promise<void>) | null = null;

  protected ending: MachineOutcome | null = null;
  protected pauseWanted = false;
  protected started = false;
  private stops: readonly Stop[] = [];
  /** Stop points whose owners wait for the pause. */
  private readonly reached: Stop[] = [];
  private readonly inputs: (() => void)[] = [];
  /** What is to happen to the machine as a whole while no vCPU runs. */
  private transition: (() => void) | null = null;
  private paused: (() => void)[] = [];
  private unpause: (() => void) | null = null;

  constructor(protected readonly options: MachineLoopOptions) {}

  /** Enters something from outside: it is applied between two accesses of the vCPUs. */
  post(input: () => void): void {
    this.inputs.push(input);
    this.interrupt();
  }

  /** Ends the run as soon as the vCPUs under way leave. The first outcome counts. */
  end(outcome: MachineOutcome): void {
    this.ending ??= outcome;
    this.interrupt();
    this.unpause?.();
  }

  requestReset(): void {
    this.requestTransition(() => {
      this.stats.resets++;
      this.options.reset();
    });
  }

  /** Sets the vCPUs and the board to another state as soon as the vCPUs under way leave. The last request counts. */
  requestTransition(transition: () => void): void {
    this.transition = transition;
    this.interrupt();
  }

  /** Forgets who halted: after states of the vCPUs were set from outside. */
  abstract statesChanged(): void;

  /** Whose turn it is; who has halted is not here, because a vCPU that runs finds out again. */
  save(): LoopState {
    return { turn: 0, rest: 0 };
  }

  /** @throws StateError where `restore` would */
  check(state: LoopState): void {
    if (SHAPE.parse(state, "turns").turn >= this.options.vcpus.length) {
      throw new StateError("saved state: it is the turn of a vCPU that is not there");
    }
  }

  restore(state: LoopState): void {
    this.check(state);
    this.statesChanged();
  }

  /** Pauses once the point is reached, and resolves: true when paused there, false where the run ended before. */
  pauseAt(point: StopPoint): Promise<boolean> {
    return new Promise((resolve) => {
      this.stops = [...this.stops, { point, resolve }];
      this.interrupt();
    });
  }

  get isPaused(): boolean {
    return this.unpause !== null;
  }

  /** Resolves when no vCPU runs any more and the clock stands still. */
  pause(): Promise<void> {
    if (!this.started || this.unpause !== null) return Promise.resolve();
    this.pauseWanted = true;
    this.interruptToPause();
    return new Promise((resolve) => this.paused.push(resolve));
  }

  resume(): void {
    this.pauseWanted = false;
    for (const resolve of this.paused.splice(0)) resolve();
    this.unpause?.();
  }

  /** Runs until something ends it. Never rejects: what goes wrong is an outcome too. */
  async run(options: { paused?: boolean } = {}): Promise<MachineOutcome> {
    const { clock } = this.options;
    this.started = true;
    this.pauseWanted = options.paused ?? false;
    clock.resume();
    try {
      for (;;) {
        const outcome = await this.step();
        if (outcome !== null) return outcome;
      }
    } catch (error) {
      return this.failed(error);
    } finally {
      this.started = false;
      clock.pause();
      for (const resolve of this.paused.splice(0)) resolve();
      for (const { resolve } of [...this.reached.splice(0), ...this.stops]) resolve(false);
      this.stops = [];
    }
  }

  /** Runs the vCPUs for a while, or waits. The outcome when that was the end. */
  protected abstract step(): Promise<MachineOutcome | null>;

  /** Makes whoever runs or waits look at what is wanted. */
  protected abstract interrupt(): void;

  /** The same for a pause, which may wait a little. */
  protected interruptToPause(): void {
    this.interrupt();
  }

  /** Takes the stop points that are reached off the list: the machine is to pause. */
  protected lookForStops(): void {
    if (this.stops.length === 0) return;
    const now = this.options.clock.now();
    const retired = this.retired();
    const reached = this.stops.filter(({ point }) =>
      "time" in point ? now >= point.time : retired >= point.instructions,
    );
    if (reached.length === 0) return;
    this.stops = this.stops.filter((stop) => !reached.includes(stop));
    this.reached.push(...reached);
    this.interrupt();
  }

  /** How far it is to the next stop points: a clock time, and a number of instructions from now, at least 1. */
  protected nextStop(): { time: number; instructions: number } {
    const next = { time: Number.POSITIVE_INFINITY, instructions: Number.POSITIVE_INFINITY };
    if (this.stops.length === 0) return next;
    const retired = this.retired();
    for (const { point } of this.stops) {
      if ("time" in point) next.time = Math.min(next.time, point.time);
      else next.instructions = Math.min(next.instructions, Math.max(1, point.instructions - retired));
    }
    return next;
  }

  /** Instructions of all vCPUs. */
  protected retired(): number {
    let sum = 0;
    for (const vcpu of this.options.vcpus) sum += vcpu.instructions;
    return sum;
  }

  /** Whether somebody wants the vCPUs to stand still. */
  protected get attention(): boolean {
    return this.ending !== null || this.transition !== null || this.standstillWanted;
  }

  protected get standstillWanted(): boolean {
    return this.pauseWanted || this.reached.length > 0;
  }

  protected applyInputs(): void {
    while (this.inputs.length > 0) {
      this.stats.inputs++;
      this.inputs.shift()?.();
    }
  }

  protected changeIfWanted(): void {
    const { transition } = this;
    if (transition === null) return;
    const { clock } = this.options;
    this.transition = null;
    // The vCPUs count their instructions from 0 again; time goes on.
    clock.pause();
    transition();
    clock.resume();
    this.statesChanged();
  }

  protected async stayPaused(): Promise<void> {
    const { clock, vm } = this.options;
    clock.pause();
    vm.pauseTime?.();
    this.pauseWanted = false;
    const resumed = new Promise<void>((resolve) => {
      this.unpause = resolve;
    });
    // Before those who asked for any pause: they may be the ones who resume.
    for (const { resolve } of this.reached.splice(0)) resolve(true);
    for (const resolve of this.paused.splice(0)) resolve();
    await resumed;
    this.unpause = null;
    vm.resumeTime?.();
    clock.resume();
  }

  /** Performs an access that the accelerator left to its caller. False for another kind of exit. */
  protected access(vcpu: Vcpu, exit: VcpuExit): boolean {
    const { ports, mmio } = this.options;
    if (exit.reason === "io") {
      if (exit.write) ports.write(exit.port, exit.size, exit.value);
      else vcpu.completeAccess(ports.read(exit.port, exit.size));
      return true;
    }
    if (exit.reason === "mmio") {
      if (exit.write) mmio.write(exit.gpa, exit.size, exit.value);
      else vcpu.completeAccess(mmio.read(exit.gpa, exit.size));
      return true;
    }
    return false;
  }

  /** What becomes of an exit that is neither an access nor a reason to wait. */
  protected handle(vcpu: Vcpu, exit: VcpuExit): MachineOutcome | null | Promise<void> {
    switch (exit.reason) {
      case "shutdown":
        return { kind: "crash", vcpu: vcpu.id, state: vcpu.getState() };
      case "debug": {
        const stop = { vcpu: vcpu.id, exit };
        void this.pause().then(() => this.onDebugStop(stop));
        return null;
      }
      case "intercept":
      case "hypercall":
        if (this.onIntercept !== null) return Promise.resolve(this.onIntercept(vcpu, exit));
        return this.failed(new Error(`vCPU ${vcpu.id} left with an ${exit.reason} that nobody handles`), vcpu);
      case "internal-error":
        return this.failed(exit.error, vcpu);
      default:
        return null;
    }
  }

  protected failed(thrown: unknown, vcpu: Vcpu | null = null): MachineOutcome {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    let state = null;
    try {
      state = vcpu?.getState() ?? null;
    } catch {
      // The accelerator is broken beyond telling; the error itself is what counts.
    }
    return { kind: "internal-error", error, vcpu: vcpu?.id ?? null, state };
  }
}
