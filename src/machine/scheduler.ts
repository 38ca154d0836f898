/** The host's event loop and clock, as a machine uses them. Node and the browser have their own. */
export interface HostScheduler {
  /** Monotonic time in nanoseconds. */
  monotonic(): number;
  /** Calls back as soon as the host's pending events have been served. */
  soon(callback: () => void): void;
  /** Calls back after about `milliseconds`; the result cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}
