/** Documentation/admin-guide/cgroup-v1/cpusets.rst. */
import type { ControlFolder } from "../control-folder.js";
import type { Controller } from "../controller.js";
import { checkCpuList } from "../cpu-list.js";
import { parseList } from "../stats.js";

export const cpuset: Controller = {
  name: "cpuset",

  isAsked: ({ cpu }) => Boolean(cpu?.cpus) || Boolean(cpu?.mems),

  // A new cpuset is empty, and nothing can enter an empty one: it takes what its parent has.
  prepare(folder, parents) {
    let parent: ControlFolder | undefined;
    for (const next of [...parents, folder]) {
      if (parent) {
        for (const file of ["cpuset.cpus", "cpuset.mems"]) {
          if (next.read(file) === "") next.write(file, parent.read(file));
        }
      }
      parent = next;
    }
  },

  set(folder, { cpu }) {
    if (cpu?.cpus) folder.write("cpuset.cpus", checkCpuList("cpu.cpus", cpu.cpus));
    if (cpu?.mems) folder.write("cpuset.mems", checkCpuList("cpu.mems", cpu.mems));
  },

  readStats(folder, { cpuset: stats }) {
    stats.cpus = parseList(folder.tryRead("cpuset.cpus") ?? "");
    stats.mems = parseList(folder.tryRead("cpuset.mems") ?? "");
    for (const name of [
      "cpu_exclusive",
      "mem_hardwall",
      "mem_exclusive",
      "memory_migrate",
      "memory_spread_page",
      "memory_spread_slab",
      "memory_pressure",
      "sched_load_balance",
      "sched_relax_domain_level",
    ] as const) {
      stats[name] = folder.tryReadNumber(`cpuset.${name}`) ?? 0n;
    }
  },
};
