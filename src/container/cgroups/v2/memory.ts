/** Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files". */

import type { MemoryResources } from "../../spec/config.js";
import { type ControlFolder, integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";
import { CgroupError, invalid } from "../errors.js";
import { checkAgainstUse } from "../memory-check.js";
import { parseFlat, parsePressure, UNLIMITED } from "../stats.js";

export const memory: Controller = {
  name: "memory",

  isAsked: ({ memory: asked }) => asked !== undefined && [asked.limit, asked.reservation, asked.swap].some(isGiven),

  // Swappiness and disableOOMKiller have no counterpart; the specification lets them be without effect on v2.
  set(folder, { memory: asked }) {
    if (!asked) return;
    const swap = swapLimit(folder, asked);
    const limit = isGiven(asked.limit) ? integer("memory", "memory.limit", asked.limit, -1) : undefined;
    if (asked.checkBeforeUpdate) checkAgainstUse(folder, "memory.current", limit);
    if (swap !== undefined) writeSwap(folder, swap);
    if (limit !== undefined) folder.write("memory.max", orMax(limit));
    if (isGiven(asked.reservation)) {
      folder.write("memory.low", orMax(integer("memory", "memory.reservation", asked.reservation, -1)));
    }
  },

  readStats(folder, { memory: stats }) {
    stats.raw = parseFlat(folder.tryRead("memory.stat") ?? "");
    stats.cache = stats.raw.file;
    const limitOf = (name: string) => {
      const text = folder.tryRead(name);
      return text === "max" ? UNLIMITED : (folder.tryReadNumber(name) ?? 0n);
    };
    const events = parseFlat(folder.tryRead("memory.events") ?? "");
    const usage = folder.tryReadNumber("memory.current");
    const limit = limitOf("memory.max");
    stats.usage = { limit, usage, max: folder.tryReadNumber("memory.peak"), failcnt: events.max ?? 0n };
    // v1 counts memory and swap together, and so do the readers of these figures.
    const swapUsage = folder.tryReadNumber("memory.swap.current");
    if (swapUsage !== undefined) {
      const swap = limitOf("memory.swap.max");
      stats.swap = {
        limit: swap === UNLIMITED || limit === UNLIMITED ? UNLIMITED : swap + limit,
        usage: swapUsage + (usage ?? 0n),
        failcnt: 0n,
      };
    }
    stats.psi = parsePressure(folder.tryRead("memory.pressure"));
  },
};

/** v2 counts swap alone: "max", a number, or undefined to leave it. */
function swapLimit(folder: ControlFolder, { limit, swap }: MemoryResources): string | undefined {
  // Memory without a limit frees swap too, as on v1.
  if (!isGiven(swap)) return limit === -1 ? "max" : undefined;
  const both = integer("memory", "memory.swap", swap, -1);
  if (both === "-1") return "max";
  const memory = isGiven(limit) ? integer("memory", "memory.limit", limit, -1) : folder.tryRead("memory.max");
  if (memory === undefined || memory === "max" || memory === "-1") {
    throw invalid("memory", "memory.swap (memory and swap together) needs a memory.limit");
  }
  const alone = BigInt(both) - BigInt(memory);
  if (alone < 0n) {
    throw invalid("memory", `memory.swap (memory and swap together) is ${both}: below memory.limit, ${memory}`);
  }
  return String(alone);
}

/** A kernel without swap has no such file: nothing is allowed and nothing is denied there. */
function writeSwap(folder: ControlFolder, value: string): void {
  try {
    folder.write("memory.swap.max", value);
  } catch (error) {
    const missing = error instanceof CgroupError && error.problem === "unavailable";
    if (!missing || (value !== "max" && value !== "0")) throw error;
  }
}

function orMax(value: string): string {
  return value === "-1" ? "max" : value;
}
