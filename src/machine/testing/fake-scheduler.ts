import type { HostScheduler } from "../scheduler.js";

/** A host whose time passes only when the machine waits, or by `advance`. Nothing in it depends on the real one. */
export class FakeScheduler implements HostScheduler {
  time = 0;
  /** Waits that the machine asked for, in milliseconds. */
  readonly waits: number[] = [];
  private cancelled = new Set<number>();
  private ids = 0;

  monotonic(): number {
    // A clock that stands still while code runs would never end a wait by polling.
    this.time += 100;
    return this.time;
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  after(milliseconds: number, callback: () => void): () => void {
    const id = this.ids++;
    this.waits.push(milliseconds);
    setImmediate(() => {
      if (this.cancelled.has(id)) return;
      this.time += milliseconds * 1e6;
      callback();
    });
    return () => this.cancelled.add(id);
  }
}
