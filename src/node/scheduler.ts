import type { HostScheduler } from "../machine/scheduler.js";

/** Node's event loop and clock for a machine. A waiting machine keeps the process alive. */
export const nodeScheduler: HostScheduler = {
  monotonic: () => performance.now() * 1e6,
  soon: (callback) => {
    setImmediate(callback);
  },
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};
