/** Documentation/scheduler/sched-design-CFS.rst, sched-bwc.rst and sched-rt-group.rst. */

import type { CpuResources, Resources } from "../../spec/config.js";
import { type ControlFolder, integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import { CgroupError } from "../errors.js";
import { parseFlat, parsePressure } from "../stats.js";

export const cpu: Controller = {
  name: "cpu",

  isAsked: ({ cpu: asked }) =>
    asked !== undefined &&
    [
      asked.shares,
      asked.quota,
      asked.burst,
      asked.period,
      asked.realtimeRuntime,
      asked.realtimePeriod,
      asked.idle,
    ].some(isGiven),

  // A real-time process cannot enter a cgroup that has no real-time budget.
  prepare(folder, _parents, { cpu: asked }) {
    if (asked) setRealtime(folder, asked);
  },

  set(folder, { cpu: asked }: Resources) {
    if (!asked) return;
    // The kernel refuses shares while a cgroup is idle.
    if (isGiven(asked.idle) || (asked.idle === 0 && folder.has("cpu.idle"))) {
      folder.write("cpu.idle", integer("cpu", "cpu.idle", asked.idle, 0, 1));
    }
    if (isGiven(asked.shares)) setShares(folder, asked.shares);
    setBandwidth(folder, asked);
    setRealtime(folder, asked);
  },

  readStats(folder, stats) {
    const flat = parseFlat(folder.tryRead("cpu.stat") ?? "");
    stats.cpu.throttling = {
      periods: flat.nr_periods,
      throttledPeriods: flat.nr_throttled,
      throttledTime: flat.throttled_time,
    };
    stats.cpu.psi = parsePressure(folder.tryRead("cpu.pressure"));
  },
};

function setShares(folder: ControlFolder, shares: number): void {
  const wanted = integer("cpu", "cpu.shares", shares, 0);
  folder.write("cpu.shares", wanted);
  // The kernel clamps without a word.
  const kept = folder.read("cpu.shares");
  if (kept !== wanted) {
    const side = BigInt(wanted) > BigInt(kept) ? "most" : "least";
    throw new CgroupError("cpu", "invalid", `cpu.shares is ${wanted}: the kernel takes ${kept} at ${side}`);
  }
}

/**
 * Period, quota and burst check each other in the kernel: whichever is refused at first is tried again when the
 * others are there.
 */
function setBandwidth(folder: ControlFolder, { period, quota, burst }: CpuResources): void {
  const writes: [file: string, value: string][] = [];
  if (isGiven(period)) writes.push(["cpu.cfs_period_us", integer("cpu", "cpu.period", period, 1)]);
  if (isGiven(quota)) writes.push(["cpu.cfs_quota_us", integer("cpu", "cpu.quota", quota, -1)]);
  if (isGiven(burst) || (burst === 0 && folder.has("cpu.cfs_burst_us")))
    writes.push(["cpu.cfs_burst_us", integer("cpu", "cpu.burst", burst, 0)]);
  writeInSomeOrder(folder, writes);
}

function setRealtime(folder: ControlFolder, { realtimePeriod, realtimeRuntime }: CpuResources): void {
  const writes: [file: string, value: string][] = [];
  if (isGiven(realtimePeriod)) {
    writes.push(["cpu.rt_period_us", integer("cpu", "cpu.realtimePeriod", realtimePeriod, 1)]);
  }
  if (isGiven(realtimeRuntime)) {
    writes.push(["cpu.rt_runtime_us", integer("cpu", "cpu.realtimeRuntime", realtimeRuntime, -1)]);
  }
  writeInSomeOrder(folder, writes);
}

function writeInSomeOrder(folder: ControlFolder, writes: [file: string, value: string][]): void {
  for (let left = writes; left.length > 0; ) {
    const failed: [string, string][] = [];
    let failure: unknown;
    for (const [file, value] of left) {
      try {
        folder.write(file, value);
      } catch (error) {
        failure = error;
        failed.push([file, value]);
      }
    }
    if (failed.length === left.length) throw failure;
    left = failed;
  }
}
