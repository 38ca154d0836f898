import type { Controller } from "../controller.js";
import { pids } from "../pids.js";
import { rdma } from "../rdma.js";
import { cpu } from "./cpu.js";
import { cpuset } from "./cpuset.js";
import { hugetlb } from "./hugetlb.js";
import { io } from "./io.js";
import { memory } from "./memory.js";

/** In the order in which limits are set. Devices are no controller here but a program (devices/program.ts). */
export const V2_CONTROLLERS: readonly Controller[] = [cpuset, memory, cpu, pids, io, hugetlb, rdma];
