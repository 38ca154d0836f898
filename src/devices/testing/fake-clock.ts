/** A clock that stands still until the test advances it; timers fire in order, at their own time. */
import type { ClockTimer, DeviceClock } from "../device.js";

export class FakeClock implements DeviceClock {
  private time = 0;
  private readonly armed = new Map<object, { deadline: number; callback: () => void }>();
  /** Wall-clock time at power-on, in milliseconds since 1970. */
  startTime = Date.UTC(2024, 1, 28, 23, 59, 50);

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return this.startTime + this.time / 1e6;
  }

  timer(callback: () => void): ClockTimer {
    const key = {};
    return {
      arm: (deadline) => {
        this.armed.delete(key);
        this.armed.set(key, { deadline, callback });
      },
      cancel: () => {
        this.armed.delete(key);
      },
    };
  }

  /** Deadline of the next timer, or null. */
  next(): number | null {
    let next: number | null = null;
    for (const { deadline } of this.armed.values()) if (next === null || deadline < next) next = deadline;
    return next;
  }

  /** Lets `nanoseconds` pass. Throws where timers make no progress, so that a storm fails a test. */
  advance(nanoseconds: number): void {
    this.advanceTo(this.time + nanoseconds);
  }

  advanceTo(end: number): void {
    let fired = 0;
    for (;;) {
      let due: object | null = null;
      let deadline = end;
      for (const [key, timer] of this.armed) {
        if (timer.deadline <= deadline && (due === null || timer.deadline < deadline)) {
          due = key;
          deadline = timer.deadline;
        }
      }
      if (due === null) break;
      if (fired++ > 1_000_000) throw new Error("timers fire without end");
      const { callback } = this.armed.get(due)!;
      this.armed.delete(due);
      if (deadline > this.time) this.time = deadline;
      callback();
    }
    this.time = end;
  }
}
