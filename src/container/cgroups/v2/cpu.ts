/** Documentation/admin-guide/cgroup-v2.rst, "CPU Interface Files". */

import type { CpuResources } from "../../spec/config.js";
import { type ControlFolder, integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import { invalid } from "../errors.js";
import { parseFlat, parsePressure } from "../stats.js";

const DEFAULT_PERIOD = "100000";
const MICROSECOND = 1000n;

export const cpu: Controller = {
  name: "cpu",

  isAsked: ({ cpu: asked }) =>
    asked !== undefined &&
    [
      asked.shares,
      asked.quota,
      asked.burst,
      asked.period,
      asked.idle,
      asked.realtimePeriod,
      asked.realtimeRuntime,
    ].some(isGiven),

  set(folder, { cpu: asked }) {
    if (!asked) return;
    if (isGiven(asked.realtimePeriod) || isGiven(asked.realtimeRuntime)) {
      throw invalid("cpu", "cpu.realtimePeriod and cpu.realtimeRuntime: cgroup v2 has no real-time budget");
    }
    if (isGiven(asked.idle) || (asked.idle === 0 && folder.has("cpu.idle"))) {
      folder.write("cpu.idle", integer("cpu", "cpu.idle", asked.idle, 0, 1));
    }
    if (isGiven(asked.shares)) folder.write("cpu.weight", weightOfShares(asked.shares));
    setBandwidth(folder, asked);
  },

  readStats(folder, { cpu: stats }) {
    const flat = parseFlat(folder.tryRead("cpu.stat") ?? "");
    const nanoseconds = (name: string) => (flat[name] ?? 0n) * MICROSECOND;
    stats.usage = {
      total: nanoseconds("usage_usec"),
      user: nanoseconds("user_usec"),
      kernel: nanoseconds("system_usec"),
    };
    stats.throttling = {
      periods: flat.nr_periods,
      throttledPeriods: flat.nr_throttled,
      throttledTime: nanoseconds("throttled_usec"),
    };
    stats.psi = parsePressure(folder.tryRead("cpu.pressure"));
  },
};

const MIN_SHARES = 2;
const MAX_SHARES = 262144;

/**
 * From v1's 2 to 262144 (1024 unless set) to v2's 1 to 10000 (100 unless set). The curve is the one that OCI
 * runtimes agree on, a parabola through these three points in logarithms, so that a default stays a default.
 */
export function weightOfShares(shares: number): number {
  integer("cpu", "cpu.shares", shares, 0);
  if (shares <= MIN_SHARES) return 1;
  if (shares >= MAX_SHARES) return 10000;
  const power = Math.log2(shares);
  return Math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34));
}

/** One file has both: what the configuration leaves out stays as it is. */
function setBandwidth(folder: ControlFolder, { quota, period, burst }: CpuResources): void {
  const burstText = burst === undefined || burst === null ? undefined : integer("cpu", "cpu.burst", burst, 0);
  // The burst may not exceed the quota: a smaller one goes first, a larger one last.
  const writeBurst = () => {
    if (burstText === undefined || (burstText === "0" && !folder.has("cpu.max.burst"))) return true;
    try {
      folder.write("cpu.max.burst", burstText);
      return true;
    } catch (error) {
      if (!isGiven(quota) && !isGiven(period)) throw error;
      return false;
    }
  };
  const burstDone = writeBurst();
  if (isGiven(quota) || isGiven(period)) {
    const [currentQuota = "max", currentPeriod = DEFAULT_PERIOD] = (folder.tryRead("cpu.max") ?? "").split(" ");
    let quotaText = currentQuota || "max";
    if (isGiven(quota)) quotaText = quota < 0 ? "max" : integer("cpu", "cpu.quota", quota, 1);
    const periodText = isGiven(period) ? integer("cpu", "cpu.period", period, 1) : currentPeriod;
    folder.write("cpu.max", `${quotaText} ${periodText}`);
  }
  if (!burstDone && burstText !== undefined) folder.write("cpu.max.burst", burstText);
}
