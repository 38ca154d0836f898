import type { Controller } from "../controller.js";
import { pids } from "../pids.js";
import { rdma } from "../rdma.js";
import { blkio } from "./blkio.js";
import { cpu } from "./cpu.js";
import { cpuacct } from "./cpuacct.js";
import { cpuset } from "./cpuset.js";
import { devices } from "./devices.js";
import { hugetlb } from "./hugetlb.js";
import { memory } from "./memory.js";
import { netCls } from "./net-cls.js";
import { netPrio } from "./net-prio.js";

/** In the order in which limits are set. */
export const V1_CONTROLLERS: readonly Controller[] = [
  cpuset,
  devices,
  memory,
  cpu,
  cpuacct,
  pids,
  blkio,
  hugetlb,
  netCls,
  netPrio,
  rdma,
];

/** Hierarchies that have no limits of ours and that a container has a cgroup in nevertheless. */
export const V1_MEMBERSHIPS: readonly string[] = ["freezer", "perf_event", "misc", "name=systemd"];
