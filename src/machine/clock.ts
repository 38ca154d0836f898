/**
 * The machine's one clock: nanoseconds since power-on. All timers of devices and vCPUs derive from it.
 *
 * In real mode it follows a monotonic clock of the host and stands still while the machine is paused, and while the
 * host keeps a vCPU from running that should: a guest of a busy host then sees a slower CPU, not lost timer ticks.
 * In icount mode one retired instruction is one nanosecond, and a machine whose vCPUs all wait jumps to
 * its next deadline: the same guest then sees the same times in every run.
 */
import { type ClockTimer, type DeviceClock, StateError } from "../devices/device.js";
import { literal, milliseconds, object, type StateOf, time } from "../devices/state-shape.js";
import type { VcpuClock } from "../vcpu/accelerator.js";

export type ClockMode = "real" | "icount";

export interface ClockOptions {
  mode: ClockMode;
  /** The host's monotonic clock in nanoseconds. Only real mode reads it. */
  monotonic: () => number;
  /** Wall-clock time at power-on, in milliseconds since 1970. */
  startTime: number;
}

/** Timers are not here: their owners arm them again when they are restored. */
const SHAPE = object({ version: literal(1), mode: literal("real", "icount"), now: time, startTime: milliseconds });
export type ClockState = StateOf<typeof SHAPE>;

class Timer implements ClockTimer {
  /** Infinity: not armed. */
  deadline = Number.POSITIVE_INFINITY;

  constructor(
    private readonly clock: MachineClock,
    /** Timers of one deadline fire in the order of their creation. */
    readonly order: number,
    readonly callback: () => void,
  ) {}

  arm(deadline: number): void {
    this.clock.schedule(this, deadline);
  }

  cancel(): void {
    this.clock.schedule(this, Number.POSITIVE_INFINITY);
  }
}

export class MachineClock implements DeviceClock, VcpuClock {
  readonly mode: ClockMode;
  /** Armed timers, the next one last. There are few: a sorted list does what a heap would. */
  private readonly armed: Timer[] = [];
  private timerCount = 0;
  /** `now()` is `base` and what has passed since `mark` on the source: host time or instructions. */
  private base = 0;
  private mark = 0;
  private running = false;
  private latest = 0;
  /** What `now()` does not pass before the slice under way has ended. */
  private limit = Number.POSITIVE_INFINITY;
  private startTime: number;
  private instructions: () => number = () => 0;
  private onEarlier: (deadline: number) => void = () => {};

  constructor(private readonly options: ClockOptions) {
    this.mode = options.mode;
    this.startTime = options.startTime;
    this.mark = this.source();
  }

  /** Icount mode: where the number of instructions that all vCPUs have retired comes from. */
  countInstructions(instructions: () => number): void {
    this.instructions = instructions;
    this.mark = this.source();
  }

  /** Calls back when a timer becomes the next to fire, so that a vCPU under way can be made to leave in time. */
  watchDeadline(onEarlier: (deadline: number) => void): void {
    this.onEarlier = onEarlier;
  }

  now(): number {
    if (!this.running) return this.base;
    // Neither a host clock nor a count in the middle of a block may make time go back.
    const value = Math.min(this.limit, this.base + (this.source() - this.mark));
    if (value > this.latest) this.latest = value;
    return this.latest;
  }

  /** Real mode: a vCPU begins to run, for about a time that is known. What it takes past `longest` ns does not count. */
  beginSlice(longest: number): void {
    if (this.mode === "real") this.limit = this.now() + longest;
  }

  endSlice(): void {
    if (this.running) this.base -= Math.max(0, this.base + (this.source() - this.mark) - this.limit);
    this.limit = Number.POSITIVE_INFINITY;
  }

  wallTime(): number {
    return this.startTime + this.now() / 1e6;
  }

  timer(callback: () => void): ClockTimer {
    return new Timer(this, this.timerCount++, callback);
  }

  /** Time of the next timer, or null. */
  nextDeadline(): number | null {
    return this.armed.length > 0 ? this.armed[this.armed.length - 1].deadline : null;
  }

  /** Runs the callbacks of all timers that are due. */
  fireDue(): void {
    for (;;) {
      const timer = this.armed[this.armed.length - 1];
      if (timer === undefined || timer.deadline > this.now()) return;
      this.armed.pop();
      timer.deadline = Number.POSITIVE_INFINITY;
      timer.callback();
    }
  }

  pause(): void {
    this.base = this.now();
    this.limit = Number.POSITIVE_INFINITY;
    this.running = false;
  }

  resume(): void {
    if (this.running) return;
    this.mark = this.source();
    this.latest = this.base;
    this.running = true;
  }

  /** Icount mode: nobody runs, so time jumps to `deadline`. */
  warp(deadline: number): void {
    const skipped = deadline - this.now();
    if (skipped > 0) this.base += skipped;
  }

  /** Disarms all timers: their owners are gone, or about to be restored. */
  dropTimers(): void {
    for (const timer of this.armed) timer.deadline = Number.POSITIVE_INFINITY;
    this.armed.length = 0;
  }

  save(): ClockState {
    return { version: 1, mode: this.mode, now: this.now(), startTime: this.startTime };
  }

  /** @throws StateError where `restore` would */
  check(state: ClockState): void {
    const { mode } = SHAPE.parse(state, "clock");
    if (mode !== this.mode) {
      throw new StateError(`the machine was saved with the ${mode} clock and cannot go on with ${this.mode}`);
    }
  }

  /** Takes over the time; armed timers are dropped. @throws StateError */
  restore(state: ClockState): void {
    this.check(state);
    this.dropTimers();
    this.startTime = state.startTime;
    this.base = state.now;
    this.limit = Number.POSITIVE_INFINITY;
    this.latest = state.now;
    this.mark = this.source();
  }

  /** For {@link Timer}: `Infinity` takes it off the list. */
  schedule(timer: Timer, deadline: number): void {
    if (timer.deadline !== Number.POSITIVE_INFINITY) this.armed.splice(this.armed.indexOf(timer), 1);
    timer.deadline = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    let index = this.armed.length;
    while (index > 0 && isBefore(this.armed[index - 1], timer)) index--;
    this.armed.splice(index, 0, timer);
    if (index === this.armed.length - 1) this.onEarlier(deadline);
  }

  private source(): number {
    return this.mode === "real" ? Math.floor(this.options.monotonic()) : this.instructions();
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
