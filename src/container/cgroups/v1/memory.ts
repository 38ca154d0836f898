/** Documentation/admin-guide/cgroup-v1/memory.rst. */

import type { MemoryResources } from "../../spec/config.js";
import { type ControlFolder, integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import { CgroupError, invalid } from "../errors.js";
import { checkAgainstUse } from "../memory-check.js";
import { type MemoryUsage, parseFlat, parsePressure } from "../stats.js";

const LIMIT = "memory.limit_in_bytes";
const SWAP_LIMIT = "memory.memsw.limit_in_bytes";
/** The kernel's own for any swappiness, which some tools write down as it is. */
const SWAPPINESS_UNSET = [-1, 2 ** 64, 2 ** 63];

export const memory: Controller = {
  name: "memory",

  isAsked: ({ memory: asked }) =>
    asked !== undefined &&
    ([asked.limit, asked.reservation, asked.swap].some(isGiven) ||
      asked.swappiness !== undefined ||
      asked.disableOOMKiller === true),

  set(folder, { memory: asked }) {
    if (!asked) return;
    setLimits(folder, asked);
    if (isGiven(asked.reservation)) {
      folder.write("memory.soft_limit_in_bytes", integer("memory", "memory.reservation", asked.reservation, -1));
    }
    if (asked.disableOOMKiller) folder.write("memory.oom_control", "1");
    const { swappiness } = asked;
    if (swappiness !== undefined && swappiness !== null && !SWAPPINESS_UNSET.includes(swappiness)) {
      folder.write("memory.swappiness", integer("memory", "memory.swappiness", swappiness, 0, 100));
    }
  },

  readStats(folder, { memory: stats }) {
    stats.raw = parseFlat(folder.tryRead("memory.stat") ?? "");
    stats.cache = stats.raw.cache;
    stats.usage = readUsage(folder, "memory");
    stats.swap = readUsage(folder, "memory.memsw");
    stats.kernel = readUsage(folder, "memory.kmem");
    stats.kernelTCP = readUsage(folder, "memory.kmem.tcp");
    stats.psi = parsePressure(folder.tryRead("memory.pressure"));
  },
};

/** The limit with swap may never be below the one without: the order of the writes depends on what is there. */
function setLimits(folder: ControlFolder, asked: MemoryResources): void {
  const limit = isGiven(asked.limit) ? integer("memory", "memory.limit", asked.limit, -1) : undefined;
  let swap = isGiven(asked.swap) ? integer("memory", "memory.swap", asked.swap, -1) : undefined;
  // Memory without a limit frees a limit of both together too.
  if (limit === "-1" && swap === undefined && folder.has(SWAP_LIMIT)) swap = "-1";
  if (limit !== undefined && swap !== undefined && swap !== "-1" && (limit === "-1" || BigInt(swap) < BigInt(limit))) {
    throw invalid("memory", `memory.swap (memory and swap together) is ${swap}: below memory.limit, ${limit}`);
  }
  if (asked.checkBeforeUpdate) checkAgainstUse(folder, "memory.usage_in_bytes", limit);
  if (limit !== undefined && swap !== undefined) {
    const current = folder.tryReadNumber(LIMIT) ?? 0n;
    const raising = swap === "-1" || current < BigInt(swap);
    if (raising) {
      folder.write(SWAP_LIMIT, swap);
      writeLimit(folder, limit);
    } else {
      writeLimit(folder, limit);
      folder.write(SWAP_LIMIT, swap);
    }
  } else if (limit !== undefined) {
    writeLimit(folder, limit);
  } else if (swap !== undefined) {
    folder.write(SWAP_LIMIT, swap);
  }
}

function writeLimit(folder: ControlFolder, limit: string): void {
  try {
    folder.write(LIMIT, limit);
  } catch (error) {
    if (!(error instanceof CgroupError) || error.problem !== "busy") throw error;
    const use = `${folder.tryRead("memory.usage_in_bytes")} now, ${folder.tryRead("memory.max_usage_in_bytes")} at most`;
    throw new CgroupError("memory", "busy", `a limit of ${limit} bytes is below what is in use (${use})`, {
      cause: error,
    });
  }
}

function readUsage(folder: ControlFolder, prefix: string): MemoryUsage {
  return {
    limit: folder.tryReadNumber(`${prefix}.limit_in_bytes`) ?? 0n,
    usage: folder.tryReadNumber(`${prefix}.usage_in_bytes`),
    max: folder.tryReadNumber(`${prefix}.max_usage_in_bytes`),
    failcnt: folder.tryReadNumber(`${prefix}.failcnt`) ?? 0n,
  };
}
