/**
 * Runs the vCPUs of a machine: in slices and in turns, with timers and inputs from outside between
 * them, waiting where nobody has anything to do, and letting the host's events in regularly.
 *
 * In icount mode a slice ends exactly at the next timer, turns depend on instruction counts only, and
 * a machine that waits jumps to its next timer: what the guest sees does not depend on the host.
 */
import type { Vcpu, VcpuExit } from "../vcpu/accelerator.js";
import {
  LONGEST_WAIT_MS,
  type LoopState,
  MachineLoop,
  type MachineLoopOptions,
  SHORT_WAIT,
  YIELD_AFTER,
} from "./machine-loop.js";
import type { MachineOutcome } from "./outcome.js";

/** Real mode: how long a vCPU runs at a time, in ns: alone, and when others wait for their turn. */
const SLICE = 1e6;
const TURN = 0.2e6;
/** The guest's clock does not pass more (ns) in one slice: the rest is time that the host gave to others. */
const LONGEST_SLICE = 2 * SLICE;
/** What fits into a SLICE, as long as the speed is not known, and the limits of what is learnt. */
const FIRST_BUDGET = 200_000;
const MIN_BUDGET = 5_000;
const MAX_BUDGET = 50_000_000;
/** A run shorter than this (ns) says nothing about a vCPU's speed. */
const SHORT_RUN = 20_000;
/** Icount mode: instructions at a time, with one vCPU and with several. */
const ICOUNT_SLICE = 1_000_000;
const ICOUNT_TURN = 50_000;

export class RunLoop extends MachineLoop {
  /** By vCPU: it halted and has not run since. */
  private readonly halted: boolean[];
  private turn = 0;
  private rest = 0;
  private budget = FIRST_BUDGET;
  /** The vCPU that is inside `run`, and the clock time at which it will leave. */
  private current: Vcpu | null = null;
  private currentDeadline = 0;
  private wake: (() => void) | null = null;
  private lastYield = 0;

  constructor(options: MachineLoopOptions) {
    super(options);
    this.halted = options.vcpus.map(() => false);
    options.clock.countInstructions(() => this.retired());
    options.clock.watchDeadline((deadline) => {
      if (this.current !== null && deadline < this.currentDeadline) this.current.kick();
    });
  }

  statesChanged(): void {
    this.halted.fill(false);
    this.turn = 0;
    this.rest = 0;
  }

  override save(): LoopState {
    return { turn: this.turn, rest: this.rest };
  }

  override restore(state: LoopState): void {
    super.restore(state);
    this.turn = state.turn;
    this.rest = Math.min(state.rest, ICOUNT_TURN);
  }

  override run(options: { paused?: boolean } = {}): Promise<MachineOutcome> {
    this.lastYield = this.options.scheduler.monotonic();
    return super.run(options);
  }

  /** One slice, or one wait. */
  protected async step(): Promise<MachineOutcome | null> {
    const { clock, scheduler } = this.options;
    this.current = null;
    this.applyInputs();
    clock.fireDue();
    if (this.ending !== null) return this.ending;
    this.changeIfWanted();
    this.lookForStops();
    if (this.standstillWanted) {
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
    if (exit.reason === "halt") {
      this.halted[vcpu.id] = true;
    } else if (!this.access(vcpu, exit)) {
      const outcome = this.handle(vcpu, exit);
      if (outcome instanceof Promise) await outcome;
      else if (outcome !== null) return outcome;
    }
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
    const stop = this.nextStop();
    const before = vcpu.instructions;
    if (clock.mode === "icount") {
      const turn = vcpus.length > 1 ? this.rest || ICOUNT_TURN : ICOUNT_SLICE;
      const whole = Math.min(turn, Math.max(1, Math.ceil(next - now)));
      const slice = Math.min(whole, Math.max(1, Math.ceil(stop.time - now)), stop.instructions);
      this.currentDeadline = now + slice;
      const exit = vcpu.run({ instructions: slice });
      this.rest = 0;
      if (slice === whole || vcpus.length === 1) return exit;
      if (exit instanceof Promise) return exit.then((each) => this.cutTurn(vcpu, each, before + slice, whole - slice));
      return this.cutTurn(vcpu, exit, before + slice, whole - slice);
    }
    this.currentDeadline = Math.min(next, stop.time, now + (vcpus.length > 1 ? TURN : SLICE));
    // An accelerator that does not look at the clock is in time for the next timer by what it can do until then.
    const share = (this.currentDeadline - now) / SLICE;
    const budget = Math.min(stop.instructions, Math.max(MIN_BUDGET, Math.ceil(this.budget * share)));
    const start = scheduler.monotonic();
    clock.beginSlice(LONGEST_SLICE);
    const exit = vcpu.run({ instructions: budget, deadline: this.currentDeadline });
    clock.endSlice();
    if (!(exit instanceof Promise)) this.adapt(vcpu.instructions - before, scheduler.monotonic() - start);
    return exit;
  }

  /** A stop point ended the slice: whoever had the turn goes on with what is left of it. */
  private cutTurn(vcpu: Vcpu, exit: VcpuExit, end: number, rest: number): VcpuExit {
    if (exit.reason === "budget" && !exit.yielded && vcpu.instructions === end) {
      this.rest = rest;
      this.turn = vcpu.id;
    }
    return exit;
  }

  /** Learns how many instructions a slice of time has. Short runs say little. */
  private adapt(instructions: number, elapsed: number): void {
    if (elapsed < SHORT_RUN) return;
    const fitting = (instructions / elapsed) * SLICE;
    this.budget = Math.round(Math.min(MAX_BUDGET, Math.max(MIN_BUDGET, (this.budget + fitting) / 2)));
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
    // Time goes on: what was not due when the vCPUs were looked at may be by now.
    if (this.options.vcpus.some((vcpu) => (vcpu.timerDeadline() ?? Number.POSITIVE_INFINITY) <= now)) return;
    const next = Math.min(this.nextDeadline(now), this.nextStop().time);
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

  protected interrupt(): void {
    this.current?.kick();
    this.wake?.();
  }

  /** A slice of a deterministic machine is not cut where the host happens to ask. */
  protected override interruptToPause(): void {
    if (this.options.clock.mode === "real") this.current?.kick();
    this.wake?.();
  }

  protected override failed(thrown: unknown, vcpu: Vcpu | null = this.current): MachineOutcome {
    return super.failed(thrown, vcpu);
  }
}
