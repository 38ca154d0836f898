/** Documentation/admin-guide/cgroup-v2.rst, "Cpuset Interface Files". */
import type { Controller } from "../controller.js";
import { checkCpuList } from "../cpu-list.js";
import { parseList } from "../stats.js";

export const cpuset: Controller = {
  name: "cpuset",
  isAsked: ({ cpu }) => Boolean(cpu?.cpus) || Boolean(cpu?.mems),
  set(folder, { cpu }) {
    if (cpu?.cpus) folder.write("cpuset.cpus", checkCpuList("cpu.cpus", cpu.cpus));
    if (cpu?.mems) folder.write("cpuset.mems", checkCpuList("cpu.mems", cpu.mems));
  },
  readStats(folder, { cpuset: stats }) {
    stats.cpus = parseList(folder.tryRead("cpuset.cpus.effective") ?? "");
    stats.mems = parseList(folder.tryRead("cpuset.mems.effective") ?? "");
  },
};
