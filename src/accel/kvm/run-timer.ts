/**
 * Gets the calling thread out of KVM_RUN: a POSIX timer that sends it the signal again and again while it is armed.
 * Again and again, because a signal that arrives just before KVM_RUN is entered is lost.
 */
import { KICK_SIGNAL, libc, systemError, threadId } from "./libc.js";

const SYS_TIMER_SETTIME = 223;
const SYS_TIMER_CREATE = 222;
const CLOCK_MONOTONIC = 1;
const SIGEV_THREAD_ID = 4;
const NANOSECONDS = 1_000_000;

export class RunTimer {
  private static instance: RunTimer | undefined;
  private readonly id: number;
  private readonly disarmed = times(0);

  /** This thread's timer. It lasts as long as the process. */
  static ofThread(): RunTimer {
    RunTimer.instance ??= new RunTimer();
    return RunTimer.instance;
  }

  private constructor() {
    // struct sigevent: value, signal, how to notify, thread.
    const event = new Uint8Array(64);
    const view = new DataView(event.buffer);
    view.setInt32(8, KICK_SIGNAL, true);
    view.setInt32(12, SIGEV_THREAD_ID, true);
    view.setInt32(16, threadId(), true);
    const id = new Uint8Array(4);
    if (libc().timerCreate(SYS_TIMER_CREATE, CLOCK_MONOTONIC, event, id) !== 0) {
      throw systemError("ACCELERATOR_UNAVAILABLE", "timer_create");
    }
    this.id = new DataView(id.buffer).getInt32(0, true);
  }

  /** @param period how long the thread is away at most, in ms */
  arm(period: number): void {
    this.set(times(period));
  }

  disarm(): void {
    this.set(this.disarmed);
  }

  private set(value: Uint8Array): void {
    if (libc().timerSet(SYS_TIMER_SETTIME, this.id, 0, value, null) !== 0) {
      throw systemError("ACCELERATOR_DEFECT", "timer_settime");
    }
  }
}

/** struct itimerspec: the interval and the first time, in seconds and nanoseconds. */
function times(milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, milliseconds * NANOSECONDS, true);
  view.setUint32(24, milliseconds * NANOSECONDS, true);
  return bytes;
}
