/** Documentation/admin-guide/cgroup-v1/cpuacct.rst: times, no limits. */
import type { Controller } from "../controller.js";

const NANOSECONDS = 1_000_000_000n;
/** USER_HZ: what the kernel shows clock ticks in, the same on all of Linux's common architectures. */
const TICKS = 100n;

export const cpuacct: Controller = {
  name: "cpuacct",
  isAsked: () => false,
  set() {},
  readStats(folder, stats) {
    const { usage } = stats.cpu;
    const ticks = /^user (\d+)\nsystem (\d+)/.exec(folder.tryRead("cpuacct.stat") ?? "");
    if (ticks) {
      usage.user = (BigInt(ticks[1]!) * NANOSECONDS) / TICKS;
      usage.kernel = (BigInt(ticks[2]!) * NANOSECONDS) / TICKS;
    }
    usage.total = folder.tryReadNumber("cpuacct.usage");
    usage.percpu = folder.tryRead("cpuacct.usage_percpu")?.split(/\s+/).filter(Boolean).map(BigInt);
    const rows = (folder.tryRead("cpuacct.usage_all") ?? "").split("\n").flatMap((line) => {
      const match = /^\d+ (\d+) (\d+)$/.exec(line);
      return match ? [{ user: BigInt(match[1]!), kernel: BigInt(match[2]!) }] : [];
    });
    if (rows.length > 0) {
      usage.percpu_user = rows.map(({ user }) => user);
      usage.percpu_kernel = rows.map(({ kernel }) => kernel);
    }
  },
};
