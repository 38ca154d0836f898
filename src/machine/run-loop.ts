/**
 * Runs the vCPUs of a machine: in slices and in turns, with timers and inputs from outside between
 * them, waiting where nobody has anything to do, and letting the host's events in regularly.
 *
 * In icount mode a slice ends exactly at the next timer, turns depend on instruction counts only, and
 * a machine that waits jumps to its next timer: what the guest sees does not depend on the host.
 */
import type { Vcpu, VcpuExit } from "../vcpu/accelerator.js";
import type { Bus } from "./bus.js";
import type { MachineClock } from "./clock.js";
import type { MachineOutcome } from "./outcome.js";
import type { HostScheduler } from "./scheduler.js";

/** Real mode: how long a vCPU runs at a time, in ns: alone, and when others wait for their turn. */
const SLICE = 1e6;
const TURN = 0.2e6;
/** What fits into a SLICE, as long as the speed is not known, and the limits of what is learnt. */
const FIRST_BUDGET = 200_000;
const MIN_BUDGET = 5_000;
const MAX_BUDGET = 50_000_000;
/** A run shorter than this (ns) says nothing about a vCPU's speed. */
const SHORT_RUN = 20_000;
/** Icount mode: instructions at a time, with one vCPU and with several. */
const ICOUNT_SLICE = 1_000_000;
const ICOUNT_TURN = 50_000;
/** The host's events are let in after this many ns of its time. */
const YIELD_AFTER = 4e6;
/** A wait shorter than this (ns) is not worth a timer of the host, which is a millisecond late. */
const SHORT_WAIT = 0.5e6;
const LONGEST_WAIT_MS = 0x7fffffff;

export interface RunLoopOptions {
  vcpus: readonly Vcpu[];
  clock: MachineClock;
  ports: Bus;
  mmio: Bus;
  scheduler: HostScheduler;
  /** Performs the reset that {@link RunLoop.requestReset} asked for, between two slices. */
  reset(): void;
}

/** A breakpoint, watchpoint or step of the debugger: the machine pauses at it. */
export interface DebugStop {
  vcpu: number;
  exit: Extract<VcpuExit, { reason: "debug" }>;
}

export interface RunLoopStats {
  slices: number;
  /** Host time in ns that the machine spent waiting. */
  idle: number;
  inputs: number;
  resets: number;
}

export class RunLoop {
  readonly stats: RunLoopStats = { slices: 0, idle: 0, inputs: 0, resets: 0 };
  /** Called when a debug exit has paused the machine. */
  onDebugStop: (stop: DebugStop) => void = () => {};
  /** Emulates what an intercept or a hypercall left to the host. Without it such an exit is an internal error. */
  onIntercept: ((vcpu: Vcpu, exit: VcpuExit) => void | Promise<void>) | null = null;

  private readonly inputs: (() => void)[] = [];
  /** By vCPU: it halted and has not run since. */
  private readonly halted: boolean[];
  private turn = 0;
  private budget = FIRST_BUDGET;
  private ending: MachineOutcome | null = null;
  private resetWanted = false;
  private pauseWanted = false;
  private paused: (() => void)[] = [];
  private unpause: (() => void) | null = null;
  /** The vCPU that is inside `run`, and the clock time at which it will leave. */
  private current: Vcpu | null = null;
  private currentDeadline = 0;
  private wake: (() => void) | null = null;
  private lastYield = 0;
  private started = false;

  constructor(private readonly options: RunLoopOptions) {
    this.halted = options.vcpus.map(() => false);
    options.clock.countInstructions(() => {
      let sum = 0;
      for (const vcpu of options.vcpus) sum += vcpu.instructions;
      return sum;
    });
    options.clock.watchDeadline((deadline) => {
      if (this.current !== null && deadline < this.currentDeadline) this.current.kick();
    });
  }

  /** Enters something from outside: it is applied before the next slice. */
  post(input: () => void): void {
    this.inputs.push(input);
    this.interrupt();
  }

  /** Ends the run as soon as the vCPU under way leaves. The first outcome counts. */
  end(outcome: MachineOutcome): void {
    this.ending ??= outcome;
    this.interrupt();
  }

  requestReset(): void {
    this.resetWanted = true;
    this.interrupt();
  }

  /** Forgets who halted: after states of the vCPUs were set from outside. */
  statesChanged(): void {
    this.halted.fill(false);
    this.turn = 0;
  }

  get isPaused(): boolean {
    return this.unpause !== null;
  }

  /** Resolves when no vCPU runs any more and the clock stands still. */
  pause(): Promise<void> {
    if (!this.started || this.unpause !== null) return Promise.resolve();
    this.pauseWanted = true;
    this.interrupt();
    return new Promise((resolve) => this.paused.push(resolve));
  }

  resume(): void {
    this.pauseWanted = false;
    for (const resolve of this.paused.splice(0)) resolve();
    this.unpause?.();
  }

  /** Runs until something ends it. Never rejects: what goes wrong is an outcome too. */
  async run(options: { paused?: boolean } = {}): Promise<MachineOutcome> {
    const { clock, scheduler } = this.options;
    this.started = true;
    this.pauseWanted = options.paused ?? false;
    this.lastYield = scheduler.monotonic();
    clock.resume();
    try {
      for (;;) {
        const outcome = await this.step();
        if (outcome !== null) return outcome;
      }
    } catch (error) {
      return this.failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.current = null;
      this.started = false;
      clock.pause();
      for (const resolve of this.paused.splice(0)) resolve();
    }
  }

  /** One slice, or one wait. */
  private async step(): Promise<MachineOutcome | null> {
    const { clock, scheduler } = this.options;
    while (this.inputs.length > 0) {
      this.stats.inputs++;
      this.inputs.shift()?.();
    }
    clock.fireDue();
    if (this.ending !== null) return this.ending;
    if (this.resetWanted) {
      this.resetWanted = false;
      this.stats.resets++;
      // The vCPUs count their instructions from 0 again; time goes on.
      clock.pause();
      this.options.reset();
      clock.resume();
      this.statesChanged();
    }
    if (this.pauseWanted) {
      await this.stayPaused();
      return null;
    }
    const vcpu = this.pick();
    if (vcpu === null) {
      await this.idle();
      return null;
    }
    let exit = this.enter(vcpu);
    if (exit instanceof Promise) exit = await exit;
    this.current = null;
    const outcome = this.handle(vcpu, exit);
    if (outcome instanceof Promise) await outcome;
    else if (outcome !== null) return outcome;
    if (scheduler.monotonic() - this.lastYield >= YIELD_AFTER) await this.letEventsIn();
    return null;
  }

  /** The next vCPU in turn that has something to do. */
  private pick(): Vcpu | null {
    const { vcpus, clock } = this.options;
    for (let offset = 0; offset < vcpus.length; offset++) {
      const index = (this.turn + offset) % vcpus.length;
      const vcpu = vcpus[index];
      if (this.halted[index]) {
        const deadline = vcpu.timerDeadline();
        const due = deadline !== null && deadline <= clock.now();
        if (!due && !vcpu.hasPendingWork()) continue;
        this.halted[index] = false;
      }
      this.turn = (index + 1) % vcpus.length;
      return vcpu;
    }
    return null;
  }

  private enter(vcpu: Vcpu): VcpuExit | Promise<VcpuExit> {
    const { clock, vcpus, scheduler } = this.options;
    const now = clock.now();
    const next = this.nextDeadline(now);
    this.stats.slices++;
    this.current = vcpu;
    if (clock.mode === "icount") {
      const slice = Math.min(vcpus.length > 1 ? ICOUNT_TURN : ICOUNT_SLICE, Math.max(1, Math.ceil(next - now)));
      this.currentDeadline = now + slice;
      return vcpu.run({ instructions: slice });
    }
    this.currentDeadline = Math.min(next, now + (vcpus.length > 1 ? TURN : SLICE));
    // An accelerator that does not look at the clock is in time for the next timer by what it can do until then.
    const share = (this.currentDeadline - now) / SLICE;
    const budget = Math.max(MIN_BUDGET, Math.ceil(this.budget * share));
    const before = vcpu.instructions;
    const start = scheduler.monotonic();
    const exit = vcpu.run({ instructions: budget, deadline: this.currentDeadline });
    if (!(exit instanceof Promise)) this.adapt(vcpu.instructions - before, scheduler.monotonic() - start);
    return exit;
  }

  /** Learns how many instructions a slice of time has. Short runs say little. */
  private adapt(instructions: number, elapsed: number): void {
    if (elapsed < SHORT_RUN) return;
    const fitting = (instructions / elapsed) * SLICE;
    this.budget = Math.round(Math.min(MAX_BUDGET, Math.max(MIN_BUDGET, (this.budget + fitting) / 2)));
  }

  private handle(vcpu: Vcpu, exit: VcpuExit): MachineOutcome | null | Promise<void> {
    const { ports, mmio } = this.options;
    switch (exit.reason) {
      case "budget":
        return null;
      case "halt":
        this.halted[vcpu.id] = true;
        return null;
      case "io":
        if (exit.write) ports.write(exit.port, exit.size, exit.value);
        else vcpu.completeAccess(ports.read(exit.port, exit.size));
        return null;
      case "mmio":
        if (exit.write) mmio.write(exit.gpa, exit.size, exit.value);
        else vcpu.completeAccess(mmio.read(exit.gpa, exit.size));
        return null;
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
    }
  }

  private failed(error: Error, vcpu: Vcpu | null = this.current): MachineOutcome {
    let state = null;
    try {
      state = vcpu?.getState() ?? null;
    } catch {
      // The accelerator is broken beyond telling; the error itself is what counts.
    }
    return { kind: "internal-error", error, vcpu: vcpu?.id ?? null, state };
  }

  /** The next time (ns) after `now` at which a timer of the clock or of a vCPU fires; Infinity for none. */
  private nextDeadline(now: number): number {
    const { clock, vcpus } = this.options;
    let next = clock.nextDeadline() ?? Number.POSITIVE_INFINITY;
    for (const vcpu of vcpus) {
      const deadline = vcpu.timerDeadline();
      if (deadline !== null && deadline > now && deadline < next) next = deadline;
    }
    return next;
  }

  /** Everybody halted: waits for the next timer or an input. */
  private async idle(): Promise<void> {
    const { clock, scheduler } = this.options;
    const now = clock.now();
    const next = this.nextDeadline(now);
    if (clock.mode === "icount" && next !== Number.POSITIVE_INFINITY) {
      clock.warp(next);
      if (scheduler.monotonic() - this.lastYield >= YIELD_AFTER) await this.letEventsIn();
      return;
    }
    const start = scheduler.monotonic();
    if (next - now < SHORT_WAIT) await this.letEventsIn();
    else await this.sleep(Math.min(LONGEST_WAIT_MS, Math.floor((next - now) / 1e6)));
    this.stats.idle += scheduler.monotonic() - start;
  }

  /** @param milliseconds at least 1 is waited; a wait of {@link LONGEST_WAIT_MS} ends with an input only */
  private sleep(milliseconds: number): Promise<void> {
    const { scheduler } = this.options;
    return new Promise((resolve) => {
      const cancel =
        milliseconds === LONGEST_WAIT_MS ? null : scheduler.after(Math.max(1, milliseconds), () => this.wake?.());
      this.wake = () => {
        this.wake = null;
        cancel?.();
        this.lastYield = scheduler.monotonic();
        resolve();
      };
    });
  }

  private letEventsIn(): Promise<void> {
    const { scheduler } = this.options;
    return new Promise((resolve) => {
      scheduler.soon(() => {
        this.lastYield = scheduler.monotonic();
        resolve();
      });
    });
  }

  private async stayPaused(): Promise<void> {
    const { clock } = this.options;
    clock.pause();
    this.pauseWanted = false;
    const resumed = new Promise<void>((resolve) => {
      this.unpause = resolve;
    });
    for (const resolve of this.paused.splice(0)) resolve();
    await resumed;
    this.unpause = null;
    clock.resume();
  }

  /** Makes whoever runs or waits come back to the loop. */
  private interrupt(): void {
    this.current?.kick();
    this.wake?.();
    if (this.ending !== null) this.unpause?.();
  }
}
